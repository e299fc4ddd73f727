"""The loss landscape: is it smoother with batchnorm? Measured on the live lab's networks."""

import streamlit as st

from bnviz.ui import page
from bnviz.ui.ravine import ravine_and_bowl

page.style()
st.title("Loss landscape")
page.heading("Ravine and bowl", "")
ravine_and_bowl()
