"""compose.yaml, held against what the image and the command line really offer; there is no Docker to run it here."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from bnviz.engine.versions import versions, why_refused

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
DATABASE: dict[str, Any] = COMPOSE["services"]["database"]
SERVICES: dict[str, Any] = {name: service for name, service in COMPOSE["services"].items() if name != "database"}


def test_there_are_an_app_a_scheduler_and_workers_that_can_be_scaled() -> None:
    assert set(SERVICES) == {"app", "scheduler", "worker"}
    assert all(service["build"] == "." and service["image"] == "bnviz" for service in SERVICES.values())
    worker = SERVICES["worker"]
    assert "container_name" not in worker
    assert "ports" not in worker
    assert worker["command"][worker["command"].index("--nthreads") + 1] == "1"
    assert "bnviz.engine.worker" in worker["command"]


def test_no_port_of_the_scheduler_is_published_and_its_network_leads_nowhere() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["app"]
    assert SERVICES["scheduler"]["networks"] == SERVICES["worker"]["networks"] == ["cluster"]
    assert COMPOSE["networks"]["cluster"]["internal"] is True
    assert all(service.get("network_mode") != "host" for service in SERVICES.values())


def test_the_database_is_reached_by_the_app_alone_and_keeps_its_runs() -> None:
    on_its_network = [name for name, service in COMPOSE["services"].items() if "store" in service["networks"]]
    assert on_its_network == ["app", "database"]
    assert DATABASE["networks"] == ["store"]
    assert COMPOSE["networks"]["store"]["internal"] is True
    assert "ports" not in DATABASE
    user, name = DATABASE["environment"]["POSTGRES_USER"], DATABASE["environment"]["POSTGRES_DB"]
    assert SERVICES["app"]["environment"]["BNVIZ_DATABASE"] == f"postgresql://{user}@database/{name}"
    (volume,) = DATABASE["volumes"]
    assert volume.split(":")[0] in COMPOSE["volumes"]


def test_nobody_writes_but_to_volumes_and_to_memory() -> None:
    for service in COMPOSE["services"].values():
        assert service["read_only"] is True
        assert "/tmp" in service["tmpfs"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_everyone_finds_the_scheduler_under_its_name_and_port() -> None:
    command = SERVICES["scheduler"]["command"]
    address = f"tcp://scheduler:{command[command.index('--port') + 1]}"
    assert SERVICES["app"]["environment"]["BNVIZ_SCHEDULER"] == address
    assert address in SERVICES["worker"]["command"]


def test_the_app_is_published_where_the_image_listens() -> None:
    (port,) = SERVICES["app"]["ports"]
    (exposed,) = re.findall(r"^EXPOSE (\d+)$", DOCKERFILE, re.MULTILINE)
    assert port == f"${{BNVIZ_PORT:-{exposed}}}:{exposed}"


def test_the_volume_is_where_the_image_looks_for_digits() -> None:
    (folder,) = re.findall(r"BNVIZ_DATA_DIR=(\S+)", DOCKERFILE)
    for name in ("app", "worker"):
        assert SERVICES[name]["volumes"] == [f"digits:{folder}"]
    assert "digits" in COMPOSE["volumes"]


def test_everyone_is_asked_for_its_health_and_waited_for() -> None:
    assert "HEALTHCHECK" in DOCKERFILE  # the app's
    for name in ("scheduler", "worker"):
        service = SERVICES[name]
        own = service["command"][service["command"].index("--dashboard-address") + 1]
        host, port = own.split(":")
        check = service["healthcheck"]["test"]
        assert check[0] == "CMD"
        assert f"HTTPConnection('{host}', {port}" in check[-1]
        compile(check[-1], "healthcheck", "exec")
    waits = {name: set(service.get("depends_on", {})) for name, service in SERVICES.items()}
    assert waits == {"app": {"scheduler", "worker", "database"}, "worker": {"scheduler"}, "scheduler": set()}
    for service in SERVICES.values():
        assert all(rule == {"condition": "service_healthy"} for rule in service.get("depends_on", {}).values())


@pytest.mark.parametrize("name", ["scheduler", "worker"])
def test_the_commands_have_the_options_that_are_given(name: str) -> None:
    command = SERVICES[name]["command"]
    assert command[:4] == ["python", "-m", "dask", name]
    help_text = subprocess.run(
        [sys.executable, "-m", "dask", name, "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert all(option in help_text for option in command if option.startswith("--"))


def test_every_setting_of_the_environment_is_explained() -> None:
    text = (ROOT / "DEPLOYMENT.md").read_text()
    for name in ("BNVIZ_SCHEDULER", "BNVIZ_DEVICE", "BNVIZ_DATA_DIR", "DASK_DISTRIBUTED__COMM__TLS__CA_FILE"):
        assert name in text


def test_a_worker_without_our_preload_is_told_from_one_with_it() -> None:
    assert why_refused(versions()) == ""
    assert why_refused(None) == "it was started without --preload bnviz.engine.worker"
    assert "bnviz 0.0.1" in why_refused({"bnviz": "0.0.1"})
