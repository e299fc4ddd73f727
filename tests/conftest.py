"""What the tests share: one thread for torch, the bundled digits as tensors, and the full MNIST where it is named."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from bnviz.training.batches import Batches

FULL_MNIST = "BNVIZ_FULL_MNIST"
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if FULL_MNIST in os.environ:
        return
    skip = pytest.mark.skip(reason=f"set {FULL_MNIST} to a folder with the four MNIST .gz files")
    for item in items:
        if item.get_closest_marker("full_mnist"):
            item.add_marker(skip)


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
    """The bundled sample."""
    from bnviz.data import load
    from bnviz.training.batches import Batches

    return Batches(load("MNIST sample"))


@pytest.fixture(scope="session")
def full_mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with the full MNIST."""
    directory = tmp_path_factory.mktemp("full-mnist")
    (directory / "MNIST").mkdir()
    (directory / "MNIST" / "raw").symlink_to(os.environ[FULL_MNIST], target_is_directory=True)
    return directory
