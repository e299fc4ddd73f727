"""What `bnviz.watch` sees of a network that trains, what it leaves alone, and what stays of it in the store."""

import logging
import math
import os
import subprocess
import sys
import textwrap
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import bnviz
from bnviz.export.own_network import look_from_bytes, look_to_bytes, network_from_bytes, network_to_bytes
from bnviz.findings.own_network import findings
from bnviz.own_network import watch as watching
from bnviz.own_network import writer as writing
from bnviz.own_network.sight import Sight
from bnviz.records.own_network import Look, Network
from bnviz.records.watched_run import WatchedRun
from bnviz.store.errors import StoreError
from bnviz.store.watched import WatchedStore

ROOT = Path(__file__).parents[2]


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every second step is looked at, and written before the next: a look begins at the end of one step."""
    monkeypatch.setattr(writing.Writer, "put", _at_once(writing.Writer.put))
    monkeypatch.setattr(watching, "SOONEST", -1.0)
    monkeypatch.setattr(watching, "MOST_UNSEEN", 1)
    monkeypatch.setattr(watching.Observer, "_is_affordable", lambda self, now: True)


def network(*, affine: bool = True) -> nn.Sequential:
    torch.manual_seed(0)
    norm = nn.BatchNorm1d(8, affine=affine)
    return nn.Sequential(nn.Linear(8, 8, False), norm, nn.ReLU(inplace=True), nn.Dropout(0.2), nn.Linear(8, 4))


def batch(step: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(step)
    return torch.randn(32, 8, generator=generator), torch.randint(4, (32,), generator=generator)


def train(model: nn.Module, steps: int = 8, *, watched: bool = True, parts: int = 1, **options: Any) -> list[float]:
    """Train as a user does; the losses."""
    optimizer, criterion, losses = torch.optim.SGD(model.parameters(), 0.1), nn.CrossEntropyLoss(), []

    def steps_of(step: Callable[[Tensor], None]) -> None:
        for number in range(steps):
            optimizer.zero_grad()
            for part in range(parts):
                x, y = batch(number * parts + part)
                loss = criterion(model(x), y) / parts
                loss.backward()
            optimizer.step()
            step(loss)
            losses.append(float(loss.detach()))

    torch.manual_seed(1)
    if watched:
        with bnviz.watch(model, optimizer=optimizer, **{"name": "mine"} | options) as observer:
            steps_of(observer.step)
    else:
        steps_of(lambda loss: None)
    return losses


def newest(store: WatchedStore) -> tuple[WatchedRun, Network, Look]:
    run = store.get(store.listed()[0].id)
    assert run is not None
    assert run.network is not None
    look = store.a_look(run.id, run.looks[-1])
    assert look is not None
    return run, run.network, look


def hooks(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


@pytest.mark.usefixtures("store", "often")
def test_training_is_the_same_to_the_bit() -> None:
    model, twin = network(), network()
    assert train(model) == train(twin, watched=False)
    watched, alone = model.state_dict(), twin.state_dict()
    assert all(torch.equal(watched[name], alone[name]) for name in alone)
    assert torch.equal(torch.get_rng_state(), (train(network(), watched=False), torch.get_rng_state())[1])


@pytest.mark.usefixtures("often")
def test_a_run_is_kept_with_its_losses_and_its_looks(store: WatchedStore) -> None:
    losses = train(network(), steps=9)
    run, seen, look = newest(store)
    assert (run.name, run.state, run.step, run.looks) == ("mine", "finished", 9, (1, 3, 5, 7, 9))
    assert run.steps.tolist() == list(range(1, 10))
    assert run.losses == pytest.approx(losses, rel=1e-6)
    assert [(layer.name, layer.kind, layer.takes) for layer in seen.layers] == [
        ("0", "linear", ""),
        ("1", "normalization", "0"),
        ("2", "activation", "1"),
        ("3", "dropout", "2"),
        ("4", "linear", "3"),
    ]
    assert look.step == 9
    assert look.first_loss == pytest.approx(losses[0], rel=0.01)


@pytest.mark.usefixtures("often")
def test_a_look_tells_of_statistics_gradients_and_updates(store: WatchedStore) -> None:
    model = network()
    train(model, steps=1)
    _, _, look = newest(store)
    x, _ = batch(0)
    z = network()[0](x).detach()
    linear, norm, relu, *_ = look.layers
    assert norm.normalization is not None
    told = norm.normalization
    assert (told.training, told.counter, told.uses, told.values.tolist()) == (True, 1, 1, [32])
    assert told.batch_mean[0] == pytest.approx(z.mean(0).numpy(), abs=2e-3)
    assert told.batch_var[0] == pytest.approx(z.var(0).numpy(), rel=4e-3)
    assert told.running_var == pytest.approx((0.9 + 0.1 * z.var(0)).numpy(), rel=4e-3)
    assert linear.std == pytest.approx(float(z.std()), rel=0.02)
    gradient, before = model.get_parameter("0.weight").grad, network().get_parameter("0.weight").detach()
    assert linear.gradient == pytest.approx(float(gradient.norm()), rel=4e-3)
    assert linear.update == pytest.approx(float(0.1 * gradient.std(correction=0) / before.std(correction=0)), rel=4e-3)
    assert relu.low == 0
    assert relu.dead == 0
    assert np.isnan(relu.saturated)


@pytest.mark.usefixtures("store", "often")
def test_hooks_are_gone_afterwards_and_after_an_exception() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with bnviz.watch(model, optimizer=optimizer):
        assert hooks(model) > 0
    assert hooks(model) == 0
    with pytest.raises(RuntimeError, match="mine"), bnviz.watch(model, optimizer=optimizer):
        raise RuntimeError("mine")
    assert hooks(model) == 0
    assert not optimizer._optimizer_step_pre_hooks


def test_a_run_that_failed_says_of_what(store: WatchedStore) -> None:
    with pytest.raises(RuntimeError, match="mine"), bnviz.watch(network()):
        raise RuntimeError("mine")
    (run,) = store.listed()
    assert (run.name, run.state, run.problem) == ("Sequential", "failed", "RuntimeError: mine")


@pytest.mark.usefixtures("store")
def test_between_looks_there_are_no_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "SOONEST", 1e6)
    model = network()
    with bnviz.watch(model) as observer:
        model(batch(0)[0]).sum().backward()
        observer.step(1.0)
        assert observer.looks == 1
        assert hooks(model) == 0


@pytest.mark.usefixtures("store", "often")
def test_a_fault_in_a_look_is_logged_once_and_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fault(*_: Any) -> None:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr(Sight, "_see_normalization", fault)
    with caplog.at_level(logging.WARNING, "bnviz"):
        losses = train(network(), steps=20)
    assert len(losses) == 20
    assert [r.message for r in caplog.records] == ["watching mine has failed, and goes on without looks"]


@pytest.mark.usefixtures("often")
def test_a_fault_in_making_a_record_is_logged_once_and_the_run_goes_on(
    store: WatchedStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fault(look: Look) -> bytes:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr(writing, "look_to_bytes", fault)
    with caplog.at_level(logging.WARNING, "bnviz"):
        train(network(), steps=9)
    assert [r.message for r in caplog.records] == ["a look at the watched network failed"]
    assert [(run.state, run.step) for run in store.listed()] == [("finished", 9)]


@pytest.mark.usefixtures("often")
def test_gradient_accumulation_is_several_batches_of_one_step(store: WatchedStore) -> None:
    train(network(), steps=3, parts=4)
    _, _, look = newest(store)
    told = look.layers[1].normalization
    assert told is not None
    assert (told.counter, told.uses, told.values.tolist()) == (12, 1, [32] * 4)


@pytest.mark.usefixtures("often")
def test_real_and_fake_of_a_gan_are_two_distributions(store: WatchedStore) -> None:
    model = network()
    with bnviz.watch(model, name="discriminator") as observer:
        for step in range(60):
            x, _ = batch(step)
            loss = model(x).mean() - model(x + 10).mean()
            observer.step(loss)
    _, seen, look = newest(store)
    assert "two_distributions" in {f.rule for f in findings(seen, look)}


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear, self.relu, self.norm = nn.Linear(8, 8), nn.ReLU(), nn.BatchNorm1d(8)

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(2):
            x = self.relu(self.norm(self.linear(x)))
        return x


@pytest.mark.usefixtures("often")
def test_shared_modules_are_seen_at_each_use(store: WatchedStore) -> None:
    model = Shared()
    with bnviz.watch(model) as observer:
        for step in range(50):
            observer.step(model(batch(step)[0]).mean())
    _, seen, look = newest(store)
    assert [layer.name for layer in seen.layers] == ["linear", "norm", "relu", "relu (use 2)"]
    assert "used_twice" in {f.rule for f in findings(seen, look)}


@pytest.mark.usefixtures("often")
def test_passes_in_eval_mode_are_kept_apart(store: WatchedStore) -> None:
    model = network()
    with bnviz.watch(model) as observer:
        for step in range(3):
            model.eval()
            model(1000 * batch(step)[0])
            model.train()
            observer.step(model(batch(step)[0]).mean())
    _, _, look = newest(store)
    told = look.layers[1].normalization
    assert told is not None
    assert told.values.tolist() == [32]
    assert told.population_var.max() < 100


@pytest.mark.usefixtures("often")
def test_mixed_precision_is_seen_as_it_is(store: WatchedStore) -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with bnviz.watch(model, optimizer=optimizer) as observer:
        for step in range(4):
            with torch.autocast("cpu", torch.bfloat16):
                loss = nn.functional.cross_entropy(model(batch(step)[0]), batch(step)[1])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            observer.step(loss)
    _, _, look = newest(store)
    assert all(math.isfinite(layer.std) for layer in look.layers)
    assert all(layer.gradient > 0 for layer in look.layers if not np.isnan(layer.gradient))


@pytest.mark.slow
@pytest.mark.usefixtures("often")
def test_of_a_compiled_model_weights_and_running_statistics_are_seen(store: WatchedStore) -> None:
    model = network()
    compiled = torch.compile(model, backend="eager")
    assert isinstance(compiled, nn.Module)
    losses = train(compiled, steps=5)
    run, seen, look = newest(store)
    assert losses == train(network(), steps=5, watched=False)
    assert run.looks == (1, 3, 5)
    assert [layer.name for layer in seen.layers] == ["0", "1", "2", "3", "4"]
    assert seen.unseen == ("The model is compiled: activations and the statistics of batches are not seen.",)
    told = look.layers[1].normalization
    assert told is not None
    assert told.counter == 5
    assert look.layers[0].gradient > 0
    assert np.isnan(look.layers[0].std)


@pytest.mark.usefixtures("often")
def test_a_compiled_part_is_compiled_once_and_its_weights_and_running_statistics_are_seen(store: WatchedStore) -> None:
    def parts() -> nn.Module:
        linear, norm, relu, _, last = network()
        part, leaf = (torch.compile(each, backend="eager") for each in (nn.Sequential(linear, norm), last))
        assert isinstance(part, nn.Module)
        assert isinstance(leaf, nn.Module)
        return nn.Sequential(OrderedDict(part=part, relu=relu, last=leaf))

    torch._dynamo.reset()
    alone = train(parts(), steps=9, watched=False)
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    model = parts()
    assert train(model, steps=9) == alone
    assert torch._dynamo.utils.counters["frames"]["ok"] == 2  # one a compiled part
    assert hooks(model) == 0
    _, seen, look = newest(store)
    assert [layer.name for layer in seen.layers] == ["part.0", "part.1", "relu", "last"]
    unseen = "activations and the statistics of batches are not seen of part.0, part.1, last."
    assert seen.unseen == (f"Parts of the model are compiled: {unseen}",)
    told = look.layers[1].normalization
    assert told is not None
    assert (told.counter, len(told.values)) == (9, 0)
    assert look.layers[0].gradient > 0
    assert [bool(np.isnan(layer.std)) for layer in look.layers] == [True, True, False, True]


@pytest.mark.usefixtures("often")
def test_two_models_in_one_process_are_two_runs(store: WatchedStore) -> None:
    one, other = network(), Shared()
    with bnviz.watch(one, name="one") as a, bnviz.watch(other, name="other") as b:
        for step in range(4):
            a.step(one(batch(step)[0]).mean())
            b.step(other(batch(step)[0]).mean())
    runs = {run.name: store.get(run.id) for run in store.listed()}
    assert {name: (run.state, len(run.network.layers)) for name, run in runs.items() if run and run.network} == {
        "one": ("finished", 5),
        "other": ("finished", 4),
    }


def test_a_look_survives_its_bytes(store: WatchedStore) -> None:
    diagnosis = bnviz.diagnose(network(), [batch(0), batch(1)])
    look = look_from_bytes(look_to_bytes(diagnosis.look))
    assert network_from_bytes(network_to_bytes(diagnosis.network)) == diagnosis.network
    assert {f.rule for f in findings(diagnosis.network, look)} == {f.rule for f in diagnosis.findings}
    for before, after in zip(diagnosis.look.layers, look.layers, strict=True):
        assert after.std == pytest.approx(before.std, rel=4e-3, nan_ok=True)
        assert after.quantiles == pytest.approx(before.quantiles, rel=4e-3)
        assert after.counts.argmax() == before.counts.argmax()


def test_looks_of_a_long_run_are_thinned_and_the_newest_stays(
    store: WatchedStore, often: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MOST_LOOKS", 10)
    train(network(), steps=99)
    run, _, look = newest(store)
    assert len(run.looks) <= 11
    assert run.looks[0] == 1
    assert np.diff(run.looks)[1:-1].min() >= 8
    assert look.step == 99


def _at_once(put: Callable[..., None]) -> Callable[..., None]:
    """`put` that waits until what it hands over is written."""

    def waiting(self: Any, *arguments: Any) -> None:
        put(self, *arguments)
        while (self._waiting or self._losses) and self._thread.is_alive():
            time.sleep(0.001)

    return waiting


def test_every_loss_is_kept_of_steps_that_are_too_quick_for_a_glance_at_the_clock(
    store: WatchedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    glances = []
    count = watching.Observer._count

    def counted(self: watching.Observer, *arguments: float) -> None:
        glances.append(self.steps)
        count(self, *arguments)

    monkeypatch.setattr(watching.Observer, "_count", counted)
    monkeypatch.setattr(watching, "SOONEST", 1e6)
    monkeypatch.setattr(watching, "GLANCE_EVERY", 1e6)  # as if no machine were ever slow
    model = network()
    with bnviz.watch(model) as observer:
        for step in range(200):
            if not step:
                model(batch(0)[0])
            observer.step(float(step))
    run, _, _ = newest(store)
    assert (run.steps.tolist(), run.losses.tolist()) == (list(range(1, 201)), list(range(200)))
    assert max(np.diff(glances)) <= watching.MOST_UNSEEN
    assert len(glances) < 100


@pytest.mark.slow
def test_a_run_of_a_killed_process_is_whole_and_says_that_it_ended_without_a_word(
    store: WatchedStore, tmp_path: Path
) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        textwrap.dedent("""
            import torch, bnviz
            model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 2))
            with bnviz.watch(model, name="killed", budget=1) as observer:
                while True:
                    observer.step(model(torch.randn(16, 8)).square().mean())
        """)
    )
    process = subprocess.Popen([sys.executable, script], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        run = _waited(store, lambda run: len(run.looks) >= 3)
        assert run.state == "training"
    finally:
        process.kill()
        process.wait()
    run = _waited(store, lambda run: run.state == "silent")
    assert len(run.looks) >= 3
    assert all(store.a_look(run.id, step) is not None for step in run.looks)
    assert run.steps.tolist() == sorted(run.steps.tolist())


def _waited(store: WatchedStore, holds: Callable[[WatchedRun], bool]) -> WatchedRun:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for listed in store.listed():
            run = store.get(listed.id)
            if run is not None and holds(run):
                return run
        time.sleep(0.05)
    raise AssertionError("what was waited for did not come")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "<b>mine</b>"}, "name: '<b>mine</b>' is not allowed; give up to 120 letters, without < and >"),
        ({"name": "x" * 121}, "name: "),
        ({"budget": 0}, "budget: 0 is not allowed; give a share of the time, above 0 to 1"),
        ({"model": nn.Tanh()}, "model: it has no parameters"),
    ],
)
def test_what_cannot_be_watched_is_refused_with_the_name_of_the_argument(
    store: WatchedStore, options: dict[str, Any], message: str
) -> None:
    model = options.pop("model", network())
    with pytest.raises(ValueError, match=message), bnviz.watch(model, **options):
        pass
    assert hooks(model) == 0
    assert store.listed() == []


def test_a_loss_that_is_no_scalar_is_refused(store: WatchedStore) -> None:
    model = network()
    with pytest.raises(ValueError, match=r"loss: it must be a scalar, got shape \(32, 4\)"):
        train_on_outputs(model)
    assert hooks(model) == 0


def train_on_outputs(model: nn.Module) -> None:
    with bnviz.watch(model) as observer:
        observer.step(model(batch(0)[0]))


def test_a_store_that_cannot_be_written_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BNVIZ_DATABASE", "sqlite:////proc/no/runs.sqlite")
    model = network()
    with (
        pytest.raises(StoreError, match=r"BNVIZ_DATABASE: The database of runs cannot be opened\."),
        bnviz.watch(model),
    ):
        pass
    assert hooks(model) == 0
