"""One watched network on the page: its state, its charts, its findings, and back in its history."""

from datetime import datetime
from html import escape

import numpy as np
import streamlit as st

from bnviz import figures
from bnviz.experiment.wording import counted
from bnviz.findings.own_network import findings
from bnviz.records.own_network import Finding, Look, Network
from bnviz.records.watched_run import WatchedRun
from bnviz.store.watched import WatchedStore
from bnviz.ui import page
from bnviz.ui.components.live_chart import live_chart, unchanged
from bnviz.ui.components.newest import last_click
from bnviz.ui.components.scrubber import scrubber
from bnviz.ui.sections.watched_list import STATES, reachable

CHARTS_EVERY = 0.5  # seconds between two looks into the store, while the network trains
LAYERS_SHOWN = 3  # layers of one finding that are named
_ICONS = {"serious": ":red[:material/error:]", "warning": ":material/warning:", "note": ":material/info:"}


def show_watched(store: WatchedStore, run_id: str) -> None:
    """Draw a watched network, and follow it as long as it trains. Raises StoreError."""
    if st.session_state.get("own_run") != run_id:
        st.session_state["own_run"], st.session_state["own_step"], st.session_state["own_layer"] = run_id, None, 0
    run = store.get(run_id)
    if run is None:
        return
    with st.container(key="scrubber_bar"):
        _slider(store, run_id)
    follows = run.state == "training" or run.network is None
    st.fragment(_charts, run_every=CHARTS_EVERY if follows else None, key="own_network")(store, run_id, run.state)


@st.fragment
def _slider(store: WatchedStore, run_id: str) -> None:
    with reachable():
        _scrub(store.get(run_id))


def _scrub(run: WatchedRun | None) -> None:
    looks = run.looks if run else ()
    every = max(1, int(np.median(np.diff(looks)))) if len(looks) > 1 else 1

    def go(step: int | None) -> None:
        st.session_state["own_step"] = step

    scrubber(every, st.session_state["own_step"], go, key="own_scrubber")
    if st.session_state["own_step"] is not None:
        st.caption("Where looks were further apart, the one before this step is shown.")


def _charts(store: WatchedStore, run_id: str, drawn_as: str) -> None:
    with reachable():
        _follow(store, run_id, drawn_as)


def _follow(store: WatchedStore, run_id: str, drawn_as: str) -> None:
    run = store.get(run_id)
    if run is None:
        return
    if run.state != drawn_as:  # the page need not be followed any more, or again
        st.rerun(scope="app")
    _status(run)
    shown = [step for step in run.looks if (asked := st.session_state["own_step"]) is None or step <= asked]
    look = store.a_look(run_id, (shown or run.looks)[-1 if shown else 0]) if run.looks else None
    if run.network is None or look is None:
        st.info("It has not been looked at yet.", icon=":material/hourglass_empty:")
        return
    _draw(run, run.network, look)
    st.markdown("#### What is wrong")
    show_findings(findings(run.network, look))
    for sentence in run.network.unseen:
        st.caption(escape(sentence))


def _status(run: WatchedRun) -> None:
    heard = datetime.fromtimestamp(run.heard).strftime("%H:%M:%S")
    words = {"training": "", "finished": "", "failed": f": {run.problem}", "silent": f", last heard of at {heard}"}
    told = f"{STATES[run.state]}{words[run.state]}"
    size = f" · {run.network.model}, {run.network.parameters:,} parameters" if run.network else ""
    st.html(
        f'<div class="bnviz-status" role="status"><b>{escape(run.name)}</b> <span>{escape(told)}</span> '
        f"<span>step {run.step:,}</span><span>{escape(size)}</span>"
        f'<progress value="{run.looks[-1] if run.looks else 0}" max="{max(run.step, 1)}" aria-hidden="true"></progress>'
        "</div>"
    )


def _draw(run: WatchedRun, network: Network, look: Look) -> None:
    layer = min(st.session_state["own_layer"], len(network.layers) - 1)
    normalizing = [i for i, found in enumerate(network.layers) if found.normalization]
    of_norm = min(normalizing, key=lambda i: (i < layer, abs(i - layer))) if normalizing else None
    version = f"{run.id} {look.step} {layer}"

    def place(key: str, figure: figures.style.Figure, *, moves: bool = False, click: bool = False) -> None:
        shown = unchanged(figure, f"{version} {run.step}" if moves else version)
        live_chart(key, shown, height=figure["layout"]["height"], on_click=_pick if click else None)

    left, right = st.columns(2)
    with left:
        page.heading("Network map", "A strip for each layer: how its outputs are spread. Click one to see that layer.")
        place("chart_own_map", figures.own_network_map(network, look, layer), click=True)
        page.heading("Saturated and dead", "Values on the flat ends of an activation, units whose slope is always 0.")
        place("chart_own_saturation", figures.own_network_saturation(network, look))
    with right:
        page.heading("Loss", "As the script told it; in a long run a point is the mean of its neighbours.")
        place("chart_own_loss", figures.own_network_loss(run, network), moves=True)
        page.heading("Outputs of a layer", "A sample of the newest batch's, in bins that fit them.")
        place("chart_own_values", figures.own_network_histogram(network, look, layer))
    left, right = st.columns(2)
    with left:
        page.heading("Gradients and steps", "L2 norm of each layer's gradient, and how far a step moves its weights.")
        place("chart_own_gradients", figures.own_network_gradients(network, look))
    if of_norm is None:
        return
    with right:
        page.heading(
            "Running against batch statistics",
            "Of the normalization layer that the map frames, or the next one, for 16 of its channels, evenly spaced. "
            "Eval mode uses the running ones.",
        )
        place("chart_own_statistics", figures.own_network_statistics(network, look, of_norm))


def _pick() -> None:
    if (click := last_click("chart_own_map")) and click.place:
        st.session_state["own_layer"] = max(round(click.place[1]), 1) - 1


def show_findings(found: tuple[Finding, ...]) -> None:
    """Draw the findings, those of one rule together, each with what it means, what to do and where it is seen."""
    if not found:
        st.success("No rule finds anything wrong at this step.", icon=":material/check:")
    for rule in dict.fromkeys(finding.rule for finding in found):
        of_rule = [finding for finding in found if finding.rule == rule]
        first, more = of_rule[0], len(of_rule) - LAYERS_SHOWN
        texts = [page.plain(finding.text) for finding in of_rule[:LAYERS_SHOWN]]
        texts += [f"And {counted(more, 'more layer')}."] if more > 0 else []
        with st.container(key=f"finding_{rule}"):
            st.markdown(
                f"{_ICONS[first.severity]} **{first.severity}: {rule.replace('_', ' ')}**\n"
                + "\n".join(f"- {text}" for text in texts)
                + f"\n\n{page.plain(first.meaning)} **What to do:** "
                f"{page.plain(first.advice)} [See it in the lab]({first.lab})"
                + (f" ({first.instead})" if first.instead else "")
            )
