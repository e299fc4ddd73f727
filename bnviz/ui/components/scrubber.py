"""A slider over the kept moments of a run, whose right end is now."""

from collections.abc import Callable

from bnviz.ui.components.component import component
from bnviz.ui.components.newest import last_told, newest_move

_NOW = -1  # what the browser calls it

_HTML = """<div class="bnviz-scrubber">
<label><span class="bnviz-scrubber-label">History</span><input type="range" min="0" step="1"></label>
<button type="button">Now</button><div class="bnviz-scrubber-shown" aria-live="polite"></div></div>"""


def scrubber(every: int, shown: int | None, go: Callable[[int | None], None], *, key: str = "scrubber") -> None:
    """Place the slider. In the browser it finds its right end by the progress bar of the status line.

    every: steps between two kept moments. shown: the step that the page shows, None for now; `go` is called with the
    one that is wanted, before the rerun that a move causes.
    """

    def moved() -> None:
        if move := newest_move(key):
            go(None if move.value == _NOW else int(move.value))

    component("scrubber", __file__, "scrubber", _HTML)(
        data={"every": every, "shown": shown, "told": last_told(key)}, key=key, on_moved_change=moved
    )
