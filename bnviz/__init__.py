"""bnviz shows what batch normalization does while small networks learn MNIST."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bnviz.experiment.config import BatchNormConfig, Experiment, NetworkConfig, TrainingConfig, Variant

if TYPE_CHECKING:
    from bnviz.training.trainer import Trainer, train

__version__ = "0.1.0"
__all__ = [
    "BatchNormConfig",
    "Experiment",
    "NetworkConfig",
    "Trainer",
    "TrainingConfig",
    "Variant",
    "__version__",
    "train",
]


def __getattr__(name: str) -> Any:
    # The trainer imports torch, which costs seconds: only on first use, never in the web process.
    if name in ("Trainer", "train"):
        return getattr(import_module("bnviz.training.trainer"), name)
    raise AttributeError(f"module 'bnviz' has no attribute {name!r}")
