"""How a component is made: its script and its HTML, drawn by Streamlit in the browser."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from bnviz.ui.web.scripts import script_url

# The glue travels with every message, the scripts it loads only once.
_JS = """const load = (script) => import(new URL(script, location.origin));
const scripts = Promise.all([load("{script}"), load("{messages}")]);
export default async (component) => {{
  const [script, {{ patient }}] = await scripts;
  return script.{function}(patient(component));
}}"""


@cache
def component(name: str, module: str, function: str, html: str) -> Callable[..., Any]:
    """Return the component `name`, drawn by a function of the script beside `module`, the __file__ of its Python.

    The function is given the component's data and place (component.d.ts). Its style sheet, the .css file beside the
    module, stands in the page already (`bnviz.ui.web.page_html`): one that came with every place of the component
    would have the browser work out the style of the whole page anew each time. Streamlit knows a component by its name
    alone: one with other HTML must have another name.
    """
    script = script_url(Path(module).stem)
    js = _JS.format(script=script, messages=script_url("messages"), function=function)
    made: Callable[..., Any] = st.components.v2.component(f"bnviz_{name}", html=html, js=js, isolate_styles=False)
    return made


def ignore() -> None:
    """Do nothing about a message that is read in the run that its arrival causes."""
