"""How much this machine is asked to do: how many experiments at once, on how many workers."""

import logging
import os
import sys

from dask.system import CPU_COUNT  # in a container, the cores that it may use ...
from distributed.system import MEMORY_LIMIT  # ... and the bytes

logger = logging.getLogger(__name__)

MAX_RUNS = "BNVIZ_MAX_RUNS"
WORKERS = "BNVIZ_WORKERS"
RUNS_PER_CORE = 32  # 64 visitors on two cores see their charts move, if slowly
RUN_BYTES = 32 * 2**20  # of history in the web process and networks in a worker, for two of twenty layers
RUNS_SHARE = 0.5  # of the memory
MOST_DESCRIPTORS = 10_240  # what macOS allows a process


class RefusedError(RuntimeError):
    """A visitor may not have what was asked for now; says why."""


class TooManyRunsError(RefusedError):
    """The server already trains as many experiments as it may."""

    def __init__(self, most: int, why: str) -> None:
        super().__init__(
            f"This server already trains {most} experiments, {why}, and somebody looks at each. Close a tab, or try "
            "again in a few minutes."
        )


def most_runs() -> tuple[int, str]:
    """Return how many experiments may be trained at once, and why no more."""
    if (told := from_environment(MAX_RUNS)) is not None:
        return told, f"as many as {MAX_RUNS} allows"
    cores, memory = RUNS_PER_CORE * CPU_COUNT, max(1, int(RUNS_SHARE * MEMORY_LIMIT / RUN_BYTES))
    if cores <= memory:
        return cores, f"{RUNS_PER_CORE} for each of its cores"
    return memory, f"as many as its {MEMORY_LIMIT / 2**30:.1f} GiB of memory hold"


def from_environment(name: str) -> int | None:
    """Return the positive whole number in a variable of the environment; None, with a warning if it holds else."""
    told = os.environ.get(name, "").strip()
    if told.isdecimal() and int(told) > 0:
        return int(told)
    if told:
        logger.warning("%s=%s is no positive whole number, and is not used", name, told)
    return None


def workers() -> int:
    """Return how many workers this machine's own cluster has: BNVIZ_WORKERS, or one for each core, but two at least.

    With one alone, a visitor whose worker is lost would wait for another to start.
    """
    return from_environment(WORKERS) or max(CPU_COUNT, 2)


def raise_descriptor_limit() -> None:
    """Let this process have as many files and sockets open as it may: some systems begin with 256.

    A visitor takes up to seven of them: a websocket, a connection for news or two, an event loop of Streamlit's.
    """
    if sys.platform != "win32":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
        if soft != resource.RLIM_INFINITY and soft < most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
