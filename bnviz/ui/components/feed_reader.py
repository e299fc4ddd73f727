"""The browser's side of a feed of news: it asks for them past Streamlit, and shows them."""

from zlib import crc32

from bnviz.ui.components.component import component, ignore
from bnviz.ui.web.scripts import feed_url, script_url


def read_feed(token: str, html: str = "", *, key: str = "news") -> None:
    """Show the news of a feed: figures by the key of their chart, and inner HTML by the class of its part of `html`.

    News may also say "rerun": the page then runs again, once.
    """
    component(f"follow_{crc32(html.encode()):08x}", __file__, "readFeed", html)(
        data={"url": feed_url(token), "plotly": script_url("plotly")}, key=key, on_rerun_change=ignore
    )
