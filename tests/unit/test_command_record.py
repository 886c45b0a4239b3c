"""How a record on the command log is read, whatever it holds."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobplane.schemas.errors import BadEnvelope, NoRegistry, NotUtf8, TopicReserved
from jobplane.schemas.records.commands import ATTRIBUTES, Command
from jobplane.schemas.records.state import Position
from jobplane.schemas.wire.codec import MARKER, encode
from jobplane.schemas.wire.command_record import Headers, ReceivedCommand, read_command

DROP = "DROP JOB a"
CLOUD = [("content-type", b"application/cloudevents+json; charset=utf-8")]


def read(value: bytes | None, headers: Headers | None = None, offset: int = 0) -> ReceivedCommand:
    return read_command(offset, 0, value, headers, "jobplane.")


def cloud(data: Any, **attributes: str) -> bytes:
    event = {"specversion": "1.0", "type": "t", "id": "e", "source": "/shop", "data": data, **attributes}
    return json.dumps(event).encode()


@pytest.mark.parametrize(
    ("value", "headers", "text", "given_id"),
    [
        (b"DROP JOB a", None, DROP, ""),
        (b"DROP JOB a", [("command-id", b"x")], DROP, "x"),
        (b"DROP JOB a", [("command-id", "x")], DROP, "x"),
        (b"DROP JOB a", [("command-id", b"w"), ("command-id", b"x"), ("", b"y"), ("content-type", b"\xff")], DROP, "x"),
        (b'{"sql": "DROP JOB a"}', [], DROP, ""),
        (b'  {"sql": "DROP JOB a", "command_id": "y", "more": [1]}', [], DROP, "y"),
        (b'{"sql": "DROP JOB a", "command_id": "y"}', [("command-id", b"x")], DROP, "x"),
        (encode(Command(DROP, "y")), [], DROP, "y"),
        (encode(Command(DROP, "y")), [("command-id", b"x")], DROP, "x"),
        (b"DROP JOB a", [("ce_id", b"e"), ("ce_specversion", b"1.0"), ("ce_type", b"\xff")], DROP, "e"),
        (b"DROP JOB a", [("ce_id", b"e"), ("command-id", b"x")], DROP, "x"),
        (b'{"sql": "DROP JOB a", "command_id": "y"}', [("ce_id", b"e")], DROP, "y"),
        (cloud(DROP), CLOUD, DROP, "e"),
        (cloud({"sql": DROP}), CLOUD, DROP, "e"),
        (cloud({"sql": DROP, "command_id": "y"}), CLOUD, DROP, "y"),
        (cloud(DROP), [*CLOUD, ("command-id", b"x")], DROP, "x"),
        (None, None, "", ""),
    ],
)
def test_text_and_id(value: bytes | None, headers: Headers | None, text: str, given_id: str) -> None:
    command = read(value, headers, offset=7)
    assert (command.text, command.given_id, command.error) == (text, given_id, None)
    assert command.shown_id == (given_id or "c-7")


FULL = Command(DROP, "id", "answers", "night-shift", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
AS_HEADERS: Headers = [(one.header, getattr(FULL, one.field)) for one in ATTRIBUTES]
AS_CLOUD: Headers = [(one.cloud, getattr(FULL, one.field)) for one in ATTRIBUTES if one.cloud]
OTHER = Command(DROP, "i2", "a2", "b2", "t2")


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (DROP.encode(), AS_HEADERS),
        (DROP.encode(), [*AS_CLOUD, ("reply-to", b"answers")]),
        (json.dumps({one: getattr(FULL, one) for one in FULL.__slots__}).encode(), []),
        (encode(FULL), []),
        (encode(OTHER), AS_HEADERS),
        (
            cloud({"sql": DROP, "reply_to": "answers"}, id="id", source="night-shift", traceparent=FULL.traceparent),
            CLOUD,
        ),
    ],
    ids=["headers", "CloudEvent, binary", "JSON", "Avro", "headers win", "CloudEvent, structured"],
)
def test_what_goes_along(value: bytes, headers: Headers) -> None:
    command = read(value, headers)
    assert command.error is None
    assert (command.text, command.given_id, command.reply_to, command.issued_by, command.traceparent) == (
        *(FULL.sql, FULL.command_id, FULL.reply_to, FULL.issued_by, FULL.traceparent),
    )


@pytest.mark.parametrize(
    ("value", "headers", "error", "said"),
    [
        (b"DROP JOB \xff", [], NotUtf8, "byte 9"),
        (b"{", [], BadEnvelope, "it is not JSON: it ends too early"),
        (b'{"specversion": "1.0", "data": "\xff"', CLOUD, NotUtf8, "byte 32"),
        (b'{"more": ' + b"[" * 5_000, [], BadEnvelope, "nested too deep"),
        (b'{"specversion": "1.0", "data": {"sql": "x", "more": ' + b"[" * 5_000, CLOUD, BadEnvelope, "nested too deep"),
        (b'{"SQL": "x"}', [], BadEnvelope, '"sql" is missing'),
        (b'{"sql": 1}', [], BadEnvelope, '"sql" is a number, and must be a text'),
        (b'{"sql": "x", "reply_to": 1}', [], BadEnvelope, "reply_to"),
        (b"DROP JOB a", [("command-id", b"\xff")], NotUtf8, "command-id"),
        (b"DROP JOB a", [("command-id", b"x" * 201)], BadEnvelope, "at most 200 characters, not 201"),
        (b"DROP JOB a", [("issued-by", b"x" * 501)], BadEnvelope, "issued-by has at most 500"),
        (b"DROP JOB a", [("reply-to", b"a b")], BadEnvelope, "name of a topic"),
        (b"DROP JOB a", [("reply-to", b"jobplane.events")], TopicReserved, "'jobplane.events'"),
        (b'{"sql": "DROP JOB a", "reply_to": "jobplane."}', [], TopicReserved, "'jobplane.'"),
        (
            b"\x00\x00\x00\x00\x01",
            [],
            NoRegistry,
            "set JOBPLANE_REGISTRY_URL for all workers, or send Avro in single-o",
        ),
        (b"\x00\x00\x00\x01", [], BadEnvelope, "too short to hold the number of a schema"),
        (encode(FULL)[:-3], [], BadEnvelope, "damaged Command"),
        (MARKER + b"x" * 9, [], BadEnvelope, "unknown schema fingerprint"),
        (encode(Position()), [], BadEnvelope, "a Position, not a Command"),
        (cloud(7), CLOUD, BadEnvelope, "not a CloudEvent with a command"),
        (b"DROP JOB a", CLOUD, BadEnvelope, "not a CloudEvent with a command"),
        (b'{"specversion": "1.0"}', CLOUD, BadEnvelope, '"data" is missing'),
    ],
)
def test_what_cannot_be_read_is_a_command_with_an_error(
    value: bytes, headers: Headers, error: type[Exception], said: str
) -> None:
    command = read(value, headers)
    assert isinstance(command.error, error)
    assert said in str(command.error)
    assert command.length == len(value)


def test_a_refused_value_still_has_its_headers_and_a_refused_header_is_not_kept() -> None:
    broken = read(b"{", AS_HEADERS)
    assert isinstance(broken.error, BadEnvelope)
    assert (broken.given_id, broken.reply_to) == ("id", "answers")
    reserved = read(DROP.encode(), [("reply-to", b"jobplane.commands"), ("command-id", b"x")])
    assert (reserved.reply_to, reserved.given_id, reserved.text) == ("", "x", DROP)


def test_the_digest_is_of_the_text_however_it_came() -> None:
    forms = [DROP.encode(), b'{"sql":"DROP JOB a"}', encode(FULL)]
    assert len({read(one).digest for one in forms} | {read(cloud(DROP), CLOUD).digest}) == 1


NAMES = st.sampled_from([*(name for one in ATTRIBUTES for name in (one.header, one.cloud)), "content-type", "other"])
VALUES = st.one_of(st.none(), st.binary(max_size=300), st.text(max_size=300), st.just(CLOUD[0][1]))
ENVELOPES = st.dictionaries(
    st.sampled_from([*FULL.__slots__, "data", "specversion", "id"]), st.one_of(st.text(max_size=9), st.integers())
)
RECORDS = st.one_of(
    st.none(),
    st.binary(max_size=64),
    st.binary(max_size=64).map(lambda rest: encode(FULL)[:10] + rest),
    ENVELOPES.map(lambda fields: json.dumps(fields).encode()),
    st.text(max_size=20).map(lambda text: ("{" + text).encode(errors="surrogatepass")),
)


@given(RECORDS, st.lists(st.tuples(NAMES, VALUES), max_size=6))
def test_no_record_raises(value: bytes | None, headers: list[tuple[str, bytes | str | None]]) -> None:
    command = read(value, headers)
    assert command.length == len(value or b"")
    for one in ATTRIBUTES:
        assert len(command.given_id if one.field == "command_id" else getattr(command, one.field)) <= one.longest
    assert not command.reply_to.startswith("jobplane.")
