"""Hooks on the layers of a model, which collect what passes through them; the hooks are there only while they do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from bnviz.own_network.layers import (
    Slopes,
    compiled_in,
    is_compiled,
    layers_of,
    normalizes_over_batch,
    slopes_at,
    slopes_of,
    uses_batch_statistics,
)
from bnviz.records.own_network import Kind

Hook = Callable[..., None]
MOST_PASSES = 4  # of which a batchnorm layer's statistics are kept in one step

_BEFORE = 4  # operations between an activation called as a function and the layer that its result reaches
_FUNCTIONS = (
    "Relu",
    "Tanh",
    "Sigmoid",
    "Gelu",
    "Silu",
    "Elu",
    "LeakyRelu",
    "Hardtanh",
    "Hardswish",
    "Softplus",
    "Mish",
)


@dataclass
class Use:
    """What passed through a module, the nth time in a pass through the model; tensors are on the model's device.

    sample: of the outputs, values alone. extremes: (3, units), least, largest and mean input of each unit of an
    activation. slopes: of the sample. batches: mean, unbiased variance and values a channel of each pass.
    """

    module: nn.Module
    name: str
    kind: Kind
    nth: int = 0
    takes: str = ""
    sample: Tensor | None = None
    extremes: Tensor | None = None
    saturated: Tensor | None = None
    batches: list[tuple[Tensor, Tensor, int]] = field(default_factory=list)
    training: bool = False
    uses: int = 1


@dataclass
class Sight:
    """Looks at a model's layers in passes in train mode. samples: values kept of a layer's outputs.

    slopes: what is known of activations, kept from look to look. passes_kept: of
    which a batchnorm layer's statistics are. guard: goes around every hook.
    uses: by module and place in the pass, in the order of the first pass. passes: through the model, in train mode.
    examples: in the first batch. functions: activations called as functions, which no hook sees.
    """

    model: nn.Module
    samples: int = 2048
    slopes: dict[nn.Module, Slopes | None] = field(default_factory=dict)
    passes_kept: int = MOST_PASSES
    guard: Callable[[Hook], Hook] = lambda hook: hook
    uses: dict[tuple[nn.Module, int], Use] = field(default_factory=dict)
    passes: int = 0
    examples: int = 0
    functions: int = 0
    _handles: list[RemovableHandle] = field(default_factory=list)
    _seeing: bool = False
    _times: dict[nn.Module, int] = field(default_factory=dict)
    _produced: dict[int, tuple[str, Tensor]] = field(default_factory=dict)
    _nodes: list[Any] = field(default_factory=list)
    _inputs: dict[nn.Module, tuple[Tensor | None, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Find the layers."""
        self.layers = layers_of(self.model)
        inside = compiled_in(self.model)
        self.compiled = {module: None for module in self.layers if module in inside}  # in their order

    def attach(self) -> None:
        """Put the hooks on."""
        if is_compiled(self.model):
            self.uses = {(m, 0): Use(m, name, kind) for m, (name, kind) in self.layers.items()}
            return
        before, after, end = self.guard(self._before), self.guard(self._after), self.guard(self._end)
        self.hold(self.model.register_forward_pre_hook(self.guard(self._begin), prepend=True))
        for module in (m for m in self.layers if m not in self.compiled):  # a hook there is compiled anew at each look
            self.hold(module.register_forward_pre_hook(before))
            self.hold(module.register_forward_hook(after))
        self.hold(self.model.register_forward_hook(end, always_call=True))

    def hold(self, handle: RemovableHandle) -> None:
        """Take a hook's handle, to take it off with the others."""
        self._handles.append(handle)

    def detach(self) -> None:
        """Take all hooks off, and let go of what they held."""
        while self._handles:
            self._handles.pop().remove()
        self._let_go()
        self._seeing = False

    def _let_go(self) -> None:
        for held in (self._times, self._produced, self._nodes, self._inputs):
            held.clear()

    def _begin(self, model: nn.Module, args: Any) -> None:
        self._let_go()
        self._seeing = self.model.training and not torch.is_inference_mode_enabled()

    def _end(self, model: nn.Module, args: Any, output: Any) -> None:
        if self._seeing and output is not None:
            if self.compiled and not self.passes:
                self._add_compiled()
            self.passes += 1
            first = next(_tensors(args), None)
            if not self.examples and first is not None and first.dim():
                self.examples = len(first)
        self._seeing = False
        self._let_go()

    def _add_compiled(self) -> None:
        """Take the layers of compiled parts along; all layers then stand in the order in which the model has them."""
        self.uses |= {(m, 0): Use(m, *self.layers[m]) for m in self.compiled}
        places = {module: place for place, module in enumerate(self.layers)}
        self.uses = dict(sorted(self.uses.items(), key=lambda item: (places[item[0][0]], item[0][1])))

    def _before(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        if not self._seeing or not args or not isinstance(args[0], Tensor):
            return
        x = args[0]
        name, _ = self._produced.get(id(x), ("", x))
        with torch.no_grad():
            _, kind = self.layers[module]
            self._inputs[module] = (sample_of(x, self.samples) if kind == "activation" else None, name)
            if not name and not self.passes and kind != "activation" and self._from_function(x):
                self.functions += 1
            if kind == "normalization":
                self._see_normalization(module, x.detach())
            elif kind == "activation":
                self._see_activation(module, x.detach(), name)

    def _use(self, module: nn.Module) -> Use:
        name, kind = self.layers[module]
        nth = self._times.get(module, 0)
        # Of an activation that is used several times every use is a row; other modules have one, with their weights.
        key = (module, nth if kind == "activation" else 0)
        if key not in self.uses:
            self.uses[key] = Use(module, name, kind, key[1])
        use = self.uses[key]
        use.uses = max(use.uses, nth + 1)
        return use

    def _see_normalization(self, module: nn.Module, x: Tensor) -> None:
        use = self._use(module)
        use.training = uses_batch_statistics(module)
        if len(use.batches) >= self.passes_kept or not normalizes_over_batch(module) or x.dim() < 2 or not x.numel():
            return
        values = x.numel() // x.shape[1]
        axes = [axis for axis in range(x.dim()) if axis != 1]
        var, mean = torch.var_mean(x.float(), axes, correction=1 if values > 1 else 0)
        use.batches.append((mean, var, values))

    def _see_activation(self, module: nn.Module, x: Tensor, takes: str) -> None:
        use = self._use(module)
        if module not in self.slopes:
            self.slopes[module] = slopes_of(module)
        known = self.slopes[module]
        if known is None or x.dim() < 2 or not x.numel():
            return
        of_linear = next((u.kind == "linear" for u in self.uses.values() if u.name == takes), False)
        units = x.dim() - 1 if of_linear else 1
        axes = [axis for axis in range(x.dim()) if axis != units]
        now = torch.stack([x.amin(axes), x.amax(axes), x.float().mean(axes)]).float()
        if use.extremes is None or use.extremes.shape != now.shape:
            use.extremes = now
            z = self._inputs[module][0]
            use.saturated = known.saturated(slopes_at(module, z)) if known.flat and z is not None else None
        else:
            before = use.extremes
            use.extremes = torch.stack(
                [torch.minimum(before[0], now[0]), torch.maximum(before[1], now[1]), (before[2] + now[2]) / 2]
            )

    def _after(self, module: nn.Module, args: Any, output: Any) -> None:
        if not self._seeing or module not in self._inputs or not isinstance(output, Tensor):
            return
        use = self._use(module)
        use.takes = use.takes or self._inputs.pop(module)[1]
        if use.sample is None:
            use.sample = sample_of(output, self.samples)
        self._times[module] = self._times.get(module, 0) + 1
        if not self.passes:
            name = use.name if not use.nth else f"{use.name} (use {use.nth + 1})"
            self._produced[id(output)] = (name, output)
            if use.kind == "activation" and output.grad_fn is not None:
                self._nodes.append(output.grad_fn)

    def _from_function(self, x: Tensor) -> bool:
        """Whether x comes from an activation called as a function, as autograd's graph tells."""
        node: Any = x.grad_fn
        for _ in range(_BEFORE):
            if node is None or any(node is of_module for of_module in self._nodes):
                return False
            if node.name().removesuffix("Backward0").removesuffix("Backward1") in _FUNCTIONS:
                return True
            node = node.next_functions[0][0] if node.next_functions else None
        return False


def sample_of(x: Tensor, most: int) -> Tensor:
    """Return a copy of at most so many values of x, evenly spaced; the spacing is odd, so that no axis is favoured."""
    flat = x.detach().flatten()
    return flat[:: max(-(-flat.numel() // most), 1) | 1].clone()


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in the arguments or the output of a model."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _tensors(each)
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _tensors(each)
