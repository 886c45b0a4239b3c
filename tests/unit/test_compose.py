"""The compose file, as Compose itself reads it, where it is installed."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from jobplane.controlplane.embedded.jars import KAFKA
from jobplane.controlplane.embedded.single_node import PROPERTIES
from tests.support.registry import LOCK

FILE = Path(__file__).parents[2] / "compose" / "compose.yaml"
COMMANDS = (("docker", "compose"), ("docker-compose",))
FOR_ONE_NODE = [name for name in PROPERTIES if name.endswith((".replication.factor", ".min.isr", "insync.replicas"))]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def compose() -> tuple[str, ...]:
    """The command that runs Compose; skips the test where there is none that reads today's files."""
    for command in COMMANDS:
        if shutil.which(command[0]):
            version = run(*command, "version", "--short")
            if version.returncode == 0 and not version.stdout.startswith("1."):
                return command
    pytest.skip("no Compose 2 or newer is installed, neither as `docker compose` nor as `docker-compose`")


@pytest.fixture(scope="module")
def services() -> Any:
    asked = run(*compose(), "-f", str(FILE), "config", "--format", "json")
    assert asked.returncode == 0, asked.stderr
    return json.loads(asked.stdout)["services"]


def test_two_workers_wait_for_kafka_and_say_when_they_are_ready(services: Any) -> None:
    workers = [one for name, one in services.items() if name.startswith("worker-")]
    assert len(workers) == 2
    for one in workers:
        assert one["environment"]["JOBPLANE_BOOTSTRAP"] == "kafka:9092"
        assert one["depends_on"]["kafka"]["condition"] == "service_healthy"
        assert "6066/readyz" in one["healthcheck"]["test"][-1]


def test_kafka_is_set_up_for_one_node_like_the_embedded_one(services: Any) -> None:
    kafka = services["kafka"]
    assert kafka["image"] == f"apache/kafka:{KAFKA}"
    for name in (*FOR_ONE_NODE, "auto.create.topics.enable", "num.partitions"):
        assert kafka["environment"][f"KAFKA_{name.upper().replace('.', '_')}"] == PROPERTIES[name]


def test_the_workers_know_the_registry_that_the_tests_run_on(services: Any) -> None:
    registry = services["registry"]
    assert f"{registry['image'].replace('apicurio/apicurio-registry:', 'apicurio-')}.lock.json" == LOCK.name
    assert registry["environment"]["APICURIO_KAFKASQL_BOOTSTRAP_SERVERS"] == "kafka:9092"
    for one in (one for name, one in services.items() if name.startswith("worker-")):
        assert one["environment"]["JOBPLANE_REGISTRY_URL"] == "http://registry:8080/apis/ccompat/v7"
