"""A retry claims the dead letters it reads: by topic, once, and what it reads is told by the state alone."""

from typing import Any

import pytest
from confluent_kafka import Message

from jobplane.controlplane.query.dead_letters import DeadLetter, count_retried, retry_statement
from jobplane.processors.evaluation.dead_letters import letter, letters_of
from jobplane.schemas.failures import BadRecord
from jobplane.schemas.records.events import CommandRefused, JobCreated
from jobplane.schemas.records.sources import DeadLetterSource, Source
from jobplane.schemas.records.state import Job
from tests.support.plane import Plane, topic

CREATE = "CREATE JOB j OPTIONS (onError 'deadLetter') AS INSERT INTO out SELECT * FROM src"


def plane() -> Plane:
    topics = {name: topic(2, topic_id=f"id-{name}") for name in ("src", "out", "own")}
    made = Plane({**topics, "jobplane.dead-letters": topic(2, topic_id="id-letters", first=5, last=40)})
    made.command(CREATE)
    return made


def job(plane: Plane) -> Job:
    return plane.state.jobs[plane.state.names["j"]]


def retry(plane: Plane, name: str = "j.retry") -> Source:
    created = plane.command(retry_statement(job(plane)).replace("j.retry", name))[0].body
    assert isinstance(created, JobCreated)
    return created.sources[0]


def test_each_letter_is_read_by_one_retry() -> None:
    at = plane()
    first = retry(at)
    assert (first.topic, first.start, first.end) == ("jobplane.dead-letters", (5, 5), (40, 40))
    assert first.letters == DeadLetterSource("j", job(at).uid, "src", 2)
    at.topics["jobplane.dead-letters"] = topic(3, topic_id="id-letters", first=30, last=60)
    second = retry(at, "again")
    assert (second.start, second.end) == ((40, 40, 30), (60, 60, 60))


def test_another_topic_of_dead_letters_has_claims_of_its_own() -> None:
    at = plane()
    retry(at)
    at.command("ALTER JOB j SUSPEND")
    at.command("ALTER JOB j OPTIONS (deadLetterTopic 'own')")
    assert retry(at, "own").start == (0, 0)
    at.command("ALTER JOB j OPTIONS (deadLetterTopic 'jobplane.dead-letters')")
    assert retry(at, "back").start == (40, 40)


def test_a_topic_that_was_made_anew_is_read_from_its_beginning() -> None:
    at = plane()
    retry(at)
    at.topics["jobplane.dead-letters"] = topic(2, topic_id="id-new", last=50)
    assert retry(at, "new").start == (0, 0)


@pytest.mark.parametrize("option", ["startFrom 'latest'", "stopAt 'latest'", "initialSnapshotName 's'"])
def test_where_it_begins_and_ends_is_not_to_be_said(option: str) -> None:
    refused = plane().command(CREATE.replace("JOB j", "JOB r").replace("onError", f"{option}, retryOf 'j', onError"))
    assert isinstance(refused[0].body, CommandRefused)
    assert (refused[0].body.code, refused[0].body.line) == ("bad-option-value", 1)


def test_what_came_of_it_is_counted_from_the_letters() -> None:
    def one(place: str, source: str) -> DeadLetter:
        return DeadLetter(place, 0, source, "BAD_RECORD", "", None, None, ())

    source = Source("letters", "id", (5, 0), (7, 2))
    earlier, given = [one("0@4", "s-0@1")], [one("0@5", "s-0@2"), one("0@6", "s-0@3"), one("1@1", "s-1@9")]
    again, new = [one("1@2", "s-0@3")], [one("1@3", "s-0@77")]
    assert count_retried([*earlier, *given, *again, *new], source) == (3, 1)


def written(record: tuple[Any, ...]) -> Any:
    """A dead letter as it is read, from a topic that sets its own timestamps."""
    _, value, key, *_, headers = record
    return Message("letters", 1, 7, key, value, headers, None, (2, 999))


def test_a_letter_is_the_record_it_was() -> None:
    record: Any = Message("a-b@3", 4, 5, b"k", b"v", [("h", b"1"), ("h", b"2")], None, (1, 1234))
    (read,) = letters_of("u", [written(letter("letters", "j", "u", record, BadRecord("no")))])
    for part in ("topic", "partition", "offset", "key", "value", "headers", "timestamp"):
        assert getattr(read, part)() == getattr(record, part)()


@pytest.mark.parametrize("source", [b"", b"x", b"x-1", b"x@1", b"x-a@1", b"x-1@" + b"9" * 99, b"\xff-1@"])
def test_what_is_no_letter_is_nobodys(source: bytes) -> None:
    """Anyone may write to a topic that a job names."""
    made: Any = Message("own", 0, 0, b"k", b"v", [("jobplane-uid", b"u"), ("jobplane-source", source)], None, (1, 1))
    assert letters_of("u", [made]) == []
    assert letters_of("other", [made]) == []
