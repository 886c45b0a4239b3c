"""Fixtures that all tests share: one broker for the session, names of its own for each test."""

import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.broker import KafkaBroker, choice, kafka_broker
from tests.support.installed import Environment, build_wheel
from tests.support.registry import SchemaRegistry, schema_registry

settings.register_profile("patient", deadline=None)  # how long one example takes says how busy the machine is
settings.load_profile("patient")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background: what a test starts hears Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Java's second compiler pays off after minutes: the short lives of these brokers cost a third more with it.
os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1")
os.environ.setdefault("PYTHONFAULTHANDLER", "1")  # a process that crashes says where


def pytest_report_header() -> str:
    """Says which Kafka the tests run on."""
    return f"kafka: {choice()}"


@pytest.fixture(scope="session")
def broker() -> Iterator[KafkaBroker]:
    """The broker of the session. A test that kills it starts it again."""
    with kafka_broker() as started:
        yield started


@pytest.fixture
def prefix() -> str:
    """Begins the names of this test's topics: one prefix is one isolated control plane."""
    return f"t{uuid.uuid4().hex[:10]}."


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SchemaRegistry]:
    """The schema registry of the session. A test that kills it starts it again, empty."""
    with schema_registry(tmp_path_factory.mktemp("registry")) as started:
        yield started


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this working tree."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def with_dev(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the wheel and its extra `dev`."""
    return Environment(tmp_path_factory.mktemp("installed") / "dev", wheel, "dev")
