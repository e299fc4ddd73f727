"""One look at a watched network while a step of it goes on: hooks, gradients, and weights before and after."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from bnviz.own_network.layers import Slopes
from bnviz.own_network.looking import Collected
from bnviz.own_network.sight import Sight, sample_of

SAMPLES = 2048  # values of a layer's outputs
WEIGHTS = 4096  # weights of a layer, by which the size of a step is told


class LookUnderWay:
    """One look, from the end of the step before to the end of its own."""

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer | None,
        slopes: dict[nn.Module, Slopes | None],
        fault: Callable[[Exception], None],
    ) -> None:
        self.spent, self.began_at = 0.0, 0.0
        self._fault = fault
        self.sight = Sight(model, SAMPLES, slopes, guard=self._timed)
        weights = {
            m: m._parameters.get("weight")
            for m, (_, kind) in self.sight.layers.items()
            if kind in ("linear", "convolution")
        }
        self.weights = {m: w for m, w in weights.items() if w is not None}
        self._before = {m: sample_of(w, WEIGHTS) for m, w in self.weights.items()}
        self._norms: list[Tensor] | None = None
        self._learning: list[nn.Module] = []
        self.sight.attach()
        if optimizer is not None:
            self.sight.hold(optimizer.register_step_pre_hook(self._timed(lambda *_: self._see_gradients())))

    def _timed(self, hook: Callable[..., None]) -> Callable[..., None]:
        def seen(*arguments: Any) -> None:
            began = time.perf_counter()
            try:
                hook(*arguments)
            except Exception as error:  # a look is never worth a training run
                self._fault(error)
            self.spent += time.perf_counter() - began

        return seen

    def _see_gradients(self) -> None:
        """Take the norms of the gradients, at the first step of the optimizer since the look began."""
        learning = {m: w.grad for m, w in self.weights.items() if w.grad is not None}
        if learning and self._norms is None:
            self._learning = list(learning)
            self._norms = list(torch._foreach_norm(list(learning.values())))

    def put_weights(self, collected: Collected) -> tuple[dict[nn.Module, str], dict[nn.Module, str]]:
        """Send gradients and steps along; return under which names."""
        self._see_gradients()
        gradients = {module: f"gradient {place}" for place, module in enumerate(self._learning)}
        for module, norm in zip(self._learning, self._norms or [], strict=True):
            collected.put(gradients[module], norm)
        updates = {module: f"update {place}" for place, module in enumerate(self.weights)}
        for module, weight in self.weights.items():
            before = self._before[module].float()
            step = sample_of(weight, WEIGHTS).float() - before
            collected.put(updates[module], step.std(correction=0) / before.std(correction=0))
        return gradients, updates
