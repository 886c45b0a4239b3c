"""Statements that are sent together: how long each of them is waited for, and what follows a refusal."""

from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from jobplane.controlplane.cli.sql import sql
from jobplane.controlplane.client.client import Client
from jobplane.controlplane.client.command_follower import CommandFollower
from jobplane.controlplane.client.group_follower import GroupFollower
from jobplane.controlplane.client.result import Sent
from jobplane.controlplane.log.events_topic import Entry
from jobplane.processors.kafka.cluster import Kafka
from jobplane.schemas.setup_errors import KafkaUnreachable
from jobplane.sql.syntax.parser import parse
from tests.support.plane import PREFIX, Plane, topic

KAFKA = Kafka("127.0.0.1:1")


class Tail:
    """The events of some statements, one at each read; a read takes a second. `now` is the time."""

    def __init__(self, texts: list[str]) -> None:
        plane, self.now = Plane({"src": topic(1)}), 0.0
        events = [event for at, text in enumerate(texts) for event in plane.command(text, f"id-{at}")]
        self.waiting = [Entry(at, 0, "", event) for at, event in enumerate(events)]

    def read(self) -> list[Entry]:
        self.now += 1
        return [self.waiting.pop(0)] if self.waiting else []

    def close(self) -> None:
        pass

    def monotonic(self) -> float:
        return self.now


def follow(texts: list[str], monkeypatch: pytest.MonkeyPatch) -> tuple[GroupFollower, Tail]:
    tail: Any = Tail(texts)
    monkeypatch.setattr(f"{GroupFollower.__module__}.time", SimpleNamespace(monotonic=tail.monotonic))
    group = GroupFollower(KAFKA, PREFIX, tail, lambda: CommandFollower(KAFKA, PREFIX, None, tail, 0), look=False)
    for at, text in enumerate(texts):
        group.add(Sent(f"id-{at}", at), parse(text))
    return group, tail


def mappings(count: int) -> list[str]:
    return [f"CREATE MAPPING m{at} EXTERNAL NAME src TYPE Kafka" for at in range(count)]


def test_the_time_runs_from_the_outcome_before(monkeypatch: pytest.MonkeyPatch) -> None:
    group, tail = follow(mappings(10), monkeypatch)
    assert group.wait_for_outcomes(0, 3, lambda: None)
    assert (group.accepted, tail.now) == (10, 10)


def test_without_an_outcome_in_time_no_more_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    group, tail = follow(mappings(10), monkeypatch)
    del tail.waiting[5:]
    assert not group.wait_for_outcomes(0, 3, lambda: None)
    assert (group.accepted, tail.now) == (5, 9)
    assert [result.done for result in group.results(3, lambda text: None, lambda: None)] == [True] * 5 + [False] * 5


def test_a_refused_one_is_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third = mappings(3)
    group, _ = follow([first, first, second, third], monkeypatch)
    assert not group.wait_for_outcomes(0, 3, lambda: None)
    found = [result.reply and result.reply.verdict for result in group.results(3, lambda text: None, lambda: None)]
    assert found == ["accepted", "refused"]


def test_where_kafka_goes_away_the_run_says_what_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kafka takes two commands of four."""
    texts, offsets = mappings(4), iter(range(2))

    def emit(*_: object, **__: object) -> Sent:
        for offset in offsets:
            return Sent(f"id-{offset}", offset)
        raise KafkaUnreachable("the command was not acknowledged")

    monkeypatch.setattr(Client, "_check", lambda _: None)
    monkeypatch.setattr(Client, "_open_tail", lambda _: Tail(texts))
    monkeypatch.setattr(Client, "emit", emit)
    done = CliRunner().invoke(sql, [*texts, "--bootstrap", "127.0.0.1:1"])
    assert (done.exit_code, done.stdout) == (KafkaUnreachable.exit_code, "")
    assert done.stderr.splitlines() == [
        f"error ({KafkaUnreachable.code}): the command was not acknowledged",
        "0 of 4 statements done; 2 more were sent, and their outcome is not known",
    ]
