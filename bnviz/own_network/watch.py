"""A network of the user's own, watched while it trains: looks at it, spaced so that they cost next to nothing."""

import logging
import math
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bnviz.own_network.checks import checked_budget, checked_loss, checked_model, checked_name
from bnviz.own_network.layers import Slopes
from bnviz.own_network.look_under_way import LookUnderWay
from bnviz.own_network.looking import Collected, network_of, statistics_now
from bnviz.own_network.sight import Use
from bnviz.own_network.writer import Writer
from bnviz.records.own_network import Floats, Look, Network
from bnviz.store.database import DATABASE
from bnviz.store.errors import StoreError
from bnviz.store.watched import Ending, WatchedStore

logger = logging.getLogger(__name__)

BUDGET = 0.02  # share of the time that looks may take
OWN_SIGHT = 0.85  # of what watching costs is seen by its own clock; what it pushes out of caches is not
SOONEST = 0.2  # seconds between two looks
CHANNELS = 16  # of a normalization layer, evenly spaced
LOSSES = 2048  # that wait on an accelerator before they become one tensor
TELL_EVERY = 0.5  # seconds between two times that losses are told between looks
GLANCE_EVERY = 0.01  # seconds between two glances at the clock
MOST_UNSEEN = 16  # steps between them


@contextmanager
def watch(
    model: nn.Module,
    *,
    optimizer: torch.optim.Optimizer | None = None,
    name: str = "",
    budget: float = BUDGET,
    classes: int | None = None,
) -> Iterator["Observer"]:
    """Watch a model while it trains: call `step(loss)` of what this gives after each step of the optimizer.

    Looks go to the database of runs (BNVIZ_DATABASE), and the app's page Your networks shows them while it trains.
    optimizer: tells of weight decay, and when gradients are complete. budget: share of the time that looks may take,
    above 0 to 1; they are spaced by what they cost. classes: of a classifier whose loss is the cross-entropy, for the
    rule on the first loss. Training is not changed by a bit: nothing is drawn at random, nothing written to the model.
    Hooks are on it only during the step of a look. Of a compiled model or part (`torch.compile`), which gets none,
    because it runs past them or is compiled anew, weights, gradients and running statistics are seen; no activations.

    Raises ValueError with the argument's name, and StoreError if the database cannot be written; then nothing is
    left behind.
    """
    checked_model(model)
    shown, share = checked_name(name) or type(model).__name__, checked_budget(budget)
    run_id = secrets.token_urlsafe(9)
    store = _begun(run_id, shown)
    try:
        observer = Observer(model, optimizer, Writer(store, run_id), shown, share, classes)
        try:
            yield observer
        except BaseException as error:
            observer.close("failed", f"{type(error).__name__}: {error}"[:500])
            raise
        observer.close("finished", "")
    finally:
        store.close()


def _begun(run_id: str, name: str) -> WatchedStore:
    """The store, which knows of the run from now on."""
    try:
        store = WatchedStore.open()
        try:
            store.begin(run_id, name)
        except StoreError:
            store.close()
            raise
    except StoreError as error:
        raise StoreError(f"{DATABASE}: {error}") from error
    return store


