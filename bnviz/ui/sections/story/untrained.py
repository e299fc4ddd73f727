"""The chapters that look at networks which nobody has trained."""

from collections.abc import Sequence

import streamlit as st

from bnviz import figures
from bnviz.analysis.initialization import expected_propagation
from bnviz.engine.in_worker import initialization_tasks
from bnviz.experiment.chapter import Untrained
from bnviz.experiment.config import replace
from bnviz.experiment.inits import init_name
from bnviz.figures.style import ACCENTS
from bnviz.findings.story import Reveal
from bnviz.findings.story_measurements import first_losses_reveal, spreads_reveal
from bnviz.records.initialization import InitialNetwork, InitialSetting
from bnviz.ui import page
from bnviz.ui.asking.tasks import inquiries, task
from bnviz.ui.components.live_chart import live_chart
from bnviz.ui.sections.story.charts import HEADINGS
from bnviz.ui.sections.story.stage import Stage, chart_places

MEASURE_WAIT = 2.0  # seconds that a rerun waits for a worker to measure a network


def show_untrained(stage: Stage, what: Untrained) -> Reveal | None:
    """Draw what a worker measures on two untrained networks. Returns what they showed once both are known."""
    questions = inquiries()
    networks = list(what.networks)
    if what.your_scale and isinstance(stage.answer, float):
        networks[0] = replace(networks[0], init_scale=stage.answer)
    settings = [InitialSetting(network, False, what.standardize, 0) for network in networks]
    kinds = [f"story_{k}" for k in range(len(settings))]
    first, second = (
        questions.ask(kind, task(initialization_tasks.measure, setting, "MNIST"), wait=MEASURE_WAIT, haste=True)
        for kind, setting in zip(kinds, settings, strict=True)
    )
    with st.container(key="story_news"):
        if why := next(filter(None, map(questions.failure, kinds)), ""):
            st.error(f"This cannot be measured now. {why}", icon=":material/cloud_off:")
            st.button("Try again", key="story_retry", on_click=questions.retry)
        elif first is None or second is None:
            st.caption("A worker draws and measures the networks …")
        else:
            st.caption("Measured on untrained networks.")
    show = _show_first_losses if stage.chapter.number == 0 else _show_spreads
    reveal = show(stage, settings, first, second)
    questions.follow()
    return reveal


def _show_first_losses(
    stage: Stage, _: Sequence[InitialSetting], nothing: InitialNetwork | None, careless: InitialNetwork | None
) -> Reveal | None:
    if nothing is None or careless is None:
        chart_places(stage.act.charts, {})
        return None
    networks = {"all weights 0": nothing, "weights from U[0,1)": careless}
    chart_places(stage.act.charts, {"class_shares": figures.mean_probabilities(networks)})
    return first_losses_reveal(nothing, careless)


def _show_spreads(
    stage: Stage, settings: Sequence[InitialSetting], first: InitialNetwork | None, second: InitialNetwork | None
) -> Reveal | None:
    guessed = stage.answer is not None
    yours = "Your σ" if guessed else init_name("normal")
    names = (yours, "Xavier's σ") if stage.number == 0 else ("ReLU with Xavier's σ", "ReLU with He's σ")
    columns = st.columns(2, gap="medium")
    for k, (name, setting, found) in enumerate(zip(names, settings, (first, second), strict=True)):
        with columns[k]:
            page.heading(name, HEADINGS["propagation"][1])
            figure = None
            if found is not None:
                theory = expected_propagation(setting, found)
                figure = figures.layer_propagation(found.propagated, theory, color=ACCENTS[k], steps=0)
            live_chart(f"chart_propagation_{k}", figure)
    if first is None or second is None:
        return None
    return spreads_reveal(stage.number, first, second, guessed=guessed)
