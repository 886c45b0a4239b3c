"""The one Kafka of the tests: a container where a Docker daemon has the image, else the embedded broker.

Both are real single-node Kafkas that behave the same: they keep address and data over `kill` and `start`.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Protocol

from jobplane.controlplane.embedded.broker import Broker
from jobplane.controlplane.embedded.single_node import PROPERTIES
from jobplane.controlplane.ports import free_port

IMAGE = os.environ.get("KAFKA_TEST_IMAGE", "confluentinc/cp-kafka:8.1.0")


class KafkaBroker(Protocol):
    """A running broker."""

    @property
    def bootstrap(self) -> str:
        """host:port, the same over all starts."""

    def start(self) -> None:
        """Returns when the broker serves."""

    def stop(self) -> None:
        """Ends it in order."""

    def kill(self) -> None:
        """SIGKILL."""


class ContainerBroker:
    """testcontainers' Kafka on a port of its own, so that a restart keeps the address."""

    def __init__(self) -> None:
        from testcontainers.community.kafka import KafkaContainer

        self._port = free_port()
        self._container = KafkaContainer(IMAGE).with_kraft().with_bind_ports(9093, self._port)
        for name, value in PROPERTIES.items():
            self._container.with_env(f"KAFKA_{name.upper().replace('.', '_')}", value)
        self._made = False

    @property
    def bootstrap(self) -> str:
        return f"{self._container.get_container_host_ip()}:{self._port}"

    def start(self) -> None:
        """Makes the container the first time, starts the same one again later."""
        if not self._made:
            self._container.start(timeout=60)
            self._made = True
            return
        container = self._container.get_wrapped_container()
        container.reload()
        if container.status != "running":
            since = container.logs().count(b"Kafka Server started")
            container.start()
            for _ in container.logs(stream=True, follow=True):
                if container.logs().count(b"Kafka Server started") > since:
                    return
            raise AssertionError(f"the container ended: {container.logs(tail=20).decode()}")

    def stop(self) -> None:
        self._container.get_wrapped_container().stop(timeout=30)

    def kill(self) -> None:
        self._container.get_wrapped_container().kill()

    def remove(self) -> None:
        """Takes the container and its data away."""
        self._container.stop()


@cache
def choice() -> str:
    """Which Kafka the tests run on, and why. Docker is asked by its command: its library leaves a socket open."""
    try:
        asked = subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "embedded broker (no Docker answers)"
    if asked.returncode:
        said = asked.stderr.decode(errors="replace").strip().splitlines()
        return f"embedded broker ({said[0] if said else 'docker image inspect failed'})"
    return f"container {IMAGE}"


@contextmanager
def kafka_broker() -> Iterator[KafkaBroker]:
    """A started Kafka with its own data, gone at the end."""
    print(f"kafka: {choice()}")
    if choice().startswith("container"):
        container = ContainerBroker()
        try:
            container.start()
            yield container
        finally:
            container.remove()
    else:
        with tempfile.TemporaryDirectory(prefix="jobplane-") as folder, Broker(Path(folder)) as broker:
            yield broker
