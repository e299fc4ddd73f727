"""What a reader guessed in the story, as a browser keeps it."""

import json
from collections.abc import Mapping
from typing import Any

from bnviz.experiment.guesses import Recorded
from bnviz.experiment.story import CHAPTERS


def written_records(records: Mapping[int, Recorded]) -> dict[str, dict[str, Any]]:
    """Return plain JSON values, as `read_records` reads them."""
    return {str(number): {"answer": found.answer, "truth": found.truth} for number, found in records.items()}


def read_records(text: str) -> dict[int, Recorded]:
    """Return the guesses of a JSON document; what is not an answer to its chapter's question is left out."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    found = {}
    for chapter in CHAPTERS:
        kept = document.get(str(chapter.number)) if isinstance(document, dict) else None
        if chapter.guess is not None and isinstance(kept, dict):
            answer, truth = (chapter.guess.read(kept.get(name)) for name in ("answer", "truth"))
            if answer is not None or kept.get("answer") is None:
                found[chapter.number] = Recorded(answer, truth)
    return found
