"""A chapter's run: trained at a pace that can be watched, and asked at its end."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from bnviz import figures
from bnviz.analysis.inference import variance_estimates
from bnviz.engine.run import Run
from bnviz.experiment.chapter import Act, Chart
from bnviz.experiment.scenario import Scenario
from bnviz.experiment.story import SECOND_SEVEN
from bnviz.figures.style import Figure, fitted_to_window
from bnviz.findings.story import Reveal, run_reveal
from bnviz.findings.story_measurements import company_reveal, variances_reveal
from bnviz.records.frames import POPULATION_DIGITS, Frame
from bnviz.records.history import View
from bnviz.records.questions import A, AnswersInCompany, DigitOfTestSet, InputsOfLayer, Question
from bnviz.ui import session
from bnviz.ui.asking.at_once import ask
from bnviz.ui.news import STATUS, publish
from bnviz.ui.sections.story.charts import run_figures
from bnviz.ui.sections.story.digit import drawn_digit
from bnviz.ui.sections.story.stage import Stage, chart_places

RUN_SECONDS = 5.0  # a run is shown over about so long, if the machine can
CHART_HEIGHT = (220, 330, 570)  # pixels: at least, at most, and what stands above and below, with what the run showed
BESSEL_SIZES = (2, 4, 8, 16, 32, 64, 128)


def stage_run(act: Act, tab: str) -> Run | None:
    """Return the run of an act, which stands at its first step until it is played; None for an act without one."""
    return session.stage_run(tab, act.what, act.watch) if isinstance(act.what, Scenario) else None


def play(run: Run) -> None:
    """Train a chapter's run from its first step, at a pace that can be watched."""
    run.set_speed(run.scenario.experiment.training.steps / RUN_SECONDS)
    if run.status.step:
        run.reset()
    run.play()


def show_run(stage: Stage, run: Run) -> Reveal | None:
    """Draw the run's charts, now and whenever it moves. Returns what it showed once it has ended."""
    status = run.status
    ended = _asked_at_the_end(stage, run) if status.state == "finished" else _Asked(None, {})
    with st.container(key="status"):
        news = st.container(key="story_news")
    chart_places(stage.act.charts, ended.charts)

    def make(view: View, frame: Frame) -> dict[str, Figure]:
        found = run_figures(stage.act, view, frame)
        guessed = {name: stage.guessed(name, figure) for name, figure in found.items()}
        return {f"chart_{name}": fitted_to_window(figure, *CHART_HEIGHT) for name, figure in guessed.items()}

    with news:
        publish(run, status, make, lambda _: [], html=STATUS)
    return ended.reveal


@dataclass(frozen=True)
class _Asked:
    """What a finished run showed, and the charts of what it was asked at its end."""

    reveal: Reveal | None
    charts: dict[Chart, Figure]


def _asked_at_the_end(stage: Stage, run: Run) -> _Asked:
    if "bessel" in stage.act.charts:
        return _variances(run)
    if "answers" in stage.act.charts:
        return _digit_answers(run)
    return _Asked(run_reveal(stage.chapter.number, stage.number, run.view()), {})


def _variances(run: Run) -> _Asked:
    inputs = _once(run, InputsOfLayer(0, 0, (0,), POPULATION_DIGITS))
    if inputs is None:
        return _Asked(None, {})
    estimates = variance_estimates(inputs.values[:, 0], BESSEL_SIZES)
    return _Asked(variances_reveal(estimates), {"bessel": figures.bessel_correction(estimates, inputs.step)})


def _digit_answers(run: Run) -> _Asked:
    """The digit that the reader drew, or the second 7 of the test set, in eval mode and in company."""
    pixels, words = drawn_digit(), "drawn, then scaled and centred as MNIST's digits are"
    if pixels is None:
        if (digit := _once(run, DigitOfTestSet(SECOND_SEVEN))) is None:
            return _Asked(None, {})
        pixels, words = digit.pixels, f"test digit {SECOND_SEVEN + 1}, labelled {digit.label}"
    charts: dict[Chart, Figure] = {"digit": figures.digit_image(pixels, words)}
    found = _once(run, AnswersInCompany(0, tuple(pixels.tolist()), seed=0))
    if found is None:
        return _Asked(None, charts)
    charts["answers"] = figures.digit_answers(found, [], found.step)
    return _Asked(company_reveal(run.view(), found), charts)


def _once(run: Run, question: Question[A]) -> A | None:
    """The answer of a finished run, asked for once and kept for its next reruns."""
    history, known = st.session_state.get("story_answers", (None, {}))
    kept: dict[Question[Any], Any] = known if history is run.history else {}
    if question not in kept and (answer := ask(run, question)) is not None:
        kept[question] = answer
    st.session_state["story_answers"] = run.history, kept
    found: A | None = kept.get(question)
    return found
