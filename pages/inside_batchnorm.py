"""Inside batchnorm: one small batch through the layer and back, and why the layer is made as it is."""

import numpy as np
import streamlit as st

from bnviz import figures
from bnviz.engine.in_worker.autograd_task import batchnorm_gradients
from bnviz.experiment.naming import network_conditions, network_names
from bnviz.experiment.wording import significant
from bnviz.figures.style import Figure
from bnviz.records.questions import InputsOfLayer
from bnviz.theory import walkthrough
from bnviz.theory.walkthrough import COORDINATE_LIMIT, EPS, SHOWN_SCALES, Array, Walk
from bnviz.ui import page, session
from bnviz.ui.asking.at_once import ask
from bnviz.ui.asking.tasks import inquiries, task
from bnviz.ui.components.browser_ids import tab_id
from bnviz.ui.components.live_chart import live_chart
from bnviz.ui.components.live_slider import live_slider, set_slider, slider_value
from bnviz.ui.sections.over_which_axes import over_which_axes

PAPER = "[Ioffe and Szegedy 2015](https://arxiv.org/abs/1502.03167)"
AFFINE = (("gamma", "beta"), ("gamma_2", "beta_2"))  # slider keys, a pair a dimension
NAMES = ("x₁", "x₂")
SOURCES = ("my points", "the live run's layer")
DIGITS, MOST_DIGITS = 64, 256  # of the live run, in a batch
AUTOGRAD_WAIT = 0.3  # seconds that a rerun waits for PyTorch's answer, so that most changes need only one

CLOSED_FORM = r"""\begin{aligned}\frac{\partial L}{\partial x_i}=\frac{\gamma}{\sqrt{\sigma^2+\varepsilon}}\Big(
&\frac{\partial L}{\partial y_i}-\frac1N\sum_j\frac{\partial L}{\partial y_j}\\
&-\frac{\hat x_i}{N}\sum_j\frac{\partial L}{\partial y_j}\hat x_j\Big)\end{aligned}"""
LEARNED = r"""\frac{\partial L}{\partial\gamma}=\sum_i\frac{\partial L}{\partial y_i}\hat x_i,\qquad
\frac{\partial L}{\partial\beta}=\sum_i\frac{\partial L}{\partial y_i}"""

page.open_page("Inside batchnorm")
st.markdown(
    "Batch normalization gives every unit of a layer mean 0 and variance 1 over the batch, then lets the network "
    f"choose another mean β and scale γ ({PAPER}, algorithm 1). Everything here is computed while you look at it."
)
questions = inquiries()
tab = tab_id()
st.session_state.pop("no_live_run", None)


def set_affine(gamma: Array, beta: Array) -> None:
    """Set the sliders of γ and β, from the (2,) values of both dimensions; only in a callback."""
    for i, (gamma_key, beta_key) in enumerate(AFFINE):
        set_slider(gamma_key, float(gamma[i]))
        set_slider(beta_key, float(beta[i]))


def new_points() -> None:
    """Have the table begin with other random points, from the next run of the page on."""
    st.session_state["points_seed"] = st.session_state.get("points_seed", 0) + 1


def edited_points() -> Array:
    """The points of the table; if it holds something else, a message and the last points that were good."""
    seed = st.session_state.setdefault("points_seed", 0)
    points = walkthrough.sample_points(seed)
    columns = {name: st.column_config.NumberColumn(format="%.2f") for name in NAMES}
    edited = st.data_editor(
        dict(zip(NAMES, points.T.tolist(), strict=True)),
        num_rows="dynamic",
        height=250,
        key=f"points_{seed}",
        column_config=columns,
        alt="The points of the batch",
    )
    rows: Array = np.array([edited[name] for name in NAMES], dtype=float).T  # an empty cell, None, becomes NaN
    st.caption(
        f"Edit the points or add rows below the last: numbers from −{COORDINATE_LIMIT:g} to {COORDINATE_LIMIT:g}."
    )
    st.button("New points", key="new_points", icon=":material/casino:", on_click=new_points)
    if found := walkthrough.problems(NAMES, rows.tolist()):
        more = [f"… and {len(found) - 3} more."] if len(found) > 3 else []
        st.warning("  \n".join(found[:3] + more), icon=":material/warning:")
        st.caption("The pictures show the last points that were in order.")
        good: Array = st.session_state.get("good_points", points)
        return good
    st.session_state["good_points"] = rows
    return rows


