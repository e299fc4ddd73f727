"""A chapter's sweep: a grid of small networks, beside the sweep that the tab may have of its own."""

import streamlit as st

from bnviz import figures
from bnviz.engine.capacity import RefusedError
from bnviz.experiment.sweep import Sweep
from bnviz.figures.style import Figure
from bnviz.findings.story import Reveal
from bnviz.findings.story_measurements import batch_sizes_reveal
from bnviz.records.sweep import SweepResults
from bnviz.ui import session
from bnviz.ui.sections import sweep_run
from bnviz.ui.sections.story.stage import Stage, chart_places


def start_sweep(sweep: Sweep, tab: str) -> None:
    """Train all networks of a sweep anew."""
    presence = session.present()
    try:
        presence.labs.start_sweep(tab, presence.owner, sweep, "story_sweep")
    except RefusedError as error:
        st.warning(str(error), icon=":material/hourglass_empty:")


def show_sweep(stage: Stage) -> Reveal | None:
    """Draw the tab's sweep of the story, now and whenever it has found more. Returns what it showed once it is done."""
    run = session.find_sweep(stage.tab, "story_sweep")
    status = run.status if run else None
    with st.container(key="status"):
        news = st.container(key="story_news")
    chart_places(stage.act.charts, {})

    def make(sweep: Sweep, found: SweepResults) -> dict[str, Figure]:
        return {"chart_sweep": figures.sweep_lines(sweep, found, "test_loss")}

    with news:
        sweep_run.follow(run, status, None, make)
    return batch_sizes_reveal(run.sweep, run.found()) if run and status and status.state == "finished" else None
