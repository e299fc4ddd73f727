"""Runs: those that this visitor has trained, watched networks beside them, and any run by its address."""

import streamlit as st

from bnviz.store.errors import StoreError
from bnviz.store.keeper import runs_are_kept
from bnviz.ui import page, settings_table
from bnviz.ui.components.browser_ids import tab_id, visitor_id
from bnviz.ui.sections.run_list import run_list
from bnviz.ui.sections.stored_run import show_kept
from bnviz.ui.sections.watched_list import watched_beside_runs
from bnviz.ui.web.kept import store, watched_store

page.open_page("Runs")
visitor, tab = visitor_id(), tab_id()
run_id = st.query_params.get("id")
try:
    if not runs_are_kept():
        st.info("This server keeps no runs (BNVIZ_RUNS=off).", icon=":material/info:")
    elif run_id:
        if st.button("All my runs", key="all_runs", icon=":material/arrow_back:"):
            del st.query_params["id"]
            st.rerun()
        if (kept := store().get(run_id)) is None:
            st.warning(
                "There is no run at this address: it was deleted, or the address is not whole.",
                icon=":material/link_off:",
            )
        else:
            show_kept(run_id, kept, tab)
    elif visitor is not None:
        st.markdown(
            "Kept on this server, for this browser alone: runs that reached their end, were pinned, or were shared. "
            "Nobody else sees the list; whoever has the address of a run sees that run."
        )
        run_list(store(), visitor)
        watched_beside_runs(watched_store())
except StoreError as error:
    st.error(f"Kept runs cannot be reached now: {error}", icon=":material/cloud_off:")
    st.button("Try again", key="retry_store")
settings_table.drawn()
