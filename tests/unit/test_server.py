"""Where the browser finds what the server gives it."""

import pytest

from bnviz.ui.web import server


@pytest.mark.parametrize(("base", "path"), [("", "/bnviz/plotly-"), ("lab/one", "/lab/one/bnviz/plotly-")])
def test_scripts_are_found_under_the_base_path(base: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamlit.get_option", lambda _: base)
    assert server.script_url("plotly").startswith(path)
