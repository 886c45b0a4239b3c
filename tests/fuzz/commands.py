"""Records of the command log: text, JSON, Avro, a registry's frames, CloudEvents, and headers of all kinds."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import msgspec

from jobplane.schemas.errors import JobplaneError
from jobplane.schemas.records.commands import ATTRIBUTES, Command
from jobplane.schemas.wire.codec import encode, schema
from jobplane.schemas.wire.command_record import CLOUD_EVENT, CONTENT_TYPE
from tests.fuzz.literals import TEXTS
from tests.fuzz.plane import JOBS, Registry, judged, refusal

_STATEMENTS = (
    *(f"ALTER JOB {job} {word}" for job in JOBS for word in ("SUSPEND", "RESUME", "RESTART")),
    *(
        "DROP JOB runs",
        "DROP JOB IF EXISTS nobody",
        "CREATE SNAPSHOT kept FOR JOB runs",
        "DROP MAPPING csv",
        "SHOW JOBS",
    ),
    *(
        "CREATE JOB new AS INSERT INTO out SELECT * FROM s",
        "DROP JOB 'runs'",
        "",
        ";",
        " DROP\tJOB\nruns ; ",
        "DROP JOB ä",
    ),
    *("-- nothing", "\ufeffDROP JOB runs", "DROP JOB runs\u0000", "{", "{}", "DROP JOB runs; DROP JOB rests", "\u2028"),
)
_HEADERS = (*(one.header for one in ATTRIBUTES), *(one.cloud for one in ATTRIBUTES if one.cloud), CONTENT_TYPE, "", "x")
_ODD_BYTES = (
    None,
    b"",
    b"\xff",
    b"\xc3\x28",
    b"a",
    b"id-1",
    b"x" * 501,
    "ä".encode() * 200,
    b"\x00",
    b"jobplane.events",
    b"out",
)
_SPECIAL: dict[str, tuple[bytes | None, ...]] = {
    CONTENT_TYPE: (CLOUD_EVENT.encode(), b"application/CloudEvents+json; charset=utf-8", b"text/plain", b"\xff/\xfe"),
    "reply-to": (b"answers", b"jobplane.answers", b"a b", b"x" * 250, b"", "ä".encode()),
    "command-id": (b"id-1", b"id-2", b"x" * 201),
}
_OWN = schema("Command")
_NUMBERED = {
    1: msgspec.json.encode(_OWN).decode(),
    2: '{"type": "record", "name": "jobplane.Command", "fields": [{"name": "sql", "type": "string"}]}',
    3: '{"type": "record", "name": "jobplane.Command", "fields": [{"name": "sql", "type": "bytes"}]}',
    4: '{"type": "record", "name": "Other", "fields": [{"name": "sql", "type": ["null", "string"]}]}',
    5: '"string"',
    6: "not JSON",
    7: '{"type": "record", "name": "jobplane.Command", "fields": [{"name": "sql", "type": ["null", "int"]}]}',
}
_REGISTRY = Registry(None, _NUMBERED)


@dataclass(frozen=True, slots=True)
class Sent:
    """A record of the command log."""

    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] | None
    registered: bool

    @property
    def text(self) -> str:
        return f"{self.value!r} with headers {self.headers!r}{'' if self.registered else ', without a registry'}"

    def run(self) -> JobplaneError | None:
        return refusal(judged(self.value, self.headers, _REGISTRY if self.registered else None))

    def smaller(self) -> Iterator["Sent"]:
        for i in range(len(self.headers or ())):
            assert self.headers is not None
            yield replace(self, headers=(*self.headers[:i], *self.headers[i + 1 :]))
        value = self.value or b""
        for size in (len(value) // 2, len(value) // 8, 1):
            for at in range(0, len(value), max(1, size, len(value) // 50)):
                yield replace(self, value=value[:at] + value[at + size :])


def command(chance: Random) -> Sent:
    value, headers = _value(chance)
    if value and chance.random() < 0.15:
        value = _spoiled(value, chance)
    headers += _some_headers(chance)
    return Sent(value, tuple(headers) if headers or chance.random() < 0.5 else None, chance.random() < 0.9)


def _value(chance: Random) -> tuple[bytes | None, list[tuple[str, bytes | None]]]:
    sql = chance.choice(_STATEMENTS)
    match chance.randrange(10):
        case 0 | 1 | 2:
            return sql.encode(), []
        case 3 | 4:
            return _json(_envelope(sql, chance)), []
        case 5:
            return encode(_command(sql, chance)), []
        case 6:
            framed = (
                encode(_command(sql, chance))[10:] if chance.random() < 0.6 else chance.randbytes(chance.randrange(30))
            )
            return b"\x00" + chance.choice((1, 1, 1, *range(15), 2**32 - 1)).to_bytes(4, "big") + framed, []
        case 7 | 8:
            return _json(_event(sql, chance)), [(CONTENT_TYPE, CLOUD_EVENT.encode())]
    if chance.random() < 0.01:
        return chance.choice((b" ", b"\xff", b"{", b"\xc3\x01", b"(", b"'")) * chance.choice((70_000, 1_000_000)), []
    return chance.choice(
        (None, b"", chance.randbytes(chance.randrange(40)), b"\xc3\x01", b"\x00\x00", b"{" * 3_000)
    ), []


def _command(sql: str, chance: Random) -> Command:
    if chance.random() < 0.5:
        return Command(sql)
    given = chance.choice(("", "id-1", "id-2", "x" * 300))
    return Command(sql, given, chance.choice(("", "answers", "a b")), chance.choice(TEXTS), chance.choice(TEXTS))


def _envelope(sql: str, chance: Random) -> dict[str, Any]:
    made: dict[str, Any] = {"sql": sql}
    while chance.random() < 0.4:
        made[chance.choice(("command_id", "reply_to", "issued_by", "traceparent", "after", "sql", "more", ""))] = (
            _anything(chance)
        )
    return made


def _event(sql: str, chance: Random) -> dict[str, Any]:
    data: Any = sql if chance.random() < 0.4 else _envelope(sql, chance)
    made: dict[str, Any] = {"specversion": "1.0", "id": "e-1", "source": "/tests", "type": "command", "data": data}
    while chance.random() < 0.3:
        made[chance.choice(("specversion", "id", "source", "data", "traceparent", "datacontenttype", "time"))] = (
            _anything(chance)
        )
    return made


def _anything(chance: Random) -> Any:
    odd: tuple[Any, ...] = (
        None,
        True,
        1,
        1e300,
        [],
        {},
        {"sql": 1},
        ["a"],
        "id-1",
        "",
        "answers",
        "x" * 600,
        chance.choice(TEXTS),
    )
    return chance.choice(odd) if chance.random() < 0.4 else chance.choice(("id-1", "a", "answers", ""))


def _json(one: object) -> bytes:
    return msgspec.json.encode(one)


def _some_headers(chance: Random) -> list[tuple[str, bytes | None]]:
    made: list[tuple[str, bytes | None]] = []
    while chance.random() < 0.3:
        name = chance.choice(_HEADERS)
        known = _SPECIAL.get(name, (b"a", b"id-1"))
        made.append((name, chance.choice(known if chance.random() < 0.6 else _ODD_BYTES)))
    return made


def _spoiled(value: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(value) + 1)
    match chance.randrange(5):
        case 0:
            return value[:at]
        case 1:
            return value[:at] + chance.randbytes(chance.randint(1, 4)) + value[at:]
        case 2:
            return value + chance.choice((b"\x00", b"}", b" ", b"\xff"))
        case 3:
            return (
                value[:at]
                + chance.choice((b"\\ud83d", b"\\u0000", b'"', b"\\", b"\xed\xa0\x80", b"[" * 2_000))
                + value[at:]
            )
    return value[:at] + value[at + chance.randint(1, 8) :]
