"""The real thing, for every test in this folder and no other: a scheduler and two workers in processes of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bnviz.engine.cluster import Engine
from bnviz.store.store import Store
from tests.running import wait_until


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The real thing: a scheduler and two workers in processes of their own, on MNIST."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BNVIZ_DATA_DIR", str(tmp_path_factory.mktemp("no-mnist")))
        engine = Engine()
    yield engine
    engine.close()


@pytest.fixture
def engine(cluster: Engine) -> Iterator[Engine]:
    """The engine with both its workers, one of which the test before may have killed; a test leaves no run behind."""
    cluster.client.wait_for_workers(2, timeout=60)
    before = sum(cluster.load().values())
    yield cluster
    wait_until(lambda: sum(cluster.load().values()) <= before, "every run of this test to be gone")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A database of runs, which are kept."""
    monkeypatch.setenv("BNVIZ_RUNS", "on")
    opened = Store.open(f"sqlite:///{tmp_path}/runs.sqlite")
    yield opened
    opened.close()
