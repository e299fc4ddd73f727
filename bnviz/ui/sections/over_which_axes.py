"""The section on axes: which values of a batch share one statistic, for batchnorm and for each normalizer beside it."""

import streamlit as st

from bnviz import figures
from bnviz.experiment.sweep import AXES, BATCH
from bnviz.theory import walkthrough
from bnviz.ui.components.live_chart import live_chart
from bnviz.ui.components.live_slider import live_slider

_PAPER = "[Ioffe and Szegedy 2015](https://arxiv.org/abs/1502.03167), section 3.2"
_ABOUT = {  # the statistics of a dense and of a convolutional input as formulas, and in words
    BATCH: (
        r"\begin{gathered}\mu_c=\frac1N\sum_n x_{nc}\\ \mu_c=\frac{1}{NHW}\sum_{n,h,w}x_{nchw}\end{gathered}",
        "A dense layer has a mean and a variance for every unit. A convolution uses the same weights at every "
        "place of the map, so a channel has one mean over all places of all images: a batch of N maps counts as N · H "
        f"· W values ({_PAPER}). γ and β are as many as the means.",
    ),
    "layer": (
        r"\begin{gathered}\mu_n=\frac1C\sum_c x_{nc}\\ \mu_n=\frac{1}{CHW}\sum_{c,h,w}x_{nchw}\end{gathered}",
        "Every digit has a mean and a variance of its own, over all its units: none of a batch, and none to "
        "remember for inference (Ba et al. 2016). γ and β are one for each unit, after a convolution for each place.",
    ),
    "group": (
        r"\begin{gathered}\mu_{ng}=\frac GC\sum_{c\in g}x_{nc}\\ "
        r"\mu_{ng}=\frac{G}{CHW}\sum_{c\in g,h,w}x_{nchw}\end{gathered}",
        "Every digit has a mean and a variance for each group of units, here two groups (Wu and He 2018). One "
        "group has the statistics of layer norm, as many as channels those of instance norm. γ and β are one for each "
        "unit or channel.",
    ),
    "instance": (
        r"\mu_{nc}=\frac{1}{HW}\sum_{h,w}x_{nchw}",
        "Every map of every digit has a mean and a variance of its own (Ulyanov et al. 2016). In a dense layer "
        "there is one value and nothing to compare it with. γ and β are one for each channel.",
    ),
    "rms": (
        r"\begin{gathered}r_n^2=\frac1C\sum_c x_{nc}^2\\ r_n^2=\frac{1}{CHW}\sum_{c,h,w}x_{nchw}^2\end{gathered}",
        "Every digit is divided by the root mean square of all its units; no mean is taken away (Zhang and Sennrich "
        "2019). It has γ and no β.",
    ),
    "weight": (
        r"\begin{gathered}\mu_c=\frac1I\sum_i W_{ic}\\ \mu_c=\frac{1}{Ikk}\sum_{i,h,w}W_{ichw}\end{gathered}",
        "No activation is looked at: the weights of each unit lose their mean and get length 1 (Qiao et al. "
        "2019). Here the two tables stand for weights, and a convolution's block for a kernel k × k. "
        "It has γ and no β.",
    ),
}


@st.fragment
def over_which_axes() -> None:
    """Show which values of a dense and of a convolutional input one statistic of each normalizer is taken over."""
    st.subheader("Over which axes")
    left, right = st.columns([2, 3], gap="large")
    with left:
        setting = AXES["normalizer"]
        kind = st.selectbox(
            "Normalizer", setting.choices[1:], format_func=setting.name_of, key="axes_of", label_visibility="collapsed"
        )
        formulas, words = _ABOUT[kind]
        st.latex(formulas)
        st.markdown(f"{words}\n\nOutlined: the values of one statistic. Colour: green above 0, purple below.")
        dense, convolutional = walkthrough.example_inputs()
        channel = round(live_slider("Unit or channel", 1, dense.shape[1], 2, key="channel", step=1)) - 1
    with right:
        live_chart("chart_axes", figures.statistics_axes(dense, convolutional, channel=channel, kind=kind))
