"""Several kept runs side by side: their curves, saturation, gradients and layers, and the settings that differ."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from bnviz import figures
from bnviz.experiment.comparison import distinguishing_settings
from bnviz.experiment.wording import decimals, percent
from bnviz.figures.comparison import compared_networks
from bnviz.figures.histograms import PLACE_NAMES
from bnviz.records.ghosts import ghosts_of
from bnviz.records.kept_run import KeptRun
from bnviz.store.rows import RunRow
from bnviz.store.store import Store
from bnviz.ui import page
from bnviz.ui.components.live_chart import live_chart


def compare(store: Store, rows: Sequence[RunRow]) -> None:
    """Draw several runs on the same charts, and the settings in which their networks differ. Raises StoreError."""
    found = [(row, kept) for row in rows if (kept := _read(store, row.id, row.size, row.steps)) is not None]
    if not found:
        st.info("These runs are gone.", icon=":material/info:")
        return
    named = [(row.name or f"run {number}", kept) for number, (row, kept) in enumerate(found, 1)]
    for number, ((name, _), (row, _)) in enumerate(zip(named, found, strict=True)):
        look = "dashed" if number else "solid"
        st.text(f"{name} ({look} in the curves): {row.special or 'the usual settings'}")
    _curves(named)
    networks = compared_networks([(name, kept.view) for name, kept in named])
    left, right = st.columns(2)
    with left:
        page.heading("Saturation", "Saturated share of the most saturated layer, at every kept moment.")
        live_chart("chart_compared_saturation", figures.compared_saturation(networks))
    with right:
        page.heading("Gradients", "Norm of the gradient of each layer's weights, at the last moment of each run.")
        live_chart("chart_compared_gradients", figures.compared_gradients(networks))
    page.heading("One layer", "Values of one hidden layer over the probe digits, at the last kept moment of each run.")
    depth = max((len(network.last.layers) for network in networks), default=1)
    with st.container(horizontal=True):
        layer = st.selectbox("Layer", list(range(1, depth + 1)), key="compared_layer", width=120)
        place = st.selectbox(
            "Values",
            list(PLACE_NAMES),
            index=list(PLACE_NAMES).index("post_activation"),
            format_func=PLACE_NAMES.__getitem__,
            key="compared_place",
            width=220,
        )
    live_chart("chart_compared_layer", figures.compared_layer(networks, layer=layer - 1, place=place))
    page.table(_differences(named))


@st.cache_data(max_entries=24, show_spinner=False, ttl=600)
def _read(_store: Store, run_id: str, size: int, steps: int) -> KeptRun | None:
    """Read a run once for all reruns of a page; size and steps tell another state of it."""
    return _store.get(run_id)


def _curves(named: Sequence[tuple[str, KeptRun]]) -> None:
    (_, first), others = named[0], named[1:]
    ghosts = [ghost for name, kept in others for ghost in ghosts_of(kept.view, f"{_in_figure(name)}: {{}}")]
    left, right = st.columns(2)
    with left:
        page.heading("Loss", "Mean training loss over the last 30 steps, and test losses of the first run.")
        live_chart(
            "chart_compared_loss", figures.training_loss(first.view, smoothing=30, log=True, x="steps", ghosts=ghosts)
        )
    with right:
        page.heading("Test accuracy", "In eval mode, on the test digits that are looked at while training.")
        live_chart("chart_compared_accuracy", figures.accuracy_curves(first.view, x="steps", ghosts=ghosts))


def _in_figure(name: str) -> str:
    """A name, perhaps of a stranger's file, where HTML is expected and braces stand for something."""
    return escape(name, quote=False).replace("{", "{{").replace("}", "}}")


def _differences(runs: Sequence[tuple[str, KeptRun]]) -> list[dict[str, str]]:
    ghosts = [(name, kept, ghost) for name, kept in runs for ghost in ghosts_of(kept.view, "{}")]
    settings = distinguishing_settings(
        [(kept.view.experiment.training, ghost.variant) for _, kept, ghost in ghosts], always=("Init", "Normalization")
    )
    titles = dict.fromkeys(title for own in settings for title in own)
    return [
        {"Run": page.plain(name), "Network": ghost.name}
        | {title: own.get(title, "–") for title in titles}
        | {"Test loss": decimals(ghost.last.test_loss, 3), "Accuracy": percent(ghost.last.test_accuracy)}
        | {"Saturated": percent(ghost.saturated, 0)}
        for (name, _, ghost), own in zip(ghosts, settings, strict=True)
    ]