def layer_units() -> tuple[Array, tuple[str, str]] | None:
    """What reaches the batchnorm of two units of the live lab's network; None, with a message, if there is none."""
    # Not asked again at every move of a slider: an engine that does not answer takes its time.
    run = session.find_run(tab) if "no_live_run" not in st.session_state else None
    if run is None:
        st.session_state["no_live_run"] = True
        st.info("This tab has no live run yet. Open the live lab, then come back.", icon=":material/info:")
        st.page_link("pages/live_lab.py", label="Live lab", icon=":material/arrow_forward:")
        return None
    experiment = run.experiment
    first, second = st.columns(2)
    normalized = [place for place, variant in enumerate(experiment.variants) if variant.batchnorm]
    variant = first.selectbox(
        "Network",
        range(len(experiment.variants)),
        [*normalized, 0][0],
        format_func=network_names(experiment).__getitem__,
    )
    network = experiment.variants[variant].network
    layer = second.selectbox("Layer", range(len(network.hidden)), format_func=lambda number: f"{number + 1}")
    count = network.hidden[layer].units
    units = (
        first.number_input("Unit across", 1, count, 1) - 1,
        second.number_input("Unit up", 1, count, min(2, count)) - 1,
    )
    digits = first.number_input("Digits", 2, MOST_DIGITS, DIGITS)
    second.button("Look again", key="look_again", icon=":material/refresh:", on_click=forget_layer)
    wanted = (experiment, variant, layer, units, digits)
    kept = st.session_state.get("layer_inputs")
    if kept is None or kept[0] != wanted:
        inputs = ask(run, InputsOfLayer(variant, layer, units, digits))
        if inputs is None:
            return None
        if not np.isfinite(inputs.values).all():
            st.info("This network has diverged: its values are no numbers.", icon=":material/info:")
            return None
        kept = st.session_state["layer_inputs"] = (wanted, inputs.values.astype(float), inputs.step)
    what = "What reaches batchnorm" if variant in normalized else "Pre-activations, which no batchnorm normalizes,"
    st.caption(
        f"{what} in the network {network_conditions(experiment)[variant]}, layer {layer + 1}, after {kept[2]:,} steps, "
        f"for {digits} training digits."
    )
    return kept[1], (f"unit {units[0] + 1}", f"unit {units[1] + 1}")


def forget_layer() -> None:
    """Drop the kept values of the live run's layer, so that the page asks for new ones."""
    st.session_state.pop("layer_inputs", None)


def gradients_check(walk: Walk) -> Figure:
    """The three gradients of this batch against one another; PyTorch's come from a worker."""
    x, gamma, beta, dout = (walkthrough.hashable(array) for array in (walk.x, walk.gamma, walk.beta, walk.dout))
    answer = questions.ask(
        "autograd", task(batchnorm_gradients, x, gamma, beta, dout, walk.eps), wait=AUTOGRAD_WAIT, haste=True
    )
    why = questions.failure("autograd")
    note = f"PyTorch's autograd is missing here. {why}" if why else "PyTorch's answer is on its way."
    staged = walk.gradients["x"], walk.gradients["gamma"], walk.gradients["beta"]
    return figures.gradient_check(walk.closed, staged, answer, "" if answer else note)


@st.fragment
def batch() -> None:
    """Draw a batch before and after batchnorm, then its computational graph step by step."""
    st.subheader("A batch before and after")
    left, right = st.columns([2, 3], gap="large")
    with left:
        st.latex(r"\hat x_i=\frac{x_i-\mu}{\sqrt{\sigma^2+\varepsilon}},\qquad y_i=\gamma\,\hat x_i+\beta")
        st.caption(
            f"μ and σ² are the mean and the variance over the batch, for each dimension on its own; ε = "
            f"{significant(EPS)} keeps the root from zero."
        )
        source = st.segmented_control("Batch", SOURCES, default=SOURCES[0], key="source", required=True)
        with st.container(key="batch_source"):  # what comes and goes in it must not mount the sliders below anew
            taken = layer_units() if source == SOURCES[1] else None
            x, names = taken or (edited_points(), NAMES)
        walk = walkthrough.walk(x, *affine_sliders())
        buttons = st.container(horizontal=True)
        buttons.button("γ = σ, β = μ", key="identity", on_click=set_affine, args=walkthrough.undoing(x))
        buttons.button("γ = 1, β = 0", key="standard", on_click=set_affine, args=(np.ones(2), np.zeros(2)))
        st.markdown(
            f"Largest difference between output and input: **{significant(walk.largest_change)}**. With γ = √(σ² + ε) "
            "and β = μ the layer gives back what it got, so normalizing takes nothing away that the network could not "
            f"restore ({PAPER}, section 3)."
        )
    follow = min(round(slider_value("follow", 1)), len(x)) - 1
    with right:
        live_chart("chart_points", figures.batch_points(x, walk.y, names=names, follow=follow), height=470)
        live_chart("chart_histograms", figures.batch_histograms(x, walk.y, names=names), height=230)
    steps(walk, follow)


def affine_sliders() -> tuple[Array, Array]:
    """γ and β of both dimensions."""
    gammas, betas = [], []
    for index, (gamma_key, beta_key) in zip("₁₂", AFFINE, strict=True):
        scale, shift = st.columns(2)
        with scale:
            gammas.append(live_slider(f"γ{index}", -3, 5, 1, key=gamma_key, step=0.05))
        with shift:
            betas.append(live_slider(f"β{index}", -10, 10, 0, key=beta_key, step=0.1))
    return np.array(gammas), np.array(betas)


