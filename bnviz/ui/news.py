"""What a page tells the browser of its run, as the page's feed asks for it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bnviz.data import COUNTS
from bnviz.figures.style import Figure
from bnviz.findings.live import live_findings
from bnviz.records.frames import Frame
from bnviz.records.history import View
from bnviz.records.live import ObservedRun, Status
from bnviz.ui.components.feed_reader import read_feed
from bnviz.ui.session import present
from bnviz.ui.status_line import has_notice, network_numbers, notice, status_line

STATUS = '<div class="bnviz-status"></div>'
NOTICE = '<div class="bnviz-notice" role="status"></div>'
FINDINGS = '<ul class="bnviz-findings" aria-label="Findings"></ul>'


def publish(
    run: ObservedRun,
    watched: Status,
    make_figures: Callable[[View, Frame], dict[str, Figure]],
    findings: Callable[[View], list[str]] = live_findings,
    also: Callable[[], object] = lambda: None,
    html: str = STATUS + NOTICE + FINDINGS,
) -> None:
    """Send the run to the browser, now and whenever it moves; `watched` is its status in the rest of the page.

    `make_figures` gives figures by the key of their chart, `findings` sentences; they run in another thread and must
    not call Streamlit. `also` is what else they depend on, hashable; after a change of it `run.moved` rings. `html`:
    what stands here; a part that is not in it is looked for in the rest of the page.
    """

    def state() -> object:
        frame, status = run.view().latest, replace(run.status, busy=False)  # what is only on its way is no news
        return id(frame), frame and frame.seconds, status, has_notice(status), also()

    def news() -> dict[str, Any]:
        view, status = run.view(), run.status
        return {
            "html": {
                "bnviz-status": status_line(view, status, COUNTS[run.data][0]),
                "bnviz-notice": notice(view, status),
                "bnviz-findings": "".join(f"<li>{line}</li>" for line in findings(view)),
            }
            | network_numbers(view),
            "figures": make_figures(view, view.latest) if view.latest is not None else {},
            "rerun": status.state != watched.state,  # buttons have other names
        }

    presence = present()
    presence.feed.show(state, news, run.refresh_every, (run.moved,))
    read_feed(presence.feed.token, html)
