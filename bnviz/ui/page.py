"""What every page has: its title, an address that holds the experiment, and what was refused."""

from collections.abc import Callable, Mapping, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from bnviz.experiment.config import Experiment
from bnviz.ui import controls, settings_table
from bnviz.ui.components.skip_links import skip_links

PROBLEMS = 12  # shown at once


def begin(skip_to: Mapping[str, str] | None = None) -> None:
    """Begin a page with the links that skip to its places, by default to its title."""
    with st.container(key="skipping"):
        skip_links(skip_to or {"Skip to the page": "h1"})


def open_page(title: str) -> Experiment:
    """Draw the title of a page, and return the experiment of its address.

    Pages about something else keep the experiment in their address too: a reload on any page, and a return to the live
    lab from there, find it again.
    """
    begin()
    st.title(title)
    experiment = controls.chosen_experiment()
    show_problems()
    return experiment


def show_problems() -> None:
    """Draw what was refused, at most PROBLEMS lines and how many more there are, with a button that dismisses it."""
    with st.container(key="problems"):  # always there: what comes and goes above the charts would mount them anew
        if found := settings_table.problems():
            lines = [f"- {line}" for line in found[:PROBLEMS]]
            more = [f"- … and {len(found) - PROBLEMS:,} more"] if len(found) > PROBLEMS else []
            st.warning("\n".join(lines + more), icon=":material/warning:")
            st.button("Dismiss", key="dismiss_problems", on_click=found.clear)


def heading(text: str, help: str) -> DeltaGenerator:
    """The title of a chart, with its explanation behind a question mark. Returns the rest of its row, for options."""
    key = "heading_" + text.lower().replace(" ", "_")
    row = st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", key=key)
    row.markdown(f"**{text}**", help=help, width="content")
    return row


def table(rows: Sequence[Mapping[str, str]]) -> None:
    """Draw rows of text under their keys, as words of the page: st.table comes later, and moves what follows."""
    cells = [list(rows[0]), ["---"] * len(rows[0]), *(row.values() for row in rows)]
    st.markdown("\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells))


def plain(text: str) -> str:
    """Return a stranger's words so that Markdown shows them as they are: no markup, no picture, no link."""
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]<>#+!|~$:" else letter for letter in " ".join(text.split()))


def csv_button(key: str, name: str, content: Callable[[], str], place: DeltaGenerator | None = None) -> None:
    """A table as a file, made when it is asked for."""
    button = place.download_button if place is not None else st.download_button
    button("CSV", content, f"{name}.csv", "text/csv", key=key, on_click="ignore")


def choose_quantity(place: DeltaGenerator, label: str, key: str, *, labelled: bool) -> str:
    """Mean output or saturated share of the neurons."""
    names = {"mean": "mean output", "saturated": "saturated share"}
    chosen: str = place.segmented_control(
        label,
        list(names),
        format_func=names.__getitem__,
        default="mean",
        key=key,
        required=True,
        label_visibility="visible" if labelled else "collapsed",
        help="Mean over the digits, or the share of digits at which the neuron is saturated." if labelled else None,
    )
    return chosen
