"""A question to a run that the page waits for."""

from concurrent.futures import CancelledError

import streamlit as st

from bnviz.engine.remote import WorkerLostError
from bnviz.records.live import AskedRun
from bnviz.records.questions import A, Question

ANSWER_TIMEOUT = 10.0  # seconds


def ask(run: AskedRun, question: Question[A]) -> A | None:
    """Return the run's answer about its networks as they are; None, with a sentence on the page, if there is none."""
    try:
        return run.inspect(question).result(ANSWER_TIMEOUT)
    except ValueError as error:
        st.info(f"No answer: {error}", icon=":material/hourglass:")
        return None
    except (TimeoutError, CancelledError, WorkerLostError) as error:
        why = "takes its time" if isinstance(error, TimeoutError) else "has stopped"
        st.info(f"The worker {why}. Look again in a moment.", icon=":material/hourglass:")
        return None
