"""Components that scripts of this folder draw in the browser."""

from collections.abc import Callable
from functools import cache
from typing import Any

import streamlit as st

from bnviz.ui.web.server import script_url

# The glue travels with every message, the scripts it loads only once.
_JS = """const load = (script) => import(new URL(script, location.origin));
const scripts = Promise.all([load("{script}"), load("{messages}")]);
export default async (component) => {{
  const [script, {{ patient }}] = await scripts;
  return script.{function}(patient(component));
}}"""


@cache
def component(
    name: str, script: str, function: str, html: str, css: str | None = None, *, isolate_styles: bool = False
) -> Callable[..., Any]:
    """The component `name`: `function` of the script with that stem, which is given the component's data and place.

    Streamlit knows a component by its name alone: one with other HTML must have another name.
    """
    js = _JS.format(script=script_url(script), messages=script_url("messages"), function=function)
    renderer: Callable[..., Any] = st.components.v2.component(
        f"bnviz_{name}", html=html, css=css, js=js, isolate_styles=isolate_styles
    )
    return renderer


def ignore() -> None:
    """A message that is read in the run that its arrival causes."""
