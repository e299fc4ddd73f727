"""Plotly charts that are updated in place, for every chart that moves.

st.plotly_chart mounts a new chart for every change of its data: it flickers and loses zoom and hover. Here a chart is a
lasting place on the page; its figures come with a rerun, or with the news that the page follows.
"""

from collections.abc import Callable

from bnviz.figures.style import USUAL_HEIGHT, Figure
from bnviz.ui.components.component import component, ignore
from bnviz.ui.web.scripts import script_url

_HTML = """<div class="bnviz-notes"></div><div class="bnviz-chart" role="figure" style="height: {height}px"></div>
<button type="button" class="bnviz-save" hidden>Save as PNG</button>"""


def live_chart(
    key: str,
    figure: Figure | None = None,
    *,
    height: int = USUAL_HEIGHT,
    on_click: Callable[[], None] | None = None,
    savable: bool = False,
) -> None:
    """Place the chart `key`, empty until it is given a figure here or by the news.

    height: pixels that are kept until the first figure is there, so that what stands below stays where it is; the same
    in every rerun. savable: with a button for an image file. on_click is called before the rerun that a click causes;
    last_click(key) then tells what was clicked.
    """
    component(f"chart_{height}", __file__, "liveChart", _HTML.format(height=height))(
        data={
            "key": key,
            "url": script_url("plotly"),
            "figure": figure,
            "clickable": on_click is not None,
            "savable": savable,
        },
        key=key,
        on_click_change=on_click or ignore,
    )


def unchanged(figure: Figure, version: object, after: float = 0.0) -> Figure:
    """Return a figure that the browser need not draw again while its chart shows this version.

    after: the time of the newest move of a slider that is in it; a chart that shows a newer one keeps that.
    """
    meta = figure["layout"]["meta"] | {"same": str(version), "after": after}
    return figure | {"layout": figure["layout"] | {"meta": meta}}
