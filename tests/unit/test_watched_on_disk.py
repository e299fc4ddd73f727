"""What of a watched run is written: looks of a few kilobytes, and a loss curve that stays short."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import bnviz
from benchmarks.watch import NETWORKS
from bnviz.export.own_network import look_to_bytes, network_to_bytes
from bnviz.own_network.writer import LossCurve, Writer
from bnviz.records.watched_run import MOST_POINTS
from bnviz.store.watched import WatchedStore


def two_hundred_layers() -> nn.Module:
    return nn.Sequential(*[m for _ in range(67) for m in (nn.Linear(32, 32), nn.BatchNorm1d(32), nn.ReLU())])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "shape", "least"), [*((*n, 1000) for n in NETWORKS.values()), (two_hundred_layers, (32,), 500)]
)
def test_a_thousand_looks_take_ten_megabytes_at_most(
    store: WatchedStore, tmp_path: Path, make: Callable[[], nn.Module], shape: tuple[int, ...], least: int
) -> None:
    torch.manual_seed(0)
    model = make()
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    with bnviz.watch(model, optimizer=optimizer) as observer:
        loss = model(torch.randn(32, *shape)).square().mean()
        loss.backward()
        optimizer.step()
        observer.step(loss)
    run = store.get(store.listed()[0].id)
    assert run is not None
    seen, look = run.network, store.a_look(run.id, run.looks[-1])
    assert seen is not None
    assert look is not None
    writer = Writer(store, run.id)
    for step in range(2, 1001):
        writer._keep(seen, step, look_to_bytes(replace(look, step=step)))
    writer.close("finished", "")
    kept = store.get(run.id)
    store.close()
    assert kept is not None
    assert least <= len(kept.looks) <= 1001
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 10e6
    assert len(network_to_bytes(seen)) < 20_000  # once a run


def test_a_loss_curve_stays_short_and_keeps_its_mean() -> None:
    curve = LossCurve()
    for first in range(1, 10_000, 100):
        curve.extend(first, np.arange(first, first + 100, dtype=np.float64))
    assert MOST_POINTS / 2 < len(curve.steps) <= MOST_POINTS
    assert curve.width == 8
    assert curve.losses[0] == pytest.approx(4.5)
    assert curve.steps[-1] <= 10_000
    assert np.ptp(np.diff(curve.losses)) == 0


@pytest.mark.parametrize("pieces", [1, 7, 100, 3000])
def test_a_loss_curve_is_the_same_in_whatever_pieces_it_comes(pieces: int) -> None:
    losses = np.random.default_rng(0).normal(size=9001)
    curve, single = LossCurve(), LossCurve()
    for first in range(0, len(losses), pieces):
        curve.extend(first + 1, losses[first : first + pieces])
    for step, loss in enumerate(losses, 1):
        single.extend(step, np.array([loss]))
    assert (curve.width, curve.steps) == (single.width, single.steps)
    assert curve.losses == pytest.approx(single.losses)
    assert curve.losses[0] == pytest.approx(losses[: curve.width].mean())
