"""What the tests share: one thread for torch, and the digits as tensors."""

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from bnviz.training.batches import Batches

os.environ["BNVIZ_WORKERS"] = "2"  # on any machine: tests kill one, and the other goes on

# A property is judged by what holds, never by how long it took on a busy machine; and on the same examples in each run,
# so that a verdict belongs to the code. `pytest -m hypothesis --hypothesis-profile search` looks for others.
hypothesis.settings.register_profile("bnviz", deadline=None, max_examples=60, derandomize=True)
hypothesis.settings.register_profile("search", deadline=None, max_examples=2000)
hypothesis.settings.load_profile("bnviz")


def pytest_runtest_setup() -> None:
    """One thread for torch, where a test has imported it: two that share small sums mostly wait for each other, on a
    busy machine for seconds."""
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def no_runs_kept() -> Iterator[None]:
    """Nothing that a test trains ends up among the runs of whoever tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BNVIZ_RUNS", "off")
        yield


@pytest.fixture(scope="session")
def one_thread() -> None:
    """As in a worker: how many threads share a sum decides its last bits."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def batches(one_thread: None) -> "Batches":
    """The first 10,000 training and 2,000 test digits of MNIST, for tests that any digits will do for."""
    from bnviz.data import load
    from bnviz.training.batches import Batches

    return Batches(load("MNIST sample"))


@pytest.fixture(scope="session")
def mnist(one_thread: None) -> "Batches":
    """All of MNIST, as the app trains on: for sentences about what a run shows."""
    from bnviz.data import load
    from bnviz.training.batches import Batches

    return Batches(load())
