"""The device that stacks are trained on: BNVIZ_DEVICE=auto|cpu|cuda|mps. Live runs stay on the CPU: fastest there.

Random numbers are always drawn on the CPU, so that networks start from the same weights everywhere.
"""

import os
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import torch

DEVICE = "BNVIZ_DEVICE"
CHOICES = ("auto", "cpu", "cuda", "mps")
STACK_SIZE = {"cpu": 8, "cuda": 256, "mps": 64}  # in one stack; measured on a CPU only
T = TypeVar("T")


def device() -> str:
    """Return the device that BNVIZ_DEVICE asks for. Raises ValueError if it is none, or not on this machine."""
    asked = os.environ.get(DEVICE) or "auto"
    here = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if asked not in CHOICES:
        raise ValueError(f"{DEVICE}={asked} is not allowed; give one of {', '.join(CHOICES)}")
    if asked == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if here[name])
    if not here[asked]:
        raise ValueError(f"{DEVICE}={asked}: PyTorch finds no such device on this machine; give auto or cpu")
    return asked


def moved(state: T, to: str) -> T:
    """Return a state, however nested, with every tensor on another device."""
    found: T = _moved(state, to)
    return found


def _moved(state: Any, to: str) -> Any:
    if isinstance(state, torch.Tensor):
        return state.to(to)
    if isinstance(state, list):
        return [_moved(part, to) for part in state]
    if is_dataclass(state) and not isinstance(state, type):
        return replace(state, **{f.name: _moved(getattr(state, f.name), to) for f in fields(state)})
    return state
