"""The ways between the chapters, to the lab, and to the pages that show more."""

from collections.abc import Mapping
from urllib.parse import urlencode

import streamlit as st

from bnviz.experiment.addresses import to_query
from bnviz.experiment.chapter import Act, Page
from bnviz.experiment.config import Experiment
from bnviz.experiment.guesses import Recorded
from bnviz.experiment.scenario import Scenario
from bnviz.experiment.settings import mended
from bnviz.experiment.story import CHAPTERS
from bnviz.ui.components.page_links import PageLink, page_links
from bnviz.ui.web.scripts import page_url

PAGES: dict[Page, str] = {
    "live_lab": "Live lab",
    "inside_batchnorm": "Inside batchnorm",
    "training_and_inference": "Training and inference",
    "initialization": "Initialization",
    "covariate_shift": "Covariate shift",
    "depth_and_architecture": "Depth and architecture",
    "loss_landscape": "Loss landscape",
    "sweep": "Sweep",
    "results": "Results",
}


def chapter_url(number: int) -> str:
    """Return the address of a chapter: '/story/3'."""
    return page_url(f"story/{number}")


def draw_strip(shown: int, records: Mapping[int, Recorded]) -> None:
    """Draw a link to every chapter, and the one that leaves the story."""
    links = [PageLink(page_url("story"), "Story", "All chapters of the story", "plain")]
    for chapter in CHAPTERS:
        guessed = ", guessed" if chapter.number in records else ""
        links.append(
            PageLink(
                chapter_url(chapter.number),
                str(chapter.number),
                f"Chapter {chapter.number}: {chapter.title}{guessed}",
                "done" if guessed else "",
                chapter.number == shown,
            )
        )
    lab = PageLink(_page_address("live_lab"), "Skip to the lab", kind="plain end")
    page_links("story_strip", "Chapters", [*links, lab])


def draw_next(shown: int, *, ready: bool) -> None:
    """Draw the ways on and back; ready: whether this chapter has answered its question."""
    links = []
    if shown + 1 < len(CHAPTERS):
        following = CHAPTERS[shown + 1]
        text = f"Next: {following.number} · {following.title}"
        links.append(PageLink(chapter_url(shown + 1), text, kind="primary" if ready else ""))
    if shown:
        links.append(
            PageLink(chapter_url(shown - 1), "Back", f"Back to chapter {shown - 1}: {CHAPTERS[shown - 1].title}")
        )
    page_links("story_next", "Next and previous chapter", links)


def draw_further(pages: tuple[Page, ...], act: Act | None) -> None:
    """Draw links to the pages that show more of a chapter; its own networks are open in the lab."""
    links = []
    for name in pages:
        if name == "live_lab" and act is not None and isinstance(act.what, Scenario):
            links.append(PageLink(_lab_address(act.what.experiment), "These networks in the lab"))
        else:
            links.append(PageLink(_page_address(name), PAGES[name]))
    page_links("story_further", "More about it", links)


def _page_address(name: Page) -> str:
    """A page's address with the settings of this session, which the page would else take back to the defaults."""
    if "settings" in st.session_state and name not in ("sweep", "results"):
        return _with_settings(name, mended(st.session_state["settings"])[0])
    return page_url("" if name == "live_lab" else name)


def _lab_address(experiment: Experiment) -> str:
    return _with_settings("live_lab", experiment)


def _with_settings(name: Page, experiment: Experiment) -> str:
    address, query = page_url("" if name == "live_lab" else name), urlencode(to_query(experiment))
    return f"{address}?{query}" if query else address
