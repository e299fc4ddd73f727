"""Networks that other processes train, in a real browser: seen while they move, and after they were killed."""

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import expect

from bnviz.store.watched import WatchedStore
from tests.browser.conftest import ROOT, Lab, OpenContext, Server, assert_accessible, assert_one_column, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CHARTS = ("chart_own_map", "chart_own_loss", "chart_own_values", "chart_own_saturation", "chart_own_gradients")
SCRIPT = """
    import sys, time, torch, bnviz
    from torch import nn
    torch.set_num_threads(1)
    blocks = [m for _ in range({blocks}) for m in (nn.Linear(16, 16), nn.BatchNorm1d(16), nn.Tanh())]
    model = nn.Sequential(*blocks[:{layers}])
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    with bnviz.watch(model, optimizer=optimizer, name=sys.argv[1], budget=0.2) as observer:
        while True:
            loss = (model(torch.randn(32, 16)) - 0.3).square().mean()
            optimizer.zero_grad(); loss.backward(); optimizer.step()
            observer.step(loss)
            time.sleep(0.005)
"""


@contextmanager
def training(server: Server, folder: Path, name: str, layers: int) -> Iterator[subprocess.Popen[bytes]]:
    """A script of a user's own, in a process of its own, that writes to the server's database."""
    script = folder / f"{name}.py"
    script.write_text(textwrap.dedent(SCRIPT.format(blocks=-(-layers // 3), layers=layers)))
    environment = server.environment | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, str(script), name], cwd=folder, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def address_of(server: Server, name: str) -> str:
    """The address of a watched network's page, once it has been looked at."""
    url = f"sqlite:///{Path(server.environment['HOME']) / '.local/share/bnviz/runs.sqlite'}"

    def found() -> str:
        store = WatchedStore.open(url)
        try:
            runs = (store.get(run.id) for run in store.listed() if run.name == name)
            return next((f"your_networks?id={run.id}" for run in runs if run and run.looks), "")
        finally:
            store.close()

    return wait_for(found, f"the first look at {name}")


def test_a_script_is_seen_to_train_and_to_end_without_a_word(
    lab: Lab, phone: Lab, server: Server, tmp_path: Path, open_context: OpenContext
) -> None:
    with training(server, tmp_path, "short", 3) as short, training(server, tmp_path, "long", 200):
        lab.open(address_of(server, "short"), CHARTS)
        status = lab.page.locator(".bnviz-status")
        expect(status).to_contain_text("training now")
        lab.wait_for_updates("chart_own_loss", lab.updates("chart_own_loss") + 2)
        lab.wait_for_updates("chart_own_map", lab.updates("chart_own_map") + 1)
        short.kill()
        short.wait()
        expect(status).to_contain_text("ended without a word", timeout=5_000)
        assert_accessible(lab.page)
        phone.open(address_of(server, "long"), CHARTS)
        expect(phone.page.locator(".bnviz-status")).to_contain_text("training now")
        assert_one_column(phone, CHARTS)
        wide = Lab(open_context(1440, 900).new_page(), server).open(address_of(server, "long"), CHARTS)
        assert "200 layers" in wide.chart("chart_own_map", "div.getAttribute('aria-label')")
        assert [*lab.complaints, *phone.complaints, *wide.complaints] == []
