"""The last chapter: the guesses beside what was measured, and what to check in a network of one's own."""

from collections.abc import Iterable, Mapping
from html import escape

import streamlit as st

from bnviz.experiment.guesses import Recorded
from bnviz.experiment.story import CHAPTERS
from bnviz.experiment.wording import listed
from bnviz.findings.guesses import comparison, told
from bnviz.ui.sections.story import links

CHECKLIST = (
    ("The first loss", "Is it near ln(number of classes)? Far above it, the last layer's weights are too large.", (0,)),
    (
        "Histograms of every layer",
        "Are tanh or sigmoid outputs at their ends? Does a unit answer every input alike?",
        (2,),
    ),
    ("The init", "Does it fit the activation and the number of inputs: Xavier for tanh, He for ReLU?", (3, 4)),
    ("The gradient of every layer", "Does it have about the same size in the first layer and in the last?", (2, 10)),
    ("The step", "Is an update about a thousandth of the weights? Much more or less: change the learning rate.", (2,)),
    ("Biases", "A bias before batchnorm does nothing: leave it out.", (6,)),
    ("The batch size", "With a few examples a batch (on each device!), use layer or group normalization.", (7, 11)),
    (
        "The mode",
        "model.train() while training, model.eval() before testing: the same answer in any batch?",
        (9,),
    ),
)


def show_recap(records: Mapping[int, Recorded]) -> bool:
    """Draw the table of guesses, the checklist and links. Returns that the chapter has nothing more to answer."""
    st.subheader("Your guesses", anchor=False)
    if records:
        st.html(_table(records))
    else:
        st.info("This tab has no guesses yet. The story begins with chapter 0.", icon=":material/info:")
    st.subheader("A network that does not train: what to check", anchor=False)
    lines = []
    for name, question, chapters in CHECKLIST:
        where = listed([f"[{number}]({links.chapter_url(number)})" for number in chapters])
        lines.append(f"- **{name}.** {question} Chapter{'s' * (len(chapters) > 1)} {where}.")
    st.markdown("\n".join(lines))
    links.draw_further(CHAPTERS[-1].further, None)
    return True


def _table(records: Mapping[int, Recorded]) -> str:
    """One row a chapter, in HTML: what was asked, guessed and measured."""
    rows = []
    for chapter in CHAPTERS:
        if chapter.guess is None or (record := records.get(chapter.number)) is None:
            continue
        answer, truth = record.answer, record.truth
        guessed = "no guess" if answer is None else told(chapter.guess, answer)
        found = "not measured yet" if truth is None else told(chapter.guess, truth)
        off = comparison(chapter.guess, answer, truth) if answer is not None and truth is not None else ""
        rows.append([escape(cell) for cell in (f"{chapter.number} · {chapter.title}", guessed, found, off)])
    return chapter_table(("Chapter", "Your guess", "Measured", "How far off"), rows)


def chapter_table(names: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return rows of cells that are HTML, below the names of their columns, as a table that scrolls on a phone."""
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>" for cells in rows)
    return f'<div class="bnviz-recap-wide"><table class="bnviz-recap"><tr>{head}</tr>{body}</table></div>'
