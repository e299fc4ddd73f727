"""The web app: `streamlit run app.py`.

Streamlit imports this file once as the module `app`, for the server, and runs it as a script for every visitor.
"""

import streamlit as st
from starlette.middleware import Middleware
from streamlit.runtime.pages_manager import PagesManager

from bnviz.ui.components.browser_ids import introduce
from bnviz.ui.sections.story.pages import story_pages
from bnviz.ui.web.headers import Guarded
from bnviz.ui.web.server import lifespan, routes

if __name__ == "app":
    # Else a server's very first visitor, where the address is that of another page, gets it without this file.
    PagesManager.uses_pages_directory = False
    app = st.App("app.py", lifespan=lifespan, routes=routes(), middleware=[Middleware(Guarded)])
else:
    st.set_page_config(
        page_title="bnviz: batch normalization, live", page_icon="📊", layout="wide", initial_sidebar_state="collapsed"
    )
    page = st.navigation(
        [
            st.Page("pages/live_lab.py", title="Live lab", default=True),
            *story_pages(),
            st.Page("pages/inside_batchnorm.py", title="Inside batchnorm"),
            st.Page("pages/training_and_inference.py", title="Training and inference"),
            st.Page("pages/initialization.py", title="Initialization"),
            st.Page("pages/covariate_shift.py", title="Covariate shift"),
            st.Page("pages/depth_and_architecture.py", title="Depth and architecture"),
            st.Page("pages/loss_landscape.py", title="Loss landscape"),
            st.Page("pages/sweep.py", title="Sweep"),
            st.Page("pages/runs.py", title="Runs"),
            st.Page("pages/your_networks.py", title="Your networks"),
            st.Page("pages/results.py", title="Results"),
            st.Page("pages/my_network_does_not_train.py", title="My network does not train"),
        ],
        position="top",
    )
    introduce()
    page.run()
