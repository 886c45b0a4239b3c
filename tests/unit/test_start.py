"""What is said and done while a worker or `jobplane dev` starts."""

import io
import urllib.error
from collections.abc import Collection, Mapping
from email.message import Message
from pathlib import Path

import pytest

from jobplane.controlplane import wait_limit
from jobplane.controlplane.embedded.dev import _waits_for, next_steps
from jobplane.controlplane.log import control_topics
from jobplane.controlplane.settings import Settings
from jobplane.controlplane.topics import TOPICS
from jobplane.controlplane.wait_limit import WaitLimit
from jobplane.controlplane.worker import worker
from jobplane.processors.kafka.cluster import Doubt
from jobplane.schemas.setup_errors import BadSetting, KafkaUnreachable, NotSetUp

SETTINGS = Settings(prefix="p.", replication_factor=1)


@pytest.mark.parametrize("name", ["nope", "nope.host", "processors.nope", ""])
def test_a_worker_does_not_start_with_a_host_module_that_is_not_there(name: str) -> None:
    with pytest.raises(BadSetting, match=f"host_module '{name}': there is no such Python module"):
        worker.require_module(name)


def test_the_old_name_of_a_host_module_is_refused_with_its_new_one() -> None:
    with pytest.raises(BadSetting, match=r"'processors\.host': write 'jobplane\.processors\.host'"):
        worker.require_module("processors.host")


def test_host_modules_are_looked_for_where_a_host_finds_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_host.py").touch()
    monkeypatch.chdir(tmp_path)
    for name in ("jobplane.processors.host", "own_host"):
        worker.require_module(name)


class SlowKafka:
    """Answers as many questions with Doubt as it is told, and shows a new topic one question late."""

    def __init__(self, doubts: int) -> None:
        self._doubts = doubts
        self._made: dict[str, tuple[int, Mapping[str, str]]] = {}

    def topics(self, names: Collection[str]) -> dict[str, tuple[str, int]]:
        self._doubts -= 1
        if self._doubts >= 0:
            raise Doubt("no answer within 5 s")
        return {name: ("id", self._made[name][0]) for name in names if name in self._made}

    def create(self, topic: str, partitions: int, _replication: int, config: Mapping[str, str]) -> None:
        self._made[topic] = partitions, config

    def topic_settings(self, names: Collection[str]) -> dict[str, Mapping[str, str]]:
        return {name: self._made[name][1] for name in names}


def test_control_topics_are_waited_for_where_kafka_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wait_limit, "REMIND_S", -1.0)
    said: list[str] = []
    control_topics.ensure_topics(SlowKafka(2), SETTINGS, said.append)  # type: ignore[arg-type]
    assert [text.split(" s: ")[-1] for text in said] == [
        "Kafka does not answer about the control topics: no answer within 5 s",
        "Kafka does not answer about the control topics: no answer within 5 s",
        f"creating {len(TOPICS)} control topics: {', '.join(f'p.{topic.name}' for topic in TOPICS)}",
        "not every broker knows the new control topics yet",
    ]


def test_control_topics_that_never_come_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_topics, "SET_UP_S", -1.0)
    with pytest.raises(NotSetUp, match="Kafka does not answer about the control topics"):
        control_topics.ensure_topics(SlowKafka(1), SETTINGS)  # type: ignore[arg-type]


class NoKafka:
    """Has no broker that answers."""

    bootstrap = "kafka:9092"

    def require(self) -> None:
        raise KafkaUnreachable("no Kafka broker answers at kafka:9092: the connection was refused")


def test_a_worker_says_which_kafka_it_waits_for_before_it_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = iter([False, True])
    said: list[str] = []

    def has_passed(_: WaitLimit, awaited: str) -> bool:
        said.append(awaited)
        return next(waiting)

    monkeypatch.setattr(WaitLimit, "has_passed", has_passed)
    with pytest.raises(KafkaUnreachable):
        worker.await_kafka(NoKafka(), said.append)  # type: ignore[arg-type]
    assert said == [
        "no Kafka broker answers at kafka:9092",
        "waiting up to 30 s for Kafka: no Kafka broker answers at kafka:9092: the connection was refused",
        "no Kafka broker answers at kafka:9092",
    ]


def test_a_wait_limit_says_nothing_at_first_and_passes_with_its_limit() -> None:
    said: list[str] = []
    assert not WaitLimit(60, said.append).has_passed("the broker")
    assert WaitLimit(-1, said.append).has_passed("the broker")
    assert said == []


@pytest.mark.parametrize(
    ("prefix", "bootstrap", "on_path", "exports"),
    [
        ("jobplane.", "127.0.0.1:9092", ["jobplane"], []),
        ("jobplane.", "127.0.0.1:9092", [], ["PATH"]),
        ("shop.", "127.0.0.1:29092", ["jobplane"], ["JOBPLANE_BOOTSTRAP=127.0.0.1:29092", "JOBPLANE_PREFIX=shop."]),
    ],
)
def test_what_to_try_next_is_what_another_terminal_needs(
    prefix: str, bootstrap: str, on_path: list[str], exports: list[str], tmp_path: Path
) -> None:
    for executable in on_path:
        (tmp_path / executable).touch(0o755)
    lines = next_steps(prefix, bootstrap, {"PATH": str(tmp_path)}, first=True).splitlines()
    assert [line.split("export ")[1].split('="')[0] for line in lines if "export " in line] == exports
    assert sum("jobplane topic" in line for line in lines) == 3
    later = next_steps(prefix, bootstrap, {"PATH": str(tmp_path)}, first=False)
    assert "SHOW JOBS" in later
    assert "create" not in later


@pytest.mark.parametrize(
    ("body", "waits"),
    [
        (b'{"ready": false, "waits_for": ["a", "b"]}', "a, b"),
        (b'{"waits_for": []}', "HTTP 503"),
        (b'{"code": "internal-error"}', "HTTP 503"),
        (b"<html>", "HTTP 503"),
        (b"\xff", "HTTP 503"),
    ],
)
def test_a_worker_that_answers_with_an_error_is_never_taken_for_ready(body: bytes, waits: str) -> None:
    with urllib.error.HTTPError("http://worker/readyz", 503, "", Message(), io.BytesIO(body)) as busy:
        assert _waits_for(busy) == waits
