"""A record on the command log, read: who sent what, before anyone judges it.

A value is UTF-8 text, or a JSON object (`{` first) with "sql" and perhaps "command_id". The header `command-id` wins.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from schemas.errors import BadEnvelope, NotUtf8, Refused

COMMAND_ID = "command-id"
MAX_COMMAND_ID = 200


@dataclass(frozen=True, slots=True)
class Command:
    """One record of the command log. `error` is set instead of `text` where it could not be read."""

    offset: int
    time: int
    text: str
    given_id: str
    digest: str
    length: int
    error: Refused | None = None

    @property
    def shown_id(self) -> str:
        return self.given_id or f"c-{self.offset}"


class _Envelope(msgspec.Struct):
    sql: str
    command_id: str = ""


_envelope = msgspec.json.Decoder(_Envelope)


def read_command(
    offset: int, time: int, value: bytes | None, headers: Sequence[tuple[str, bytes | str | None]] | None
) -> Command:
    """The command in a record of the log. Never raises: what cannot be read is a command with an error."""
    data = value or b""
    text, given_id, error = "", "", None
    try:
        text, given_id = _read_value(data)
        given_id = _header(dict(headers or ()), given_id)
    except Refused as refused:
        error = refused
    return Command(offset, time, text, given_id, hashlib.sha256(text.encode() or data).hexdigest(), len(data), error)


def _read_value(data: bytes) -> tuple[str, str]:
    try:
        text = data.decode()
    except UnicodeDecodeError as bad:
        raise NotUtf8(f"byte {bad.start} of the record is not UTF-8; send the statement as UTF-8 text") from None
    if not text.lstrip().startswith("{"):
        return text, ""
    try:
        envelope = _envelope.decode(data)
    except msgspec.MsgspecError as bad:
        raise BadEnvelope(f'{bad}; send {{"sql": "…", "command_id": "…"}} or the bare statement') from None
    return envelope.sql, envelope.command_id


def _header(headers: Mapping[str, bytes | str | None], given_id: str) -> str:
    raw = headers.get(COMMAND_ID)
    if raw is not None:
        try:
            given_id = raw if isinstance(raw, str) else raw.decode()
        except UnicodeDecodeError:
            raise NotUtf8(f"the header {COMMAND_ID} is not UTF-8") from None
    if len(given_id) > MAX_COMMAND_ID:
        raise BadEnvelope(f"a command id has at most {MAX_COMMAND_ID} characters, not {len(given_id)}")
    return given_id
