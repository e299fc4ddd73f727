"""The page of kept runs, with a database of its own."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest
from torch import nn

import bnviz
from bnviz.experiment.config import NetworkConfig
from bnviz.records.history import History
from bnviz.records.kept_run import KeptRun
from bnviz.records.recipe import Recipe
from bnviz.store.store import Store
from bnviz.training.batches import Batches
from bnviz.training.trainer import train
from bnviz.ui.sections import run_comparison, stored_run
from bnviz.ui.sections.stored_run import plain_findings
from bnviz.ui.web import kept as server_store
from tests.builders import twins
from tests.opening import ROOT, address

VISITOR = "a-visitor-of-a-test"
EXPERIMENT = twins(NetworkConfig(width=6), steps=40)

pytestmark = pytest.mark.slow


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("BNVIZ_RUNS", "on")
    monkeypatch.setenv("BNVIZ_DATABASE", f"sqlite:///{tmp_path / 'runs.sqlite'}")
    server_store.close()
    yield server_store.store()
    server_store.close()


@pytest.fixture(scope="module")
def run(mnist: Batches) -> KeptRun:
    history = History(EXPERIMENT)
    for frame in train(EXPERIMENT, mnist):
        history.add(frame)
    return KeptRun(Recipe(EXPERIMENT), "0.1.0", history.view(), ("Both networks learn.",))


def page(**parameters: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "pages" / "runs.py"), default_timeout=90)
    app.session_state["tab"], app.session_state["visitor"] = "a-tab-of-a-test", VISITOR
    for key, value in parameters.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception
    return app


def said(app: AppTest) -> str:
    return "\n".join(each.value for each in [*app.markdown, *app.info, *app.warning, *app.error, *app.caption])


def test_without_runs_the_page_says_how_to_get_some(store: Store) -> None:
    assert "No runs yet" in said(page())


def test_the_list_has_the_visitors_own_runs_and_a_search_finds_them(store: Store, run: KeptRun) -> None:
    store.keep(run, VISITOR, name="first try")
    store.keep(run, "somebody-else", name="not mine")
    (table,) = (app := page()).dataframe
    assert table.value["Name"].tolist() == ["first try"]
    assert "width 6" in str(table.value["What is special"][0])
    app.text_input(key="runs_search").set_value("nothing like it").run()
    assert "No run fits the search" in said(app)


def test_watched_networks_of_this_machine_stand_below_the_visitors_own_runs(store: Store) -> None:
    assert len(page().dataframe) == 0
    with bnviz.watch(nn.Linear(4, 2), name="my own", budget=1) as observer:
        for step in range(100):
            observer.step(torch.tensor(1 / (1 + step)))
    (table,) = (app := page()).dataframe
    assert [heading.value for heading in app.subheader] == ["Watched networks of this machine"]
    assert table.value["Name"].tolist() == ["my own"]
    curve = table.value["Loss"][0]
    assert len(curve) == 40
    assert (np.diff(curve) < 0).all()
    assert table.value["Final loss"].tolist() == pytest.approx([0.01])


def test_a_run_is_seen_by_whoever_has_its_address(store: Store, run: KeptRun) -> None:
    run_id = store.keep(run, "somebody-else")
    app = page(id=run_id)
    assert address(app)["id"] == run_id
    assert [button.label for button in app.button if button.key == "stored_open"]
    assert not app.warning


def test_what_a_run_shows_is_read_and_made_once_for_all_who_open_it(
    store: Store, run: KeptRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[Any, Any]] = []

    def publish(past: Any, *_: object, shared: Any, **__: object) -> None:
        told.append((past.view().latest, shared(past.view().latest)))

    monkeypatch.setattr(stored_run, "publish", publish)
    run_id = store.keep(run, "somebody-else")
    others = [store.keep(run.with_findings(("Another sentence.",)), "x"), store.keep(run, "somebody-else")]
    seen = []
    for opened in (run_id, run_id, *others):
        page(id=opened)
        seen.append(told[-1])
    (first, one), (second, again), *different = seen
    latest = run.view.latest
    assert latest is not None
    tested_later = [replace(v, tested_at=(v.tested_at or 0) + 1) for v in latest.variants]
    on_others = [replace(v, tested_on_all=not v.tested_on_all) for v in latest.variants]
    app = page(id=run_id)
    for variants in (tested_later, on_others):  # kept anew at the same tick
        now = replace(run, view=replace(run.view, latest=replace(latest, variants=tuple(variants))))
        store.keep(now, "somebody-else", run_id=run_id)
        app.run()
        different.append(told[-1])
        assert [v.tested for v in told[-1][0].variants] == [v.tested for v in variants]
    assert first is second
    assert one == again
    assert len({key for _, (_, key) in (seen[0], *different)}) == 5
    assert all(kept_alive == () for _, (kept_alive, _) in (*seen, *different))


def test_what_a_strangers_file_says_of_a_run_is_shown_as_text(run: KeptRun) -> None:
    hostile = run.with_findings(("<img src=x onerror=alert(1)>",))
    assert plain_findings(hostile) == ["&lt;img src=x onerror=alert(1)&gt;"]


class TestAComparison:
    """Of runs that are chosen in the list; its charts are those of `bnviz.figures.comparison`."""

    @pytest.fixture
    def shown(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
        """The figures that were drawn last, by their charts' keys."""
        drawn: dict[str, dict[str, Any]] = {}
        monkeypatch.setattr(run_comparison, "live_chart", drawn.__setitem__)
        return drawn

    @pytest.fixture
    def compared(self, store: Store, run: KeptRun, shown: object) -> AppTest:
        for name in ("first", "the <b>{second}</b>![x](//evil)"):
            store.keep(run, VISITOR, name=name)

        def script() -> None:
            from bnviz.ui.sections.run_comparison import compare
            from bnviz.ui.web.kept import store as open_store

            compare(open_store(), open_store().listed("a-visitor-of-a-test", sort="name"))

        app = AppTest.from_function(script, default_timeout=90).run()
        assert not app.exception
        return app

    def test_shows_curves_saturation_gradients_and_any_layer(
        self, compared: AppTest, shown: dict[str, dict[str, Any]]
    ) -> None:
        assert set(shown) == {f"chart_compared_{w}" for w in ("loss", "accuracy", "saturation", "gradients", "layer")}
        assert all(len(shown[f"chart_compared_{what}"]["data"]) == 4 for what in ("saturation", "gradients", "layer"))
        compared.selectbox(key="compared_place").set_value("normalized").run()
        layer = shown["chart_compared_layer"]
        assert len(layer["data"]) == 2
        assert "Nothing here" in layer["layout"]["meta"]["words"]

    def test_takes_a_strange_name_as_text(self, compared: AppTest, shown: dict[str, dict[str, Any]]) -> None:
        words = [figure["layout"]["meta"]["words"] for figure in shown.values()]
        assert all("<b>{" not in word and "![" in word for word in words)
        assert all("![" not in each.value for each in compared.markdown)  # no picture of a stranger's is loaded
        assert "\\!\\[x\\]" in "".join(each.value for each in compared.markdown)


def test_an_address_that_names_no_run_says_so(store: Store) -> None:
    assert "There is no run at this address" in said(page(id="x" * 22))
    assert "There is no run at this address" in said(page(id="../etc"))


def test_a_database_that_is_gone_is_told_and_nothing_breaks(
    store: Store, run: KeptRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server_store.close()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BNVIZ_DATABASE", f"sqlite:///{tmp_path / 'file' / 'runs.sqlite'}")
    assert "Kept runs cannot be reached now" in said(page())


def test_a_server_that_keeps_nothing_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BNVIZ_RUNS", "off")
    assert "keeps no runs" in said(page())
