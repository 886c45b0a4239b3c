"""Which outcomes are copied to whom, what such a record holds, and that nobody waits for it."""

import json
import time

import pytest

from jobplane.controlplane.core.outcome import Reply, reply_to
from jobplane.controlplane.decider.replies import LINGER_S, MOST_WAITING, Replies
from jobplane.processors.kafka.cluster import Kafka
from jobplane.schemas.records.events import (
    Cause,
    CommandRefused,
    CommandRepeated,
    CommandUnchanged,
    Event,
    JobSuspended,
    TaskFailed,
)
from jobplane.schemas.records.failure import Failure
from jobplane.schemas.records.state import Status
from tests.support.plane import Plane, topic

ASKED = Cause("commands", 7, 8, "id", "digest", "me", "00-trace", "answers")
ROW = {
    "command_id": "id",
    "offset": 7,
    "verdict": "accepted",
    "code": "",
    "message": "",
    "line": 0,
    "column": 0,
    "notices": [],
    "job": {"name": "a", "uid": "u", "status": "SUSPENDING"},
}


def reply(event: Event) -> Reply:
    found = reply_to(event, "a", Plane().state)
    assert found is not None
    return found


def test_a_reply_is_what_the_command_line_prints() -> None:
    sent = reply(Event(3, 0, ASKED, JobSuspended("u", Status.SUSPENDING)))
    assert (sent.topic, sent.key, json.loads(sent.value)) == ("answers", "id", ROW)
    assert sent.headers == (("command-id", b"id"), ("traceparent", b"00-trace"))


def test_a_refusal_has_no_job_and_a_command_without_an_id_is_named_by_its_offset() -> None:
    cause = Cause("commands", 7, 8, reply_to="answers")
    sent = reply(Event(3, 0, cause, CommandRefused("syntax", "what", 1, 2, 5)))
    assert (sent.key, sent.headers) == ("c-7", (("command-id", b"c-7"),))
    row = {"verdict": "refused", "code": "syntax", "message": "what", "line": 1, "column": 2, "job": None}
    assert json.loads(sent.value) == {**ROW, "command_id": "c-7", **row}


def test_a_repeated_command_is_answered_as_the_first_time_with_the_status_of_now() -> None:
    plane = Plane({"in": topic(2), "out": topic(2)})
    created = plane.command('CREATE JOB a AS INSERT INTO "out" SELECT * FROM "in"', "id")[0]
    plane.command("ALTER JOB a SUSPEND")
    first = plane.state.answers["id"]
    sent = reply_to(
        Event(9, 0, Cause("commands", 5, 6, "id", reply_to="answers"), CommandRepeated(first)), "", plane.state
    )
    assert sent is not None
    job = {"name": "a", "uid": getattr(created.body, "uid", ""), "status": "SUSPENDING"}
    assert json.loads(sent.value) == {**ROW, "offset": 0, "job": job}


@pytest.mark.parametrize(
    "event",
    [
        Event(3, 0, Cause("commands", 7, 8, "id"), CommandUnchanged("", "so already")),
        Event(3, 0, ASKED, TaskFailed("u", 0, 1, Failure("x", "y"), "SUSPEND", Status.SUSPENDED)),  # type: ignore[arg-type]
    ],
    ids=["not asked for", "not an outcome"],
)
def test_nothing_else_is_copied(event: Event) -> None:
    assert reply_to(event, "a", Plane().state) is None


def test_nobody_waits_for_a_kafka_that_does_not_answer(caplog: pytest.LogCaptureFixture) -> None:
    replies = Replies(Kafka("127.0.0.1:1"))
    began = time.monotonic()
    for _ in range(MOST_WAITING + 5):
        replies.offer(Reply("answers", "id", b"{}", ()))
    assert time.monotonic() - began < 1
    replies.close()
    assert time.monotonic() - began < 1 + LINGER_S
    assert f"replies dropped so far: 1; {MOST_WAITING} wait already" in caplog.messages
