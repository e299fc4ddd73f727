"""The web process never imports torch, and nothing below the interface imports Streamlit: seen in real processes.

The import contracts read the source; here the modules are imported, and what that loads is looked at.
"""

import graphlib
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

import bnviz
from bnviz.engine.versions import TRAINS

ROOT = Path(__file__).parents[2]
MOST_ROOMS, MOST_FLOORS = 20, 8
MODULES = [
    "bnviz",
    *sorted(m.name for m in pkgutil.walk_packages(bnviz.__path__, "bnviz.") if "__main__" not in m.name),
]
INTERFACE = [name for name in MODULES if name.startswith("bnviz.ui")]
FOR_WORKERS = [name for name in MODULES if name.startswith(("bnviz.nn", "bnviz.training", "bnviz.own_network"))]

SCRIPT = """
import importlib, json, sys
modules, watched = json.loads(sys.argv[1])
first = {}
for module in modules:
    importlib.import_module(module)
    for name in watched:
        if name in sys.modules:
            first.setdefault(name, module)
print(json.dumps(first))
"""


def rooms() -> dict[str, set[str]]:
    """Every folder and module at the top -> those that it imports from; imports for the type checker count too."""
    graph = grimp.build_graph("bnviz", "pages", "benchmarks", exclude_type_checking_imports=False, cache_dir=None)
    found: dict[str, set[str]] = {}
    for module in graph.modules:
        seen = {room_of(other) for other in graph.find_modules_directly_imported_by(module)}
        found.setdefault(room_of(module), set()).update(seen - {room_of(module)})
    return found | {"app": {"bnviz.ui"}}


def room_of(module: str) -> str:
    return ".".join(module.split(".")[:2]) if module.startswith("bnviz") else module.split(".")[0]


def brought_in(modules: list[str], *watched: str) -> dict[str, str]:
    """Which of the watched packages importing `modules`, in this order, has loaded, and the first module that did."""
    arguments = [sys.executable, "-c", SCRIPT, json.dumps([modules, watched])]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_all_modules_are_looked_at() -> None:
    expected = {
        "bnviz.experiment.settings",
        "bnviz.figures.curves",
        "bnviz.records.history",
        "bnviz.findings.live",
        "bnviz.export.run",
    }
    expected |= {
        "bnviz.engine.run",
        "bnviz.engine.labs",
        "bnviz.engine.cluster",
        "bnviz.engine.worker",
        "bnviz.ui.news",
    }
    assert expected <= {*MODULES}
    assert len(INTERFACE) > 3
    assert len(FOR_WORKERS) > 5


def test_the_web_process_never_imports_torch() -> None:
    web = [name for name in MODULES if name not in FOR_WORKERS]
    assert brought_in(web, "torch", "torchvision") == {}


def test_nothing_below_the_interface_imports_streamlit() -> None:
    assert brought_in([name for name in MODULES if name not in INTERFACE], "streamlit") == {}


def test_the_command_line_answers_without_torch_and_streamlit() -> None:
    assert brought_in(["bnviz.__main__"], "torch", "torchvision", "streamlit", "distributed") == {}


def test_the_package_alone_loads_no_database_and_no_files() -> None:
    watched = ("sqlalchemy", "alembic", "platformdirs", "psycopg", "pyarrow")
    assert brought_in(["bnviz"], *watched) == {}
    assert brought_in(["bnviz.store.store"], "sqlalchemy") == {"sqlalchemy": "bnviz.store.store"}


def test_figures_need_no_engine_and_no_training() -> None:
    figures = [name for name in MODULES if name.startswith("bnviz.figures")]
    watched = (
        "torch",
        "streamlit",
        "distributed",
        "bnviz.engine",
        "bnviz.training",
        "bnviz.nn",
        "bnviz.data",
        "bnviz.ui",
    )
    assert brought_in(figures, *watched) == {}


def test_the_watch_would_notice() -> None:
    assert brought_in(["bnviz", "bnviz.nn.layers"], "torch", "streamlit") == {"torch": "bnviz.nn.layers"}


@pytest.mark.parametrize("name", bnviz.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    assert getattr(bnviz, name) is not None


def test_the_house_has_few_rooms_on_few_floors_and_nobody_goes_in_circles() -> None:
    below = rooms()
    assert len(below) <= MOST_ROOMS, sorted(below)
    floors: dict[str, int] = {}
    for room in graphlib.TopologicalSorter(below).static_order():  # raises CycleError
        floors[room] = 1 + max((floors[other] for other in below[room]), default=0)
    assert max(floors.values()) <= MOST_FLOORS, floors


def test_whatever_training_uses_decides_which_kept_films_and_networks_are_known() -> None:
    graph = grimp.build_graph("bnviz", exclude_type_checking_imports=True, cache_dir=None)
    used = {"bnviz.training.trainer", "bnviz.training.sweep"}
    for start in tuple(used):
        used |= graph.find_upstream_modules(start)
    assert {room_of(module) for module in used} - {"bnviz"} == {f"bnviz.{name}" for name in TRAINS}
