"""The page of watched networks, with a database of its own, and the example that its readers begin with."""

import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from streamlit.testing.v1 import AppTest
from torch import nn

import bnviz
from bnviz.own_network import watch
from bnviz.store.watched import WatchedStore
from bnviz.ui.page import plain
from bnviz.ui.web import kept as server_store
from tests.opening import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WatchedStore]:
    monkeypatch.setenv("BNVIZ_DATABASE", f"sqlite:///{tmp_path / 'runs.sqlite'}")
    server_store.close()
    yield server_store.watched_store()
    server_store.close()


def page(**parameters: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "pages" / "your_networks.py"), default_timeout=90)
    for key, value in parameters.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception
    return app


def said(app: AppTest) -> str:
    told = [*app.markdown, *app.info, *app.warning, *app.error, *app.caption, *app.success]
    text = "\n".join([each.value for each in told] + [each.proto.body for each in app.get("html")])
    return text.replace("\\", "")  # which Markdown takes as a sign that text is meant


def network(momentum: float = 0.1) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 8, False), nn.BatchNorm1d(8, momentum=momentum), nn.Tanh(), nn.Linear(8, 2))


def watched(store: WatchedStore, model: nn.Module, name: str, steps: int = 50) -> str:
    with bnviz.watch(model, name=name, budget=1) as observer:
        for _ in range(steps):
            observer.step(model(torch.randn(32, 8)).square().mean())
    return next(run.id for run in store.listed() if run.name == name)


def test_without_watched_networks_the_page_says_how_to_get_some(store: WatchedStore) -> None:
    app = page()
    assert "No network has been watched yet." in said(app)
    assert "observer.step(loss)" in app.code[0].value


def test_the_list_has_every_watched_network_and_how_it_ended(store: WatchedStore) -> None:
    watched(store, network(), "first")
    with pytest.raises(RuntimeError), bnviz.watch(network(), name="second"):
        raise RuntimeError("out of memory")
    (table,) = page().dataframe
    assert table.value["Name"].tolist() == ["second", "first"]
    assert table.value["State"].tolist() == ["failed", "finished"]
    assert table.value["Why"].tolist() == ["RuntimeError: out of memory", ""]


def test_a_watched_network_is_shown_with_its_findings(store: WatchedStore) -> None:
    text = said(page(id=watched(store, network(momentum=0.99), "like Keras")))
    assert "<b>like Keras</b> <span>finished</span>" in text
    assert "step 50" in text
    assert "1 has momentum 0.99: its running statistics are as noisy as 98%" in text
    assert "(/training_and_inference?" in text


def test_a_finding_says_what_the_lab_shows_in_its_place_where_it_has_another(store: WatchedStore) -> None:
    with bnviz.watch(model := network(), name="one by one") as observer:
        observer.step(model(torch.randn(32, 8)).mean() - model(10 + torch.randn(32, 8)).mean())
    text = said(page(id=next(run.id for run in store.listed() if run.name == "one by one")))
    assert ") (running statistics that are those of one batch of two, as the lab has one kind of digits)" in text


def test_a_network_without_findings_says_so(store: WatchedStore) -> None:
    run_id = store.listed()[0].id if store.listed() else watched(store, nn.Linear(8, 2), "healthy")
    assert "No rule finds anything wrong at this step." in said(page(id=run_id))


def test_going_back_in_the_history_shows_the_look_of_then(store: WatchedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "SOONEST", -1.0)
    monkeypatch.setattr(watch.Observer, "_is_affordable", lambda self, now: True)
    run_id = watched(store, network(), "settles", steps=100)
    run = store.get(run_id)
    assert run is not None
    app = page(id=run_id)
    assert "average not converged" not in said(app)
    app.session_state["own_step"] = run.looks[0]
    assert "serious: average not converged" in said(app.run())


def test_a_network_that_is_at_no_address_is_told(store: WatchedStore) -> None:
    assert "There is no watched network at this address" in said(page(id="nothing"))


def test_a_store_that_cannot_be_reached_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BNVIZ_DATABASE", "sqlite:////proc/no/runs.sqlite")
    server_store.close()
    assert "Watched networks cannot be reached now: The database of runs cannot be opened." in said(page())
    server_store.close()


@pytest.mark.parametrize("text", ["<b>x</b>", "[a](b)", "$x$", "*a*", ":red[x]"])
def test_names_of_layers_are_shown_as_text(text: str) -> None:
    assert plain(text).replace("\\", "") == text
    assert plain(text).startswith("\\")


def test_the_example_runs_and_is_watched(store: WatchedStore) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "examples.watch_digits"],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("Sequential: 7 layers, nothing found.")
    (run,) = store.listed()
    assert (run.name, run.state, run.step) == ("two convolutions", "finished", 200)
    kept = store.get(run.id)
    assert kept is not None
    assert kept.losses[-20:].mean() < kept.losses[:20].mean() < math.log(10) + 0.5
