"""Links between pages of the app that work from an address of two parts as well, such as /story/3."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from bnviz.ui.components.component import component

_HTML = '<nav class="bnviz-links"></nav>'


@dataclass(frozen=True)
class PageLink:
    """One link. name: what it is called for a screen reader and on hover; kind: its class in the style sheet.

    anew: the page is loaded anew, with the settings that its address holds.
    """

    href: str
    text: str
    name: str = ""
    kind: str = ""
    current: bool = False
    anew: bool = False


def page_links(key: str, label: str, links: Sequence[PageLink]) -> None:
    """Draw links in a row; `label` is the name of the row for a screen reader."""
    component("page_links", __file__, "pageLinks", _HTML)(
        data={"label": label, "links": [asdict(link) for link in links]}, key=key
    )
