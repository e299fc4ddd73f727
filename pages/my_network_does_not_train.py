"""My network does not train: what one sees, an experiment that shows it on purpose, and what to check."""

import streamlit as st

from bnviz.experiment.symptoms import SYMPTOMS, Symptom
from bnviz.ui import page, settings_table

COLUMN_WIDTHS = [5, 6, 6, 2]

page.open_page("My network does not train")
st.markdown(
    "Find what you see in the first column. Each experiment fails on purpose in this very way, beside a network that "
    "does not; open it in the live lab, press *Train*, and compare with your own."
)


def row(key: str, symptom: Symptom) -> None:
    """Draw one symptom: its sign, its cause, what to check, and the button that opens its experiment in the lab."""
    with st.container(key=f"symptom_{key}", border=True):
        sign, experiment, check, button = st.columns(COLUMN_WIDTHS, vertical_alignment="center")
        sign.markdown(f"**{symptom.sign}**")
        experiment.markdown(f"{symptom.cause}")
        experiment.caption(symptom.shows)
        check.markdown(f"Check: {symptom.check[0].lower()}{symptom.check[1:]}")
        if button.button("Open in the lab", key=f"open_{key}"):
            settings_table.load(symptom.experiment)
            st.switch_page("pages/live_lab.py")


with st.container(key="symptoms"):
    for key, symptom in SYMPTOMS.items():
        row(key, symptom)
