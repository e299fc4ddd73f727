"""Every file of these tests has an engine of its own: the session of Streamlit's test runner outlives a file."""

from collections.abc import Iterator

import pytest
import streamlit as st

from bnviz.ui.web import server


@pytest.fixture(scope="module", autouse=True)
def _engine_of_its_own() -> Iterator[None]:
    yield
    server.stop()
    st.cache_resource.clear()  # else the next file's pages would ask runs of the engine that has just ended