class Observer:
    """What `watch` gives: told of each step, it decides when to look."""

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer | None,
        writer: Writer,
        name: str,
        budget: float,
        classes: int | None,
    ) -> None:
        self.steps, self.looks = 0, 0
        self._model, self._optimizer, self._writer = model, optimizer, writer
        self._name, self._budget, self._classes = name, budget, classes
        self._spent, self._cost, self._looked = 0.0, 0.0, time.perf_counter()
        self._began = self._told = self._looked
        self._losses: list[Any] = []
        self._first_loss = math.nan
        self._slopes: dict[nn.Module, Slopes | None] = {}
        self._network: Network | None = None
        self._rows: list[tuple[nn.Module, int]] = []
        self._failed = False
        self._look: LookUnderWay | None = None
        self._due, self._glanced, self._glanced_at, self._taking = 1, 0, self._began, 0.0
        self._guarded(self._begin_look)

    def step(self, loss: Tensor | float | None = None) -> None:
        """Tell of a step of the optimizer, and of its loss. Raises ValueError for a loss that is no scalar."""
        is_due = self.steps + 1 >= self._due
        began = time.perf_counter() if is_due else 0.0
        if loss is None:
            loss = math.nan
        elif not isinstance(loss, float):
            checked_loss(loss)
            loss = loss.item() if loss.is_cpu else loss.detach()  # there it waits for no accelerator
        self._losses.append(loss)
        self.steps += 1
        if not is_due:
            return
        self._count(began, time.perf_counter() - began)
        if self._look is not None:
            self._guarded(self._end_look)
        elif began - self._looked > SOONEST and self._is_affordable(began):
            self._guarded(self._begin_look)
        elif began - self._told > TELL_EVERY or len(self._losses) > LOSSES:
            self._told = began
            self._guarded(self._tell_losses)
        if self._look is not None:
            self._due = self.steps + 1
        self._spent += time.perf_counter() - began

    def _count(self, now: float, taking: float) -> None:
        """Count what steps have cost since the last glance at the clock, and say when the next one is due.

        taking: seconds that this step's loss took. The lesser of two in a row counts for the others, because a clock
        also sees what else the machine does.
        """
        steps, seconds = self.steps - self._glanced, now - self._glanced_at
        self._spent += min(taking, self._taking) * (steps - 1)
        self._glanced, self._glanced_at, self._taking = self.steps, now, taking
        self._due = self.steps + max(1, min(MOST_UNSEEN, 2 * steps, int(steps * GLANCE_EVERY / max(seconds, 1e-9))))

    def close(self, ending: Ending, problem: str) -> None:
        """Take the hooks off and write the run's end."""
        if self._look is not None:
            self._look.sight.detach()
            self._look = None
        self._guarded(lambda: self._writer.put(None, *self._fetched()))
        self._writer.close(ending, problem)

    def _is_affordable(self, now: float) -> bool:
        return self._spent + self._writer.spent + self._cost <= OWN_SIGHT * self._budget * (now - self._began)

    def _guarded(self, act: Callable[[], None]) -> None:
        """Look without ever stopping training: the first fault is logged, and there are no looks after it."""
        if self._failed:
            return
        try:
            act()
        except Exception as error:  # a look is never worth a training run
            self._fault(error)

    def _fault(self, error: Exception) -> None:
        if not self._failed:
            logger.warning("watching %s has failed, and goes on without looks", self._name, exc_info=error)
        self._failed = True
        if self._look is not None:
            self._look.sight.detach()
            self._look = None

    def _begin_look(self) -> None:
        self._look = LookUnderWay(self._model, self._optimizer, self._slopes, self._fault)
        self._look.began_at = self._spent + self._writer.spent

    def _tell_losses(self) -> None:
        """Hand losses over between looks if that needs no waiting for an accelerator."""
        if _device(self._losses).type == "cpu":
            self._writer.put(None, *self._fetched())
        elif len(self._losses) > LOSSES:
            self._losses = [_together(self._losses)]

    def _fetched(self) -> tuple[int, Floats]:
        """The first step whose loss waits, and the losses that do."""
        losses: Floats = _together(self._losses).cpu().numpy().astype(np.float64)
        self._losses, first_step = [], self.steps - len(losses) + 1
        if first_step == 1:
            self._first_loss = float(losses[0])
        return first_step, losses

    def _end_look(self) -> None:
        look, self._look = self._look, None
        assert look is not None
        look.sight.detach()
        self._spent += look.spent
        if not look.sight.uses:  # no forward pass of the model in train mode since the last step
            self._looked = time.perf_counter()
            return
        if self._network is None:
            self._network = network_of(look.sight, self._name, self._optimizer, last_batch=None, classes=self._classes)
            self._rows = list(look.sight.uses)
        look.sight.uses = {
            row: look.sight.uses.get(row) or Use(row[0], "", look.sight.layers[row[0]][1]) for row in self._rows
        }
        collected = Collected(look.sight, statistics_now(self._model), CHANNELS)
        gradients, updates = look.put_weights(collected)
        first_step, losses = self._fetched()
        collected.fetch()
        seen = partial(
            _records, self._network, collected, self.steps, gradients, updates, float(losses[-1]), self._first_loss
        )
        self._writer.put(seen, first_step, losses)
        self.looks += 1
        self._looked = time.perf_counter()
        cost = self._spent + self._writer.spent - look.began_at
        self._cost = max(cost, self._cost / 2)


def _records(
    network: Network,
    collected: Collected,
    step: int,
    gradients: dict[nn.Module, str],
    updates: dict[nn.Module, str],
    loss: float,
    first_loss: float,
) -> tuple[Network, Look]:
    look = collected.look(step, gradients, updates, loss=loss, first_loss=first_loss)
    return network, look


def _together(losses: list[Any]) -> Tensor:
    """Losses as one tensor on the device they are on."""
    if all(isinstance(loss, float) for loss in losses):
        return torch.tensor(losses, dtype=torch.float32)
    return torch.cat([torch.as_tensor(loss, dtype=torch.float32).flatten().to(_device(losses)) for loss in losses])


def _device(losses: list[Any]) -> torch.device:
    return next((loss.device for loss in losses if isinstance(loss, Tensor)), torch.device("cpu"))
