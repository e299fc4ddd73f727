"""Batch normalization in NumPy, under the name that readers know: `theory/batchnorm.py` hands it on."""

from bnviz.theory.batchnorm import (
    EPS,
    MOMENTUM,
    Array,
    Cache,
    Gradients,
    Mode,
    batchnorm_backward,
    batchnorm_backward_staged,
    batchnorm_forward,
)

__all__ = [
    "EPS",
    "MOMENTUM",
    "Array",
    "Cache",
    "Gradients",
    "Mode",
    "batchnorm_backward",
    "batchnorm_backward_staged",
    "batchnorm_forward",
]
