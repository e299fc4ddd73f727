"""Your networks: those of your own that `bnviz.watch` watches or has watched, live, and what is wrong with them."""

import streamlit as st

from bnviz.store.errors import StoreError
from bnviz.ui import page, settings_table
from bnviz.ui.sections.watched_list import watched_list
from bnviz.ui.sections.watched_run import show_watched
from bnviz.ui.web.kept import watched_store

page.open_page("Your networks")
run_id = st.query_params.get("id")
try:
    if run_id:
        if st.button("All watched networks", key="all_watched", icon=":material/arrow_back:"):
            del st.query_params["id"]
            st.rerun()
        if watched_store().get(run_id) is None:
            st.warning(
                "There is no watched network at this address: it was deleted, or the address is not whole.",
                icon=":material/link_off:",
            )
        else:
            show_watched(watched_store(), run_id)
    else:
        watched_list(watched_store())
except StoreError as error:
    st.error(f"Watched networks cannot be reached now: {error}", icon=":material/cloud_off:")
    st.button("Try again", key="retry_store")
settings_table.drawn()
