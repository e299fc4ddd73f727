"""Training and inference: which mean and variance batchnorm uses when, and what follows for the answers."""

from typing import cast

import streamlit as st

from bnviz import figures
from bnviz.analysis.inference import ESTIMATED_BATCHES, variance_estimates
from bnviz.experiment.choices import Inference
from bnviz.experiment.config import BatchNormConfig, Experiment, replace
from bnviz.experiment.settings import VARIANT
from bnviz.experiment.watched import differences, network_in_words, watched_network
from bnviz.experiment.wording import listed
from bnviz.figures.style import Figure
from bnviz.findings.inference import inference_findings
from bnviz.records.answers import LayerInputs
from bnviz.records.frames import INFERENCE_DIGITS, LAST_POPULATION_DIGITS, POPULATION_DIGITS, Focus, Frame
from bnviz.records.history import View
from bnviz.records.questions import InputsOfLayer
from bnviz.ui import page, session
from bnviz.ui.asking.repeated import LiveQuestion
from bnviz.ui.components.browser_ids import tab_id
from bnviz.ui.components.live_chart import live_chart, unchanged
from bnviz.ui.components.live_slider import live_slider, set_slider
from bnviz.ui.news import publish
from bnviz.ui.sections.folding import show_folding
from bnviz.ui.sections.one_digit import one_digit, show_one_digit
from bnviz.ui.sections.train_here import train_here_button
from bnviz.ui.transport import transport

SIZES = (2, 4, 8, 16, 32, 64, 128)

lab_network = watched_network(page.open_page("Training and inference"))
tab = tab_id()
run = session.claim_run(tab, lab_network, "inference")

st.markdown(
    "In training, batchnorm normalizes every unit with the mean and variance of the **batch**. At inference there may "
    "be one digit and no batch, and an answer must not depend on other digits: so the layer uses averages that it has "
    "gathered **while training** (Ioffe and Szegedy 2015, section 3.1 and algorithm 2)."
)


def choose_seed(seed: int) -> None:
    """Start the page's run over with another seed."""
    run.edit(replace(run.experiment, training=replace(run.experiment.training, seed=seed)))


def show_settings(experiment: Experiment) -> None:
    """Set the controls of this page to what an experiment says; only in a callback."""
    norm = experiment.variants[0].batchnorm or BatchNormConfig()
    set_slider("bn_momentum", norm.momentum)
    st.session_state["bn_cumulative"] = norm.cumulative
    st.session_state["bn_batch_size"] = experiment.training.batch_size
    st.session_state["bn_inference"] = norm.inference


@st.fragment
def settings() -> None:
    """What may change while the network trains; a fragment, so that a slider need not wait for the whole page."""
    training, (now,) = run.experiment.training, run.experiment.variants
    bn = now.batchnorm or BatchNormConfig()
    shown_network = st.container(horizontal=True, key="watched_network", vertical_alignment="center", wrap=False)
    with st.container(horizontal=True, key="inference_settings", vertical_alignment="bottom"):
        with st.container(width=250):
            momentum = live_slider("Running momentum m", 0.001, 1.0, bn.momentum, key="bn_momentum", log=True)
        cumulative = st.toggle("Cumulative average", bn.cumulative, key="bn_cumulative")
        sizes = sorted({*SIZES, training.batch_size})
        batch_size = st.select_slider("Batch size", sizes, training.batch_size, key="bn_batch_size", width=200)
        inference = st.selectbox(
            "Eval mode uses",
            VARIANT["bn_inference"].choices,
            VARIANT["bn_inference"].choices.index(bn.inference),
            format_func=VARIANT["bn_inference"].name_of,
            key="bn_inference",
            width=200,
        )
    changed = replace(bn, momentum=momentum, cumulative=cumulative, inference=cast(Inference, inference))
    experiment = Experiment(replace(training, batch_size=batch_size), (replace(now, batchnorm=changed),))
    if experiment != run.experiment:
        run.edit(experiment, keep_weights=True)
    with shown_network:
        name_network()


def name_network() -> None:
    """Write which network is shown and how it differs from the live lab's; offer to train the lab's here."""
    different = differences(run.experiment, lab_network)
    st.markdown(
        f"Shown: **{network_in_words(run.experiment.variants[0])}**, on {run.experiment.training.data}. "
        + (f"The live lab's network has {listed(different)}. " if different else "It is the live lab's network. ")
        + "This page measures more than the lab, so it trains the network itself.",
        width="stretch",
    )
    if train_here_button(run, lab_network, show_settings):
        st.rerun()  # the whole page: its speed has changed


settings()
shown_status = transport(run, choose_seed)
live_place = st.container(key="status")

