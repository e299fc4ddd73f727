"""The list of watched networks, which follows those that train."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from bnviz.records.watched_run import State, WatchedRun
from bnviz.store.errors import StoreError
from bnviz.store.rows import small_curve
from bnviz.store.watched import WatchedStore

LIST_EVERY = 1.0  # seconds between two looks into the store
HOW = """import bnviz

with bnviz.watch(model, optimizer=optimizer, name="my network") as observer:
    for x, y in batches:
        loss = criterion(model(x), y)
        optimizer.zero_grad(); loss.backward(); optimizer.step()
        observer.step(loss)"""
STATES: dict[State, str] = {
    "training": "training now",
    "finished": "finished",
    "failed": "failed",
    "silent": "ended without a word",
}


def watched_list(store: WatchedStore) -> None:
    """Draw the list, and open a network that is chosen in it. Raises StoreError."""
    st.markdown("Two lines in the training loop of any `torch.nn.Module`, and its layers are seen here as it trains:")
    st.code(HOW, language="python")
    with st.container(key="watched_list"):
        _rows(store)


def watched_beside_runs(store: WatchedStore) -> None:
    """Draw the watched networks below the runs of the app, where there are any. Raises StoreError."""
    if runs := store.listed(curves=True):
        st.subheader("Watched networks of this machine", anchor=False)
        _table(runs)


@contextmanager
def reachable() -> Iterator[None]:
    """Say on the page that the database cannot be read, if so; also in a part of it that runs by itself."""
    try:
        yield
    except StoreError as error:
        st.error(f"Watched networks cannot be reached now: {error}", icon=":material/cloud_off:")


@st.fragment(run_every=LIST_EVERY)
def _rows(store: WatchedStore) -> None:
    with reachable():
        _table(store.listed())


def _table(runs: list[WatchedRun]) -> None:
    if not runs:
        st.info("No network has been watched yet.", icon=":material/info:")
        return
    event: Any = st.dataframe(
        [_cells(run) for run in runs],
        column_config={
            "Loss": st.column_config.LineChartColumn("Loss"),
            "Final loss": st.column_config.NumberColumn("Final loss", format="%.3f"),
            "Began": st.column_config.DatetimeColumn("Began", format="distance"),
        },
        hide_index=True,
        key="watched_table",
        on_select="rerun",
        selection_mode="single-row",
    )
    st.caption("Choose a network to see its layers.")
    chosen = [runs[place] for place in event.selection.rows if place < len(runs)]
    if chosen and st.button("Open", key="watched_open", type="primary", icon=":material/open_in_full:"):
        st.switch_page("pages/your_networks.py", query_params={"id": chosen[0].id})


def _cells(run: WatchedRun) -> dict[str, Any]:
    curve: dict[str, Any] = {}
    if run.losses.size:
        curve = {"Loss": small_curve(run.losses), "Final loss": float(run.losses[-1])}
    return {
        "Name": run.name,
        "State": STATES[run.state],
        **curve,
        "Steps": run.step,
        "Began": datetime.fromtimestamp(run.started, UTC),
        "Why": run.problem,
    }
