"""Opening a page without a browser, in Streamlit's own test runner."""

from pathlib import Path

from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[1]
APP = ROOT / "app.py"


def page(script: Path = APP, **parameters: str) -> AppTest:
    """The page in its second run, when the browser has told the tab's id."""
    app = AppTest.from_file(str(script), default_timeout=90)
    app.session_state["tab"] = "a-tab-of-a-test"
    for key, value in parameters.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception
    return app


def address(app: AppTest) -> dict[str, str]:
    return {key: value[0] if isinstance(value, list) else value for key, value in app.query_params.items()}