def steps(walk: Walk, follow: int) -> None:
    """The layer's computational graph, forward or back, and the gradient in one formula."""
    st.subheader("Step by step, and back")
    left, right = st.columns(2, gap="large")
    with left:
        way = st.segmented_control("Show", ["forward", "backward"], default="forward", key="way", required=True)
        live_slider("Follow the point in row", 1, len(walk.x), 1, key="follow", step=1)
        nodes = walk.gradients if way == "backward" else walk.values
        live_chart(
            "chart_graph", figures.computation_graph(nodes, backward=way == "backward", follow=follow), height=520
        )
        st.caption(
            "Violet: a row for every point; shown is that of the followed one. Grey: one number for each dimension, "
            "shared by the whole batch. Green: learned. Backward, ∂ stands for the gradient of L = ½ Σ (y − t)² "
            "with a random target t for every point; where two arrows meet, gradients add up."
        )
    with right:
        st.markdown("**The whole gradient in one formula**")
        st.latex(CLOSED_FORM)
        st.latex(LEARNED)
        st.markdown(
            "The two sums are there because every point moves μ and σ², and with them every other point. They take out "
            "of the gradient what would only shift or stretch the batch: over the points, ∂L/∂x sums to "
            f"**{significant(walk.gradient_sum)}** ({PAPER}, the gradients below algorithm 1)."
        )
        live_chart("chart_gradients_check", gradients_check(walk))


@st.fragment
def bias() -> None:
    """Show that a bias before batchnorm does nothing, BN(Wu + b) = BN(Wu), and that its gradient is zero."""
    st.subheader("A bias before batchnorm does nothing")
    left, right = st.columns([2, 3], gap="large")
    with left:
        st.latex(r"\mathrm{BN}(Wu+b)=\mathrm{BN}(Wu)")
        st.markdown(
            "The bias b moves every value of the batch, the mean moves with them, and the difference stays. Nor can b "
            f"learn: its gradient is zero. β does its work; leave b out ({PAPER}, section 3.2)."
        )
        b = live_slider("Bias b", -10, 10, 5, key="bias", step=0.1)
        changed = walkthrough.change_weights(bias=b)
    with right:
        figure = figures.bias_effect(
            changed.before,
            changed.after,
            bias=b,
            difference=changed.largest_difference,
            gradient=changed.bias_gradient,
        )
        live_chart("chart_bias", figure)


@st.fragment
def scale() -> None:
    """Show that weights a times as large leave the output as it is, and make their own gradient a times as small."""
    st.subheader("Larger weights change nothing but their own gradient")
    left, right = st.columns([2, 3], gap="large")
    with left:
        st.latex(r"\mathrm{BN}(aWu)=\mathrm{BN}(Wu)")
        st.latex(
            r"\frac{\partial\,\mathrm{BN}(aWu)}{\partial(aW)}=\frac1a\cdot\frac{\partial\,\mathrm{BN}(Wu)}{\partial W}"
        )
        st.markdown(
            "Weights a times as large give the same output, and a gradient a times as small: large weights take small "
            f"steps, which steadies their growth ({PAPER}, section 3.3). The equations hold for ε = 0; what is left of "
            "the difference is the work of ε, largest if a makes the variance small."
        )
        a = live_slider("Scale a of the weights", 0.1, 10, 3, key="scale", log=True)
        changed = walkthrough.change_weights(scale=a)
    was, now = changed.weight_gradient_norms
    norms = walkthrough.gradient_norms(SHOWN_SCALES)
    outputs, gradient = right.columns([3, 2])
    with outputs:
        figure = figures.scale_effect(changed.before, changed.after, scale=a, difference=changed.largest_difference)
        live_chart("chart_scale", figure)
    with gradient:
        live_chart("chart_scale_gradient", figures.scale_gradient(SHOWN_SCALES, norms, scale=a, now=now, was=was))


@st.fragment
def runaway() -> None:
    """Show how a bias grows without bound if its gradient takes μ and σ² for given numbers."""
    st.subheader("Statistics kept out of the gradient: a bias runs away")
    left, right = st.columns([2, 3], gap="large")
    with left:
        st.latex(r"b\leftarrow b-\eta\,\frac{\partial L}{\partial b},\qquad\hat x=\mathrm{BN}(u+b)")
        st.markdown(
            "Normalize between two steps of gradient descent and treat μ and σ² as given numbers: the gradient then "
            "asks for a larger b at every step, the normalization takes it out again, and b grows without bound while "
            f"the loss stays where it was ({PAPER}, section 2). Through the statistics, the gradient of b is zero."
        )
        steps = round(live_slider("Steps", 10, 500, 200, key="steps", step=10))
        rate = live_slider("Learning rate η", 0.01, 1, 0.1, key="rate", log=True)
        learn_beta = st.toggle("Learn β as well", key="learn_beta")
        found = walkthrough.descend(steps, rate, learn_beta=learn_beta)
        if learn_beta:
            st.caption(
                "β now fits what the bias could not: the loss falls in both, and the runaway bias comes to rest."
            )
    with right:
        live_chart("chart_runaway", figures.runaway_bias(found.bias, found.loss))


batch()
over_which_axes()
bias()
scale()
runaway()
questions.follow()
