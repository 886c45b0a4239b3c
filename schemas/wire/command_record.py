"""Reads a record of the command log: who sent what, before it is judged.

A value is UTF-8 text, a JSON object (`{` first), an Avro Command in single-object encoding (`C3 01` first) or as a
schema registry's client frames it (`00` first), or a CloudEvent as its content type says. For each attribute our header
wins over the value, and the value over the CloudEvents attribute.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import msgspec

from jobplane.schemas.errors import BadEnvelope, NotUtf8, Refused, TopicReserved
from jobplane.schemas.msgspec_types import json_decoder
from jobplane.schemas.names import is_topic_name
from jobplane.schemas.records.commands import ATTRIBUTES, REPLY_TO, Attribute, Command
from jobplane.schemas.types.json_text import describe_unfit
from jobplane.schemas.wire.codec import MARKER, UnknownRecord, decode

if TYPE_CHECKING:
    from jobplane.schemas.wire.framed import RegistrySchemas

CLOUD_EVENT = "application/cloudevents+json"
CONTENT_TYPE = "content-type"
_REGISTRY = b"\x00"
_FORMS = '{"sql": "…", "command_id": "…"} or the bare statement'

T = TypeVar("T")
Headers = Sequence[tuple[str, bytes | str | None]]


@dataclass(frozen=True, slots=True)
class ReceivedCommand:
    """One record of the command log. `error` is why it is refused before its text is looked at.

    An attribute that is refused is empty here: nothing is sent to a reply_to that must not be one.
    """

    offset: int
    time: int
    text: str
    given_id: str
    digest: str
    length: int
    error: Refused | None = None
    reply_to: str = ""
    issued_by: str = ""
    traceparent: str = ""
    after: str = ""

    @property
    def shown_id(self) -> str:
        return self.given_id or f"c-{self.offset}"


class _CloudEvent(msgspec.Struct):
    """A CloudEvent in structured mode, as far as it matters here; `data` is the statement or an envelope."""

    specversion: str
    data: str | Command
    id: str = ""
    source: str = ""
    traceparent: str = ""


_envelope = json_decoder(Command)
_cloud_event = json_decoder(_CloudEvent)


def read_command(
    offset: int,
    time: int,
    value: bytes | None,
    headers: Headers | None,
    prefix: str,
    schemas: "RegistrySchemas | None" = None,
) -> ReceivedCommand:
    """The command in a record of the log; a record that cannot be read is a command with an error.

    `prefix` begins the names of the control plane's own topics, which get no replies. `schemas` are those of the
    registry, None without a registry. Raises UnknownSchema, and nothing else, if it needs another one.
    """
    data, named = value or b"", dict(headers or ())
    sent, error = Command(""), None
    try:
        sent = _read_value(data, named, schemas)
    except Refused as refused:
        error = refused
    said: dict[str, str] = {}
    for one in ATTRIBUTES:
        try:
            said[one.field] = _attribute(one, getattr(sent, one.field), named, prefix)
        except Refused as refused:
            said[one.field] = ""
            error = error or refused
    digest = hashlib.sha256(sent.sql.encode() or data).hexdigest()
    given_id = said.pop("command_id")
    return ReceivedCommand(offset, time, sent.sql, given_id, digest, len(data), error, **said)


def _read_value(data: bytes, named: Mapping[str, bytes | str | None], schemas: "RegistrySchemas | None") -> Command:
    if data[:2] == MARKER:
        return _avro(data)
    if data[:1] == _REGISTRY:
        from jobplane.schemas.wire.framed import (
            read_framed,  # with all that reads Avro of any schema: few commands come so
        )

        return read_framed(data, schemas)
    try:
        text = data.decode()
    except UnicodeDecodeError as bad:
        raise NotUtf8(f"byte {bad.start} of the record is not UTF-8; send the statement as UTF-8 text") from None
    if _is_cloud_event(named.get(CONTENT_TYPE) or b""):
        return _cloud(data)
    if not text.lstrip().startswith("{"):
        return Command(text)
    return _of_json(_envelope, data, f"{{}}; send {_FORMS}")


def _of_json(decoder: msgspec.json.Decoder[T], data: bytes, refusal: str) -> T:  # noqa: TID251  # only its type
    """`refusal` has `{}` for the reason. Raises BadEnvelope."""
    try:
        return decoder.decode(data)
    except msgspec.MsgspecError as bad:
        reason = describe_unfit(bad)
    except RecursionError:  # arrays and objects in fields that nobody reads, too
        reason = "the JSON is nested too deep"
    raise BadEnvelope(refusal.replace("{}", reason, 1))


def _avro(data: bytes) -> Command:
    try:
        return decode(data, Command)
    except UnknownRecord as bad:
        raise BadEnvelope(f"not an Avro Command: {bad}; write it with the schema jobplane.Command") from None


def _is_cloud_event(content_type: bytes | str) -> bool:
    said = content_type if isinstance(content_type, str) else content_type.decode("latin-1")
    return said.partition(";")[0].strip().lower() == CLOUD_EVENT


def _cloud(data: bytes) -> Command:
    event = _of_json(_cloud_event, data, f'not a CloudEvent with a command: {{}}; its "data" must be {_FORMS}')
    sent = event.data if isinstance(event.data, Command) else Command(event.data)
    return replace(
        sent,
        command_id=sent.command_id or event.id,
        issued_by=sent.issued_by or event.source,
        traceparent=sent.traceparent or event.traceparent,
    )


def _attribute(one: Attribute, in_value: str, named: Mapping[str, bytes | str | None], prefix: str) -> str:
    header, cloud = named.get(one.header), named.get(one.cloud) if one.cloud else None
    said = _text(one.header, header) if header is not None else in_value or _text(one.cloud, cloud or "")
    if len(said) > one.longest:
        raise BadEnvelope(f"{one.header} has at most {one.longest} characters, not {len(said)}")
    if one.header == REPLY_TO and said:
        if not is_topic_name(said):
            raise BadEnvelope("reply-to must be the name of a topic: letters, digits, '.', '_' and '-'")
        if said.startswith(prefix):
            raise TopicReserved(
                f"{REPLY_TO} '{said}' is reserved: names that begin with '{prefix}' are the control plane's own"
            )
    return said


def _text(header: str, raw: bytes | str) -> str:
    try:
        return raw if isinstance(raw, str) else raw.decode()
    except UnicodeDecodeError:
        raise NotUtf8(f"the header {header} is not UTF-8") from None
