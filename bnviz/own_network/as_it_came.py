"""A model that is only looked at: whatever happens meanwhile, it is left as it came."""

import copy
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn


@contextmanager
def as_it_came(model: nn.Module, optimizer: torch.optim.Optimizer | None = None) -> Iterator[None]:
    """Give the model back its parameters, buffers, modes, gradients and requires_grad, and the optimizer its state.

    Python's, NumPy's and torch's random generators, and those that modules hold, go on as if nothing had been drawn.
    """
    with ExitStack() as stack:
        stack.enter_context(_random_states(model))
        stack.enter_context(_modules(model))
        stack.enter_context(_parameters(model))
        if optimizer is not None:
            stack.enter_context(_optimizer(optimizer))
        yield


@contextmanager
def buffers_as_they_came(model: nn.Module) -> Iterator[None]:
    """Give the model back its buffers."""
    held = [
        (m, dict(m._buffers), {k: b.clone() for k, b in m._buffers.items() if b is not None}) for m in model.modules()
    ]
    try:
        yield
    finally:
        with torch.no_grad():
            for module, buffers, values in held:
                module._buffers.clear()
                module._buffers.update(buffers)
                for key, value in values.items():
                    buffer = buffers[key]
                    if buffer is not None and not torch.equal(buffer, value):
                        buffer.copy_(value)


@contextmanager
def _modules(model: nn.Module) -> Iterator[None]:
    modes = [(module, module.training) for module in model.modules()]
    with buffers_as_they_came(model):
        try:
            yield
        finally:
            for module, training in modes:
                module.training = training


@contextmanager
def _parameters(model: nn.Module) -> Iterator[None]:
    held = [(p, p.detach().clone(), p.grad, p.requires_grad) for p in model.parameters()]
    for parameter, *_ in held:
        parameter.grad = None
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter, value, gradient, requires_grad in held:
                if not torch.equal(parameter, value):
                    parameter.copy_(value)
                parameter.requires_grad_(requires_grad)
                parameter.grad = gradient


@contextmanager
def _optimizer(optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """Put back its state and its groups, whose values a step may change; the parameters in them are the model's."""
    before = {p: {k: copy.deepcopy(v) for k, v in state.items()} for p, state in optimizer.state.items()}
    groups = [{k: copy.deepcopy(v) for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
    held = dict(optimizer.state)
    try:
        yield
    finally:
        optimizer.state.clear()
        for parameter, state in held.items():
            state.clear()
            state.update(before[parameter])
            optimizer.state[parameter] = state
        for group, values in zip(optimizer.param_groups, groups, strict=True):
            group.update(values)


@contextmanager
def _random_states(model: nn.Module) -> Iterator[None]:
    generators = [value for m in model.modules() for value in vars(m).values() if isinstance(value, torch.Generator)]
    states = [generator.get_state() for generator in generators]
    of_python, of_numpy = random.getstate(), np.random.get_state()
    devices: list[Any] = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)
