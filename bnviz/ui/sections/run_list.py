"""The list of a visitor's own runs: searched, sorted, named, compared, deleted and brought back."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from bnviz.experiment.wording import percent
from bnviz.export.run_file import RunFileError, from_bytes
from bnviz.store.errors import StoreError
from bnviz.store.rows import RunRow
from bnviz.store.store import Sort, Store
from bnviz.ui import settings_table
from bnviz.ui.sections.run_comparison import compare

ROWS_SHOWN = 200  # rows at once; a search finds the others
MOST_COMPARED = 6
MOST_UPLOADED = 64  # MB; two networks of five layers take 1.5
SORTS: dict[Sort, str] = {
    "newest": "newest first",
    "oldest": "oldest first",
    "name": "by name",
    "accuracy": "by accuracy",
    "test loss": "by test loss",
    "steps": "by steps",
    "size": "by size",
}


def run_list(store: Store, visitor: str) -> None:
    """Draw the list, and what may be done with the runs that are chosen in it. Raises StoreError."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="runs_controls"):
        search = st.text_input("Search", key="runs_search", placeholder="name, tag, note or setting", max_chars=200)
        sort = st.selectbox("Sort", list(SORTS), format_func=SORTS.__getitem__, key="runs_sort", width=190)
    rows = store.listed(visitor, search=search, sort=sort, limit=ROWS_SHOWN)
    _offer_undo(store, visitor)
    if not rows:
        found_none = "No run fits the search." if search else "No runs yet: train one in the live lab to its end."
        st.info(found_none, icon=":material/info:")
    chosen = _table(rows) if rows else []
    if len(chosen) == 1:
        _one(store, visitor, chosen[0])
    elif chosen:
        compare(store, chosen[:MOST_COMPARED])
    st.file_uploader(
        "Open a run from a file (.bnviz)",
        "bnviz",
        key="runs_upload",
        on_change=_take_in,
        args=(store, visitor),
        max_upload_size=MOST_UPLOADED,
    )


def _table(rows: Sequence[RunRow]) -> list[RunRow]:
    """Draw the rows. Returns those that are chosen."""
    event: Any = st.dataframe(
        [_cells(row) for row in rows],
        column_config={
            "Loss": st.column_config.LineChartColumn("Loss of network A"),
            "Loss B": st.column_config.LineChartColumn("Loss of network B"),
            "When": st.column_config.DatetimeColumn("When", format="distance"),
        },
        hide_index=True,
        key="runs_table",
        on_select="rerun",
        selection_mode="multi-row",
    )
    st.caption(f"Choose one run to open, name or delete it, and up to {MOST_COMPARED} to compare them.")
    return [rows[place] for place in event.selection.rows if place < len(rows)]


def _cells(row: RunRow) -> dict[str, Any]:
    curves = [list(network.curve) for network in row.networks]
    ends = [f"{network.name} {percent(network.accuracy)}" for network in row.networks]
    return {
        "Name": row.name or "–",
        "What is special": row.special or "the usual settings",
        "Test accuracy": " · ".join(ends),
        "Loss": curves[0],
        "Loss B": curves[1] if len(curves) > 1 else [],
        "Steps": row.steps,
        "When": row.created,
        "Tags": ", ".join(row.tags),
        "Note": row.note,
        "Kept": "pinned" if row.pinned else "",
    }


def _one(store: Store, visitor: str, row: RunRow) -> None:
    with st.form(f"run_{row.id}", border=True):
        name = st.text_input("Name", row.name, max_chars=200)
        tags = st.text_input("Tags, with commas between them", ", ".join(row.tags), max_chars=400)
        note = st.text_area("Note", row.note, max_chars=4000)
        pinned = st.checkbox("Keep it when room is needed", row.pinned)
        if st.form_submit_button("Save"):
            store.rename(row.id, visitor, name)
            store.tag(row.id, visitor, tags.split(","))
            store.annotate(row.id, visitor, note)
            store.pin(row.id, visitor, pinned)
            st.rerun()
    with st.container(horizontal=True):
        if st.button("Open", key="run_open", type="primary", icon=":material/open_in_full:"):
            st.query_params["id"] = row.id
            st.rerun()
        if st.button("Delete", key="run_delete", icon=":material/delete:"):
            store.delete(row.id, visitor)
            st.session_state["deleted_run"] = row.id, row.name or row.special or "the run"
            st.rerun()


def _offer_undo(store: Store, visitor: str) -> None:
    if (deleted := st.session_state.get("deleted_run")) is None:
        return
    run_id, name = deleted
    with st.container(horizontal=True, vertical_alignment="center", key="runs_undo"):
        st.text(f"Deleted: {name}.", width="content")
        if st.button("Undo", key="run_undo"):
            if not store.restore(run_id, visitor):
                settings_table.problems().append("The run is gone: it was deleted for good.")
            del st.session_state["deleted_run"]
            st.rerun()


def _take_in(store: Store, visitor: str) -> None:
    if (uploaded := st.session_state.get("runs_upload")) is None:
        return
    try:
        store.keep(from_bytes(uploaded.getvalue()), visitor, name=uploaded.name.removesuffix(".bnviz")[:200])
        st.toast("The run is in your list.", icon=":material/check:")
    except (RunFileError, StoreError) as error:
        settings_table.problems().append(f"{uploaded.name}: {error}")
