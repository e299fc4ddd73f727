"""Initialization: how the weights are drawn, and what that does to activations, gradients and the first loss."""

from typing import TypeVar

import streamlit as st

from bnviz import figures
from bnviz.analysis.initialization import expected_propagation
from bnviz.engine.in_worker import initialization_tasks
from bnviz.experiment.choices import DataName
from bnviz.experiment.config import NetworkConfig, replace
from bnviz.experiment.inits import SCHEMES
from bnviz.experiment.settings import SHARED
from bnviz.experiment.wording import counted
from bnviz.figures.style import color_of
from bnviz.findings.initialization import initialization_findings, sign_findings
from bnviz.records.frames import PROBE_DIGITS
from bnviz.records.initialization import (
    DERIVED,
    DERIVED_DEPTH,
    DERIVED_SCALES,
    SIGN_BATCHES,
    InitialNetwork,
    InitialSetting,
)
from bnviz.theory.weight_laws import density
from bnviz.ui import page
from bnviz.ui.asking.tasks import Task, inquiries, task
from bnviz.ui.components.live_chart import live_chart
from bnviz.ui.components.live_slider import live_slider
from bnviz.ui.sections import initialization

A = TypeVar("A")
GLOROT = "[Glorot and Bengio 2010](https://proceedings.mlr.press/v9/glorot10a.html)"
HE = "[He et al. 2015](https://arxiv.org/abs/1502.01852)"
LECUN = "LeCun et al. 1998, “Efficient BackProp”"
POOLE = "[Poole et al. 2016](https://arxiv.org/abs/1606.05340)"
MEASURE_WAIT = 0.7  # seconds that a rerun waits for an answer, so that most changes need only one
READ_AS = {
    "activations": "A column of a picture is a layer; the stronger its colour at a height, the more of the layer's "
    "activations lie there.",
    "spread and gradients": "All pictures have one scale; a line that is missing is 0.",
}
DERIVATIONS = {
    "xavier_normal": (
        "Xavier, for tanh",
        r"""\begin{gathered}\text{forward: } n_{in}\mathrm{Var}[w]=1\\ \text{back: } n_{out}\mathrm{Var}[w]=1\\
\Rightarrow\ \mathrm{Var}[w]=\tfrac{2}{n_{in}+n_{out}}\end{gathered}""",
        "Where tanh is nearly the identity, f' = 1 and h = z: a layer multiplies the variance by $n_{in}$ Var[w] on "
        "the way forward, by $n_{out}$ Var[w] on the way back. Both should be 1; the mean of $n_{in}$ and $n_{out}$ "
        f"is the compromise ({GLOROT}, eq. 10 to 12). But tanh bends, which costs a little in every layer.",
    ),
    "he_normal": (
        "He, for ReLU",
        r"""\begin{gathered}\mathrm E[h^2]=\tfrac12\mathrm{Var}[z]\\ \text{so } \tfrac12 n_{in}\mathrm{Var}[w]=1\\
\Rightarrow\ \mathrm{Var}[w]=\tfrac{2}{n_{in}}\end{gathered}""",
        "ReLU sets the negative half of a symmetric z to 0, which halves its mean square. Twice the variance of the "
        f"weights makes up for it ({HE}, eq. 8 to 10); on the way back the half that is off halves it too (eq. 14).",
    ),
}

initialization.style()
page.open_page("Initialization")
st.markdown(
    "Before the first step, a network's weights are drawn at random. How large they are decides whether a signal gets "
    "through all layers, and whether a gradient finds its way back: **from weights to saturation**. Everything is "
    f"measured on {PROBE_DIGITS} digits while you look at it."
)
setting, refused = initialization.controls()
with st.container(key="initial_problems"):  # always there: what comes and goes above the charts would mount them anew
    if refused:
        st.warning("  \n".join(refused), icon=":material/warning:")
        st.caption("The pictures show the last settings that were in order.")
setting = initialization.trained(setting)
untrained = replace(setting, steps=0)
color = color_of(normalized=setting.batchnorm)
questions = inquiries()
initialization.training_buttons(setting)
data: DataName = "MNIST"
found = questions.ask("measure", task(initialization_tasks.measure, setting, data), wait=MEASURE_WAIT, haste=True)


def ask_later(kind: str, question: Task[A]) -> A | None:
    """What may wait for the network itself: if no engine answers, one question finds that out."""
    return questions.ask(kind, question) if found else None