page.heading(
    "Running statistics",
    "The statistics that one unit sees in a batch jump about; the running averages follow them, slowly for a small "
    f"momentum. What they stand for is the population: the same statistics over {POPULATION_DIGITS:,} training digits "
    f"({LAST_POPULATION_DIGITS:,} at the last step), in batches of the size that is trained on, for the network as it "
    "is at that step.",
)
formula, picture = st.columns([1, 2], gap="large")
with formula:
    st.latex(r"r \leftarrow (1 - m)\, r + m\, b")
    st.caption(
        "r: running mean or variance, b: that of the batch (for the variance, the unbiased one), m: the momentum, as "
        "PyTorch counts it. The cumulative average has m = 1/n after n batches, the same weight for each: exact for a "
        "network that stands still, but it never forgets the untrained one."
    )
    units = run.experiment.variants[0].network.hidden[0].units
    unit = st.number_input("Unit", 1, units, 1, key="bn_unit", width=120) - 1
with picture:
    live_chart("chart_running_stats", height=380)

left, right = st.columns(2, gap="large")
with left:
    page.heading(
        "Error of the statistics",
        "Over all units of layer 1. A large momentum forgets quickly and stays as noisy as a batch; a small one is "
        "calm but late: while the network still changes, its average is of networks that are gone.",
    )
    live_chart("chart_statistics_error", height=340)
with right:
    page.heading(
        "Test loss by statistics",
        f"The same network on the same {INFERENCE_DIGITS} test digits: with its running statistics (eval mode), with "
        "those of the population, and in training mode, in which each batch of test digits is normalized by itself.",
    )
    live_chart("chart_inference", height=340)


@st.cache_resource(scope="session", show_spinner=False)
def bessel_question() -> LiveQuestion[LayerInputs, Figure]:
    """Return this session's question for a unit's inputs, answered by the chart of Bessel's correction."""

    def bessel_figure(inputs: LayerInputs, _: object) -> Figure:
        return figures.bessel_correction(variance_estimates(inputs.values[:, 0], SIZES), inputs.step)

    return LiveQuestion(bessel_figure)


bessel, digit = bessel_question(), one_digit()


def draw(view: View, _: Frame) -> dict[str, Figure]:
    """Return the figure of each chart, by the chart's key; those that a worker is asked for once there is an answer."""
    drawn = {
        "chart_running_stats": figures.running_statistics(view, layer=0, unit=unit),
        "chart_statistics_error": figures.statistics_error(view, layer=0),
        "chart_inference": figures.inference_losses(view),
    } | digit.figures(run)
    if found := bessel.of(run, InputsOfLayer(0, 0, (unit,), POPULATION_DIGITS)):
        drawn["chart_bessel"] = unchanged(found, bessel.count)
    return drawn


run.focus_on(Focus(()))
with live_place:
    publish(
        run,
        shown_status,
        draw,
        inference_findings,
        also=lambda: (bessel.count, digit.state()),
    )

page.heading(
    "Bessel's correction",
    "The mean of a batch lies in the middle of that very batch, so squared distances to it come out too small, on "
    "average by the factor (B − 1)/B. Batchnorm normalizes with the biased variance, and keeps the unbiased one for "
    "inference.",
)
formula, picture = st.columns([1, 2], gap="large")
with formula:
    st.latex(
        r"\begin{gathered} s^2 = \tfrac{1}{B} \textstyle\sum_{i} (x_i - \bar x)^2 \\ "
        r"\hat\sigma^2 = \tfrac{B}{B-1}\, s^2 \end{gathered}"
    )
    st.caption(
        f"{ESTIMATED_BATCHES:,} random batches of each size from unit {unit + 1}'s inputs over {POPULATION_DIGITS:,} "
        "digits. Box: the middle half; whiskers: 5 % to 95 %. (Ioffe and Szegedy 2015, algorithm 2, step 10.)"
    )
with picture:
    live_chart("chart_bessel")


page.heading(
    "One digit, different batches",
    "In training mode the other digits of the batch decide the mean and variance, so one digit gets many answers. In "
    "eval mode its answer is its own, unless the layer keeps no running statistics (track_running_stats=False in "
    "PyTorch, 'the batch at hand' above).",
)
show_one_digit(run)

page.heading(
    "Folded for inference",
    "In eval mode batchnorm is one scale and one shift for each unit, and the layer before it can take both into its "
    "weights and bias: a layer less, the same answers (Jacob et al. 2018, section 3.2).",
)
formula, folded = st.columns([1, 2], gap="large")
with formula:
    st.latex(
        r"\begin{gathered} W' = W \frac{\gamma}{\sqrt{v + \varepsilon}} \\[4pt] "
        r"b' = \beta + (b - r) \frac{\gamma}{\sqrt{v + \varepsilon}} \end{gathered}"
    )
    st.caption(
        "W, b: of the layer before; r, v: the mean and variance that eval mode uses. Batchnorm after the activation "
        "goes into the next layer instead."
    )
with folded.container(key="folded"):
    show_folding(run)
