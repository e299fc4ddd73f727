"""What unit tests share: a store of watched networks in a folder of the test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bnviz.store.watched import WatchedStore


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WatchedStore]:
    monkeypatch.setenv("BNVIZ_DATABASE", f"sqlite:///{tmp_path / 'runs.sqlite'}")
    opened = WatchedStore.open()
    yield opened
    opened.close()