def say(kind: str, done: str, waiting: str) -> None:
    """Say where an answer stands, in a line that is always there."""
    with st.container(key=f"said_{kind}"):
        if kind != "measure" and questions.failure("measure"):
            st.caption("This cannot be measured now; see above.")
        elif why := questions.failure(kind):
            st.error(f"This cannot be measured now. {why}", icon=":material/cloud_off:")
            st.button("Try again", key=f"retry_{kind}", on_click=questions.retry)
        else:
            st.caption(done if done else f"{waiting} …")


optimizer = SHARED["optimizer"].name_of(setting.training.optimizer)
by = f"{optimizer}, batch size {setting.training.batch_size}, learning rate {setting.training.learning_rate:g}"
state = f"after {counted(setting.steps, 'step')} of training ({by})" if setting.steps else "untrained"
say(
    "measure",
    f"The network, {state}." if found else "",
    "A worker draws, trains and measures the network" if setting.steps else "A worker draws and measures the network",
)
with st.container(key="initial_findings"):
    if found:
        st.markdown("\n".join(f"- {line}" for line in initialization_findings(setting, found)))


def show_weights(setting: InitialSetting, found: InitialNetwork | None) -> None:
    """Draw the formula of the init beside the weights of one layer; without a chart until they are measured."""
    network = setting.network
    st.subheader("The weights")
    left, right = st.columns([1, 2], gap="large")
    with left:
        formula = SCHEMES[network.init]
        st.latex(formula.latex)
        if network.init_scale != 1:
            st.latex(rf"w\leftarrow {network.init_scale:g}\,w")
        st.caption(formula.idea)
        st.caption("N(mean, variance). $n_{in}$ and $n_{out}$ count a layer's inputs and outputs.")
        last = network.hidden_layers + 1
        layer = min(
            round(live_slider("Layer (the last gives the logits)", 1, last, 1, key="initial_layer", step=1)), last
        )
    figure = None
    if found and layer <= len(found.weights):
        drawn = found.weights[layer - 1]
        law = density(network.init, drawn.fan_in, drawn.fan_out, network.init_scale)
        name = "the output layer" if layer == last else f"layer {layer}"
        figure = figures.weight_histogram(drawn, law, layer=name, color=color, trained=setting.steps > 0)
    with right:
        live_chart("chart_weights", figure)


def show_propagation(setting: InitialSetting, found: InitialNetwork | None) -> None:
    """Draw what theory expects of the activations and gradients of each layer, beside what is measured."""
    st.subheader("Through the layers and back")
    left, right = st.columns([1, 2], gap="large")
    with left:
        st.latex(r"\mathrm{Var}[z]=n_{in}\,\mathrm E[w^2]\,\mathrm E[h^2]")
        st.latex(
            r"\begin{gathered}\mathrm E[\delta^2]=n_{out}\,\mathrm E[w^2]\\ {}\cdot\mathrm E[\delta_{+1}^2]\,"
            r"\mathrm E[f'(z)^2]\end{gathered}"
        )
        st.markdown(
            "A unit adds up many independent terms, so their variances add up too. h is what comes from the layer "
            "below, δ the gradient of the loss with respect to z, δ₊₁ that of the layer above. E[h²] and E[f'²] are "
            f"integrals over the Gaussian that z nearly is ({GLOROT}, eq. 5 and 6; {HE}, eq. 7 and section "
            f"2.2; {POOLE}, eq. 3)."
        )
        st.caption(
            "Saturated: where f's slope is below 5.9% of its steepest; for tanh, an output beyond ±0.97; for ReLU, "
            "the half that is off. The size of a gradient is its root mean square over digits and units; the theory "
            "begins at the measured logits. A weight law with a mean other than 0 adds terms with the sums of h and δ; "
            "what chance does to such sums it does to all units at once, so one network may then lie off the theory. "
            "With batchnorm, z is normalized over the digits and its gradient divided by what it was divided by."
        )
    figure = None
    if found:
        theory = expected_propagation(setting, found)
        figure = figures.layer_propagation(found.propagated, theory, color=color, steps=setting.steps)
    with right:
        live_chart("chart_propagation", figure, height=520)


