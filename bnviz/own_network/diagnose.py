"""What is wrong with a network: a handful of batches goes through it in train and eval mode, and rules are checked."""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bnviz.findings.diagnosis import Diagnosis
from bnviz.findings.own_network import findings
from bnviz.own_network.as_it_came import as_it_came, buffers_as_they_came
from bnviz.own_network.checks import checked_loss, checked_model, checked_name
from bnviz.own_network.layers import normalizes_over_batch
from bnviz.own_network.looking import Buffers, Collected, network_of, statistics_now
from bnviz.own_network.sight import Sight, sample_of
from bnviz.records.own_network import Look, Network

BATCHES = 8  # a handful
SAMPLES = 16_384  # values of a layer's outputs
Loss = Callable[[Any, Any], Tensor]
Batch = tuple[Any, Any]


def diagnose(
    model: nn.Module,
    batches: Iterable[Any],
    loss: Loss | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    *,
    name: str = "",
) -> Diagnosis:
    """Put up to 8 batches through a model in train and eval mode, and say what is wrong with it.

    batches: pairs (x, y), or inputs alone. loss: of (output, y), a scalar; without it, the cross-entropy where y holds
    whole numbers, and the mean squared error where y has the shape of the output. optimizer: tells of weight decay and
    how far a step goes. The model, the optimizer and all random generators are left as they came, also after an
    exception. Raises ValueError, with the argument's name, for a model without parameters, for batches that are empty
    or do not fit the model, and for a loss that is no scalar.
    """
    checked_model(model)
    name = checked_name(name)
    with as_it_came(model, optimizer):
        taken = list(_taken(batches, model))
        return _Examination(model, taken, loss, optimizer, name, _last_batch(batches, taken)).diagnosis()


def _taken(batches: Iterable[Any], model: nn.Module) -> Iterator[Batch]:
    device = next(model.parameters()).device
    if not isinstance(batches, Iterable):
        raise ValueError(f"batches: give an iterable of batches, got {type(batches).__name__}")
    count = 0
    for count, batch in enumerate(itertools.islice(batches, BATCHES), 1):
        x, y = batch if isinstance(batch, tuple | list) and len(batch) == 2 else (batch, None)
        if isinstance(x, Tensor):
            if not x.numel():
                raise ValueError(f"batches: batch {count} is empty, of shape {tuple(x.shape)}")
            x = x.to(device)
        yield x, y.to(device) if isinstance(y, Tensor) else y
    if not count:
        raise ValueError("batches: there are none; give at least one")


def _last_batch(batches: Iterable[Any], taken: Sequence[Batch]) -> int | None:
    """Examples in the last batch of an epoch, None if that is not known."""
    size: int | None = getattr(batches, "batch_size", None)
    dataset = getattr(batches, "dataset", None)
    if size and isinstance(dataset, Sized):
        return size if getattr(batches, "drop_last", False) else len(dataset) % size or size
    if isinstance(batches, Sequence) and isinstance(last := batches[-1], tuple | list) and isinstance(last[0], Tensor):
        return len(last[0])
    return len(taken[-1][0]) if len(taken) < BATCHES and isinstance(taken[-1][0], Tensor) else None


