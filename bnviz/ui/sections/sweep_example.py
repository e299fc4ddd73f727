"""A finished sweep to look at before one has trained one's own; sweep_example.parquet holds it.

Made by `python -m bnviz sweep sweep_example.json --out sweep_example.parquet`, with the two files beside this one.
"""

from pathlib import Path

import streamlit as st

from bnviz import figures
from bnviz.experiment.sweep import Sweep
from bnviz.experiment.sweep_addresses import to_json
from bnviz.experiment.wording import counted
from bnviz.export.sweep import from_parquet
from bnviz.findings.sweep import sweep_findings
from bnviz.records.sweep import SweepResults
from bnviz.ui.components.live_chart import live_chart, unchanged
from bnviz.ui.sections import sweep_form

FILE = Path(__file__).with_suffix(".parquet")
DEFINITION = Path(__file__).with_suffix(".json")


@st.cache_resource(show_spinner=False)
def sweep_example() -> tuple[Sweep, SweepResults]:
    """Return the example's definition, and what was found."""
    return from_parquet(FILE.read_bytes())


def show_sweep_example() -> None:
    """Draw the example: what it shows, in a sentence and as a chart, and how it was made."""
    sweep, found = sweep_example()
    st.subheader("A finished example: how large may the weights be?")
    st.markdown(" ".join(sweep_findings(sweep, found)))
    live_chart("chart_sweep_example", unchanged(figures.sweep_lines(sweep, found, "train_loss"), to_json(sweep)))
    st.caption(
        f"{sweep.count} networks with one hidden layer of {sweep.network.width} tanh neurons and weights U[0,1) times "
        f"the scale, {counted(sweep.seeds, 'seed')}, {sweep.training.steps:,} steps on MNIST. Made by "
        "`python -m bnviz sweep`; the button sets the controls above to it."
    )
    st.button("Use these settings", key="sweep_use_example", on_click=sweep_form.load, args=(sweep,))