def show_loss(found: InitialNetwork | None) -> None:
    """Draw the logits and the class probabilities behind the first loss; without charts until they are measured."""
    st.subheader("The first loss, and the logits behind it")
    st.latex(r"\begin{gathered}L=\ln\sum_k e^{z_k}-z_{y}\\ \text{all }z_k\text{ equal: }L=\ln 10\end{gathered}")
    st.markdown(
        "A network that knows nothing should say 10% for every class. Logits that already differ before training make "
        "it sure of something it has not learned, and the loss begins above ln 10."
    )
    left, right = st.columns(2, gap="large")
    with left:
        live_chart("chart_logits", figures.logit_means(found, color=color) if found else None)
    with right:
        live_chart("chart_probabilities", figures.class_probabilities(found) if found else None)


def show_schemes(untrained: InitialSetting) -> None:
    """Draw the same untrained network under each scheme, those derived from a layer's size apart from the others."""
    st.subheader("All schemes")
    network = replace(untrained.network, init="zeros")  # whatever the init is, the question stays the same
    found = ask_later("schemes", task(initialization_tasks.schemes, replace(untrained, network=network), data))
    view = st.segmented_control("Show", list(READ_AS), default="activations", key="initial_view", required=True)
    say(
        "schemes",
        f"Untrained, with the depth, width, activation, scale, inputs and seed of above. {READ_AS[view]}"
        if found
        else "",
        "A worker measures all schemes",
    )
    keys = {False: "chart_schemes", True: "chart_schemes_derived"}
    for place, fits in zip(st.columns(2, gap="large"), keys, strict=True):
        names: dict[str, str] = {key: scheme.name for key, scheme in SCHEMES.items() if scheme.fits_its_layer == fits}
        figure = None
        if found and view == "activations":
            figure = figures.scheme_histograms(found, names, untrained.network.activation)
        elif found:
            figure = figures.scheme_spreads(found, names, found)
        with place:
            live_chart(keys[fits], figure)


def show_derivations(untrained: InitialSetting) -> None:
    """Draw the derivations of Xavier's and He's scheme, each with deep networks at its own scale and around it."""
    st.subheader("Two derivations, and what confirms them")
    # Of the settings only these count: the two networks have a scheme, an activation and a depth of their own.
    network = NetworkConfig(width=untrained.network.width)
    asked = InitialSetting(network, batchnorm=False, standardize=untrained.standardize, seed=untrained.seed)
    found = ask_later("scales", task(initialization_tasks.scales, asked, data))
    say(
        "scales",
        f"{DERIVED_DEPTH} hidden layers of width {network.width}, without batchnorm. Each scheme as derived, and "
        "at half and double its scale."
        if found
        else "",
        "A worker measures six deep networks",
    )
    for place, scheme in zip(st.columns(2, gap="large"), DERIVED, strict=True):
        with place:
            title, steps, words = DERIVATIONS[scheme]
            st.markdown(f"**{title}**")
            st.latex(steps)
            st.markdown(words)
            one = {scale: found[scheme, scale] for scale in DERIVED_SCALES} if found else None
            live_chart(f"chart_{scheme}", figures.derived_scales(one, SCHEMES[scheme].name) if one else None)


def show_signs(untrained: InitialSetting) -> None:
    """Draw how often the gradients of a neuron's weights agree in sign, for raw, standardized and centred inputs."""
    st.subheader("Inputs that are all positive make the gradient zig-zag")
    found = ask_later("signs", task(initialization_tasks.signs, untrained, data))
    left, right = st.columns([1, 2], gap="large")
    with left:
        st.latex(r"\frac{\partial L}{\partial w_i}=\sum_{\text{digits}}\delta\,x_i")
        st.markdown(
            "For one digit, δ is one number for all weights of a neuron. Pixels are never negative, so all these "
            "weights must go up together or down together; a direction in between is only reached by zig-zagging. "
            f"Inputs whose mean is 0 are free of this ({LECUN}, section 4.3)."
        )
        sizes = [size for size in SIGN_BATCHES if size > 1 or not untrained.batchnorm]
        size = st.segmented_control("Digits in the batch", sizes, default=32, key="initial_signs", required=True)
        st.caption(
            "Counted are the weights of pixels that carry ink in the batch. Standardizing with one mean for all "
            "pixels, as is usual for MNIST, still leaves most pixels with a mean of their own."
        )
    with right:
        say("signs", sign_findings(untrained, found, size) if found else "", "A worker looks at the signs")
        live_chart("chart_signs", figures.sign_agreement(found, size) if found else None)


with st.container(key="initial_sections"):
    show_weights(setting, found)
    show_propagation(setting, found)
    show_loss(found)
    show_schemes(untrained)
    show_derivations(untrained)
    show_signs(untrained)
questions.follow()
