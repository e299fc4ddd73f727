"""A button that saves several charts of the page to one PNG file."""

from collections.abc import Sequence

from bnviz.ui.components.component import component

_HTML = '<button type="button" class="bnviz-save-charts"></button>'


def save_charts(key: str, label: str, charts: Sequence[str], name: str) -> None:
    """Draw the button `label`: the charts of some keys, side by side as they are seen, become `name`.png."""
    data = {"label": label, "charts": list(charts), "name": name}
    component("save_charts", __file__, "saveCharts", _HTML)(data=data, key=key)
