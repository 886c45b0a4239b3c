"""Commands of every form from plain producers, and the copies of their outcomes, on a real broker."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from confluent_kafka import Message, Producer

from jobplane.schemas.records.commands import Command
from jobplane.schemas.records.events import Cause
from jobplane.schemas.wire.codec import encode
from tests.support.broker import KafkaBroker
from tests.support.system import System, system, until

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
Headers = Sequence[tuple[str, bytes]]


@pytest.fixture(scope="module")
def plane(broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with system(broker.bootstrap, "replies.", tmp_path_factory.mktemp("replies"), hosts=1) as made:
        made.worker()
        made.topic("in", 2)
        made.topic("out", 2)
        made.topic("answers", 1)
        yield made


def send(plane: System, value: bytes, headers: Headers = ()) -> int:
    """One record on the command log from a plain producer; its offset."""
    offsets: list[int] = []
    producer = Producer({"bootstrap.servers": plane.bootstrap})
    producer.produce(
        f"{plane.prefix}commands",
        value,
        headers=list(headers),
        on_delivery=lambda error, message: offsets.append(message.offset() or 0),
    )
    assert producer.flush(10) == 0
    return offsets[0]


def replies(plane: System, key: str, count: int = 1) -> list[Message]:
    """The first `count` replies to a command."""

    def found() -> list[Message] | None:
        records = [one for one in plane.read(plane.name("answers")) if one.key() == key.encode()]
        return records if len(records) >= count else None

    return until(found, 20, f"{count} replies to {key}")


def rows(records: Sequence[Message]) -> list[dict[str, Any]]:
    return [json.loads(record.value() or b"") for record in records]


def cause(plane: System, offset: int) -> Cause:
    """What the outcome of a command says of where it came from."""

    def found() -> Cause | None:
        causes = [event.cause for event in plane.events() if event.cause.topic == "commands"]
        return next((one for one in causes if one.offset == offset), None)

    return until(found, 20, f"the outcome of {offset}")


def test_a_reply_comes_with_id_and_trace_and_what_was_said_stands_in_the_event(plane: System) -> None:
    create = f'CREATE JOB answered AS INSERT INTO "{plane.name("out")}" SELECT * FROM "{plane.name("in")}"'
    said = (plane.name("answers"), "night-shift", TRACE)
    names = ("reply-to", "issued-by", "traceparent")
    offset = send(plane, create.encode(), [("command-id", b"r-1"), *zip(names, map(str.encode, said), strict=True)])
    record = replies(plane, "r-1")[0]
    row = json.loads(record.value() or b"")
    assert (row["command_id"], row["offset"], row["verdict"]) == ("r-1", offset, "accepted")
    assert (row["job"]["name"], row["job"]["status"]) == ("answered", "NOT_RUNNING")
    assert record.headers() == [("command-id", b"r-1"), ("traceparent", TRACE.encode())]
    told = cause(plane, offset)
    assert (told.command_id, told.reply_to, told.issued_by, told.traceparent) == ("r-1", *said)


def test_a_repeat_is_answered_again_as_the_first_time(plane: System) -> None:
    headers = [("command-id", b"r-2"), ("reply-to", plane.name("answers").encode())]
    first = send(plane, b"DROP JOB nobody", headers)
    again = send(plane, b"DROP JOB nobody", headers)
    assert again > first
    assert [(row["offset"], row["code"]) for row in rows(replies(plane, "r-2", 2))] == [(first, "job-not-found")] * 2


@pytest.mark.parametrize("form", ["JSON", "Avro", "CloudEvent, binary", "CloudEvent, structured"])
def test_every_form_is_understood_and_answered(plane: System, form: str) -> None:
    sql, ours, key = "DROP JOB IF EXISTS nobody", plane.name("answers"), f"form-{form}"
    event = {"specversion": "1.0", "type": "sql", "id": key, "source": "/shop", "data": {"sql": sql, "reply_to": ours}}
    value, headers = {
        "JSON": (json.dumps({"sql": sql, "command_id": key, "reply_to": ours, "issued_by": "/shop"}).encode(), []),
        "Avro": (encode(Command(sql, key, ours, "/shop")), []),
        "CloudEvent, binary": (
            sql.encode(),
            [("ce_id", key.encode()), ("ce_source", b"/shop"), ("ce_specversion", b"1.0"), ("reply-to", ours.encode())],
        ),
        "CloudEvent, structured": (json.dumps(event).encode(), [("content-type", b"application/cloudevents+json")]),
    }[form]
    offset = send(plane, value, headers)
    assert [row["verdict"] for row in rows(replies(plane, key))] == ["unchanged"]
    assert cause(plane, offset).issued_by == "/shop"


def test_a_refusal_is_answered_too_where_the_header_says_so(plane: System) -> None:
    ours = plane.name("answers").encode()
    offset = send(plane, b"{]", [("reply-to", ours)])
    assert rows(replies(plane, f"c-{offset}"))[0]["code"] == "bad-envelope"


def test_no_reply_goes_where_it_must_not_and_none_makes_a_topic(plane: System) -> None:
    ours, nowhere = plane.name("answers").encode(), plane.name("nowhere")
    before = plane.ends(f"{plane.prefix}tasks")
    send(plane, b"DROP JOB IF EXISTS nobody", [("command-id", b"r-3"), ("reply-to", f"{plane.prefix}tasks".encode())])
    send(plane, b"DROP JOB IF EXISTS nobody", [("command-id", b"r-4"), ("reply-to", nowhere.encode())])
    send(plane, b"DROP JOB IF EXISTS nobody", [("command-id", b"r-3"), ("reply-to", ours)])
    row = rows(replies(plane, "r-3"))[0]
    assert (row["verdict"], row["code"]) == ("refused", "topic-reserved")
    assert plane.ends(f"{plane.prefix}tasks") == before
    until(lambda: f"no reply to '{nowhere}'" in plane.workers[0].log.read_text(), 20, "the worker says so")
    assert nowhere not in plane.admin.list_topics(timeout=10).topics
