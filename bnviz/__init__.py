"""bnviz shows what batch normalization does while small networks learn MNIST."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bnviz.experiment.config import BatchNormConfig, Experiment, NetworkConfig, TrainingConfig, Variant
from bnviz.experiment.package import VERSION as __version__

if TYPE_CHECKING:
    from bnviz.own_network.diagnose import diagnose
    from bnviz.own_network.watch import watch
    from bnviz.training.trainer import Trainer, train

__all__ = [
    "BatchNormConfig",
    "Experiment",
    "NetworkConfig",
    "Trainer",
    "TrainingConfig",
    "Variant",
    "__version__",
    "diagnose",
    "train",
    "watch",
]


# What imports torch, which costs seconds: loaded on first use, never in the web process.
_LATE = {
    "Trainer": "bnviz.training.trainer",
    "diagnose": "bnviz.own_network.diagnose",
    "train": "bnviz.training.trainer",
    "watch": "bnviz.own_network.watch",
}


def __getattr__(name: str) -> Any:
    if name in _LATE:
        return getattr(import_module(_LATE[name]), name)
    raise AttributeError(f"module 'bnviz' has no attribute {name!r}")
