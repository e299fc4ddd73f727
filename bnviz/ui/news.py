"""What a page tells the browser of its run, as the page's feed asks for it."""

from collections.abc import Callable, Hashable
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
from bnviz.ui.web.moments import Moment, moment_of

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
    shared: Callable[[Frame], tuple[tuple[object, ...], Hashable] | None] = lambda _: None,
) -> None:
    """Send the run to the browser, now and whenever it moves; `watched` is its status in the rest of the page.

    `make_figures` gives figures by the key of their chart, `findings` sentences; they run in another thread and must
    not call Streamlit. `also` is what else they depend on, hashable; after a change of it `run.moved` rings. `html`:
    what stands here; a part that is not in it is looked for in the rest of the page. shared: the film that a frame is
    of, and what else its figures and findings follow from, where other viewers may be shown the same; else None.
    """

    def state() -> object:
        frame, status = run.view().latest, replace(run.status, busy=False)  # what is only on its way is no news
        return id(frame), frame and frame.seconds, status, has_notice(status), also()

    def seen(view: View) -> Moment:
        if (frame := view.latest) is None:
            return Moment.of({}, findings(view))

        def make() -> Moment:
            return Moment.of(make_figures(view, frame), findings(view))

        place = shared(frame)
        return make() if place is None else moment_of(*place, make)

    def news() -> dict[str, Any]:
        view, status = run.view(), run.status
        moment = seen(view)
        return {
            "html": {
                "bnviz-status": status_line(view, status, COUNTS[run.experiment.training.data][0]),
                "bnviz-notice": notice(view, status),
                "bnviz-findings": "".join(f"<li>{line}</li>" for line in moment.findings),
            }
            | network_numbers(view),
            "figures": moment.figures,
            "rerun": status.state != watched.state,  # buttons have other names
        }

    presence = present()
    presence.feed.show(state, news, run.refresh_every, (run.moved,))
    read_feed(presence.feed.token, html)