class _Examination:
    """One diagnosis under way, in three rounds through the batches."""

    def __init__(
        self,
        model: nn.Module,
        batches: list[Batch],
        loss: Loss | None,
        optimizer: torch.optim.Optimizer | None,
        name: str,
        last_batch: int | None,
    ) -> None:
        self.model, self.batches, self.optimizer = model, batches, optimizer
        self.loss, self.name, self.last_batch = loss, name or type(model).__name__, last_batch
        self.classes: int | None = None
        self.modes = (
            {m: m.training for m in model.modules()} if model.training else dict.fromkeys(model.modules(), True)
        )
        self.gradients: dict[nn.Module, str] = {}
        self.updates: dict[nn.Module, str] = {}

    def diagnosis(self) -> Diagnosis:
        """Look in train mode, then with and without the batch's statistics in eval mode, and apply the rules."""
        before = statistics_now(self.model)
        collected, network, first = self._in_training(before)
        with_batch, as_running = self._in_evaluation(True), self._in_evaluation(False)
        look = collected.look(
            0,
            self.gradients,
            self.updates,
            loss=first,
            first_loss=first,
            batch_loss=with_batch[0],
            eval_loss=as_running[0],
        )
        look = _with_alike(look, [m for m, _ in self.sight.uses], with_batch[1], as_running[1])
        return Diagnosis(network, look, findings(network, look))

    def _in_training(self, before: Buffers) -> tuple[Collected, Network, float]:
        """See every batch in train mode; the first one with its gradients and a step of the optimizer."""
        self.sight = Sight(self.model, SAMPLES, passes_kept=1000)
        self.sight.attach()
        try:
            with buffers_as_they_came(self.model):
                for module, training in self.modes.items():
                    module.training = training
                first = self._first_batch()
                with torch.no_grad():
                    for number, (x, _) in enumerate(self.batches[1:], 2):
                        if not isinstance(x, Tensor) or len(x) > 1 or len(self.batches[0][0]) == 1:
                            self._forward(x, number)
        finally:
            self.sight.detach()
        network = network_of(self.sight, self.name, self.optimizer, last_batch=self.last_batch, classes=self.classes)
        if first is None:
            network = replace(network, unseen=(*network.unseen, "Without a loss, gradients and losses are not seen."))
        collected = Collected(self.sight, before)
        loss = math.nan if first is None else first[0]
        for name, value in ({} if first is None else first[1]).items():
            collected.put(name, value)
        return collected, network, loss

    def _forward(self, x: Any, number: int) -> Any:
        """The model's output; one value a channel, which train mode refuses, is a finding and no error."""
        try:
            return self.model(x)
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            if any(values == 1 for use in self.sight.uses.values() for _, _, values in use.batches):
                return None
            shape = f", of shape {tuple(x.shape)}," if isinstance(x, Tensor) else ""
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ValueError(f"batches: batch {number}{shape} does not fit the model: {reason}") from error

    def _first_batch(self) -> tuple[float, dict[str, Tensor]] | None:
        x, y = self.batches[0]
        with torch.enable_grad():
            output = self._forward(x, 1)
            loss = None if output is None else self._loss(output, y)
            if loss is None:
                return None
            if loss.requires_grad:
                loss.backward()
        put: dict[str, Tensor] = {}
        weights = {m: m.weight for m in self.sight.layers if isinstance(getattr(m, "weight", None), nn.Parameter)}
        for place, (module, weight) in enumerate(weights.items()):
            if isinstance(weight, Tensor) and weight.grad is not None:
                self.gradients[module] = f"gradient {place}"
                put[f"gradient {place}"] = weight.grad.norm()
        if self.optimizer is not None and loss.requires_grad:
            put |= self._step(weights)
        return float(loss.detach()), put

    def _step(self, weights: dict[nn.Module, Any]) -> dict[str, Tensor]:
        assert self.optimizer is not None
        before = {module: weight.detach().clone() for module, weight in weights.items()}
        type(self.optimizer).step(self.optimizer)  # past the counting that a learning rate's schedule wraps it in
        put = {}
        with torch.no_grad():
            for place, (module, weight) in enumerate(weights.items()):
                self.updates[module] = f"update {place}"
                put[f"update {place}"] = (weight - before[module]).std(correction=0) / before[module].std(correction=0)
                weight.copy_(before[module])
        return put

    def _loss(self, output: Any, y: Any) -> Tensor | None:
        if self.loss is not None:
            value = checked_loss(self.loss(output, y))
            plain = self.loss in (functional.cross_entropy,) or isinstance(self.loss, nn.CrossEntropyLoss)
            self.classes = _classes(output, y) if plain else None
            return value
        logits = _first_tensor(output)
        if isinstance(y, Tensor) and logits is not None:
            if (classes := _classes(logits, y)) is not None:
                self.classes = classes
                return functional.cross_entropy(logits, y.long())
            if y.shape == logits.shape:
                return functional.mse_loss(logits, y.to(logits.dtype))
        return None

    def _in_evaluation(self, of_batch: bool) -> tuple[float, dict[nn.Module, Tensor]]:
        """The mean loss, and samples of the normalized outputs of the first batch."""
        layers = [m for m in self.sight.layers if normalizes_over_batch(m) and self.modes[m]]
        samples: dict[nn.Module, Tensor] = {}

        def keep(module: nn.Module, args: Any, output: Tensor) -> None:
            samples.setdefault(module, sample_of(output, SAMPLES).float())

        handles = [m.register_forward_hook(keep) for m in layers]
        losses = []
        self.model.eval()
        try:
            with buffers_as_they_came(self.model), torch.no_grad():
                for layer in layers if of_batch else ():
                    layer.training = True
                for number, (x, y) in enumerate(self.batches, 1):
                    if of_batch and isinstance(x, Tensor) and len(x) == 1:
                        continue
                    output = self._forward(x, number)
                    loss = None if output is None else self._loss(output, y)
                    losses.append(math.nan if loss is None else float(loss))
        finally:
            for handle in handles:
                handle.remove()
        return float(np.mean(losses)) if losses else math.nan, samples


def _first_tensor(output: Any) -> Tensor | None:
    """The logits among what models return: a tensor, a tuple that begins with it, or something with `logits`."""
    if isinstance(output, Tensor):
        return output
    logits = getattr(output, "logits", None)
    if isinstance(logits, Tensor):
        return logits
    return output[0] if isinstance(output, tuple | list) and output and isinstance(output[0], Tensor) else None


def _classes(output: Any, y: Any) -> int | None:
    logits = _first_tensor(output)
    whole = isinstance(y, Tensor) and not y.is_floating_point() and logits is not None and logits.dim() == y.dim() + 1
    return logits.shape[1] if whole and logits is not None else None


def _with_alike(look: Look, modules: list[nn.Module], a: dict[nn.Module, Tensor], b: dict[nn.Module, Tensor]) -> Look:
    layers = list(look.layers)
    for place, (module, layer) in enumerate(zip(modules, layers, strict=True)):
        if layer.normalization and module in a and module in b and a[module].shape == b[module].shape:
            alike = float(functional.cosine_similarity(a[module], b[module], dim=0, eps=1e-12))
            layers[place] = replace(layer, normalization=replace(layer.normalization, alike=alike))
    return replace(look, layers=tuple(layers))
