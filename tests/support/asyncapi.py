"""The AsyncAPI 3 document of a control plane's topics, as it follows from topics, record types and headers."""

from collections.abc import Mapping
from typing import Any

import msgspec

from jobplane.controlplane.core.outcome import outcome_row
from jobplane.controlplane.topics import (
    CHECKPOINTS,
    COMMANDS,
    EVENTS,
    REPORTS,
    SNAPSHOTS,
    STATE,
    TASKS,
    TOPICS,
    ControlTopic,
)
from jobplane.processors.evaluation.dead_letters import OWN
from jobplane.schemas.options import DEAD_LETTERS
from jobplane.schemas.records.commands import ATTRIBUTES, REPLY_TO, Command
from jobplane.schemas.records.state import Answer
from jobplane.schemas.wire.avro_names import avro_name
from jobplane.schemas.wire.codec import record_types, schema
from jobplane.schemas.wire.command_record import CLOUD_EVENT

AVRO = "application/vnd.apache.avro+json;version=1.9.0"
JSON_SCHEMA = "application/schema+json;version=draft-07"
SINGLE_OBJECT = "Avro in single-object encoding: C3 01, the schema's CRC-64-AVRO fingerprint, the record."
PREFIX = {"prefix": {"default": "jobplane.", "description": "One prefix is one control plane."}}
REPLIES = "replies"

Json = dict[str, Any]

ABOUT: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    COMMANDS: ("receive", "Statements, one a record. Anyone allowed to write here may command.", ("Command",)),
    EVENTS: ("send", "What was decided and what happened. The key is the name of the job, or empty.", ("Event",)),
    STATE: (
        "send",
        'All that is known now, compacted. The key is a JSON array: ["job", uid], ["snapshot", name], ["position"] …',
        ("Job", "Mapping", "Snapshot", "Answer", "Position"),
    ),
    TASKS: ("send", "What workers must run, compacted. The key is uid/task.", ("Task",)),
    REPORTS: ("receive", "What tasks tell. Written by workers; the key is uid/task.", ("Report",)),
    CHECKPOINTS: (
        "send",
        "Offsets and state of each task, compacted. The key is uid/layout/task.",
        ("Checkpoint",),
    ),
    DEAD_LETTERS: (
        "send",
        "Records that a job could not read, evaluate or write, as they were, where it names no topic of its own.",
        (),
    ),
    SNAPSHOTS: ("send", "Copied checkpoints, compacted. The key is name/version/task/number.", ("Checkpoint",)),
}
"""Each topic: what the control plane does there, what is in it, and of which record types its values are."""


def document(version: str) -> Json:
    """The whole document."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "jobplane",
            "version": version,
            "description": "SQL job control on Apache Kafka. Send statements to `commands`, the one topic here that is "
            "written by others; read outcomes from `events`, or have them sent to a topic of your own.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/avro",
        "servers": {"kafka": {"host": "127.0.0.1:9092", "protocol": "kafka", "description": "Your own Kafka."}},
        "channels": {**{topic.name: _channel(topic) for topic in TOPICS}, REPLIES: _replies()},
        "operations": {f"{ABOUT[topic.name][0]}-{topic.name}": _operation(topic.name) for topic in TOPICS},
        "components": {
            "messages": {avro_name(record): _avro(avro_name(record)) for record in record_types()} | _other_messages(),
            "schemas": {avro_name(one): _multi(AVRO, _split_names(schema(avro_name(one)))) for one in record_types()}
            | _json_schemas(),
        },
    }


def _ref(*path: str) -> Json:
    return {"$ref": "#/" + "/".join(path)}


def _messages(topic: str) -> tuple[str, ...]:
    return (*ABOUT[topic][2], *_FURTHER.get(topic, ()))


_FURTHER = {COMMANDS: ("CommandText", "CommandJson", "CommandCloudEvent"), DEAD_LETTERS: ("DeadLetter",)}


def _channel(topic: ControlTopic) -> Json:
    _, about, _ = ABOUT[topic.name]
    settings = {"cleanup.policy": [topic.cleanup], **topic.config}
    return {
        "address": f"{{prefix}}{topic.name}",
        "description": about,
        "parameters": PREFIX,
        "messages": {one: _ref("components", "messages", one) for one in _messages(topic.name)},
        "bindings": {
            "kafka": {
                "partitions": topic.partitions,
                "topicConfiguration": {key: _number(settings[key]) for key in _BOUND if key in settings},
                "bindingVersion": "0.5.0",
            }
        },
    }


_BOUND = ("cleanup.policy", "retention.ms", "retention.bytes", "delete.retention.ms", "max.message.bytes")
"""What the Kafka binding of AsyncAPI knows of a topic's configuration."""


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, str) else value


def _replies() -> Json:
    return {
        "address": None,
        "description": "The topic that a command named in `reply-to`; it must exist, outside the control plane's "
        "prefix. The key is the command's id. Sent once, after the verdict, best effort.",
        "messages": {"Reply": _ref("components", "messages", "Reply")},
    }


def _operation(topic: str) -> Json:
    action, about, _ = ABOUT[topic]
    reply = {
        "address": {"location": f"$message.header#/{REPLY_TO}"},
        "channel": _ref("channels", REPLIES),
        "messages": [_ref("channels", REPLIES, "messages", "Reply")],
    }
    return {
        "action": action,
        "channel": _ref("channels", topic),
        "summary": about,
        "messages": [_ref("channels", topic, "messages", one) for one in _messages(topic)],
        **({"reply": reply} if topic == COMMANDS else {}),
    }


def _multi(schema_format: str, written: Json) -> Json:
    return {"schemaFormat": schema_format, "schema": written}


def _split_names(avro: Any) -> Any:
    """The same Avro schema with namespace and name apart: AsyncAPI knows no full names where a type is defined."""
    if isinstance(avro, list):
        return [_split_names(one) for one in avro]
    if not isinstance(avro, dict):
        return avro
    inside = {key: one if key == "default" else _split_names(one) for key, one in avro.items()}
    namespace, dot, name = avro["name"].rpartition(".") if avro.get("type") == "record" else ("", "", "")
    return {**inside, "name": name, "namespace": namespace} if dot else inside


def _avro(name: str) -> Json:
    return {
        "name": name,
        "summary": SINGLE_OBJECT,
        "contentType": "application/avro",
        **({"headers": _ref("components", "schemas", "CommandHeaders")} if name == Command.__name__ else {}),
        "payload": _ref("components", "schemas", name),
    }


def _other_messages() -> Json:
    forms = {
        "CommandText": ("text/plain", "One statement as UTF-8 text."),
        "CommandJson": ("application/json", "A statement as JSON; headers win over its fields."),
        "CommandCloudEvent": (CLOUD_EVENT, "A CloudEvent in structured mode."),
        "Reply": ("application/json", "A copy of the outcome."),
        "DeadLetter": ("application/octet-stream", "A record as its source had it."),
    }
    headers = {"Reply": "ReplyHeaders", "DeadLetter": "DeadLetterHeaders"}
    return {
        name: {
            "name": name,
            "summary": summary,
            "contentType": content_type,
            "headers": _ref("components", "schemas", headers.get(name, "CommandHeaders")),
            "payload": _ref("components", "schemas", name),
        }
        for name, (content_type, summary) in forms.items()
    }


def _json_schemas() -> Json:
    text = {"type": "string"}
    command = {
        "type": "object",
        "required": ["sql"],
        "properties": {
            "sql": text,
            **{one.field: {**text, "maxLength": one.longest, "description": one.doc} for one in ATTRIBUTES},
        },
    }
    names = {name: one for one in ATTRIBUTES for name in (one.header, one.cloud) if name}
    return {
        "CommandHeaders": {
            "type": "object",
            "properties": {
                name: {**text, "maxLength": one.longest, "description": one.doc} for name, one in names.items()
            },
        },
        "DeadLetterHeaders": {"type": "object", "properties": dict.fromkeys(sorted(OWN), text)},
        "DeadLetter": {"description": "Key and value as they were, in whatever format the source has."},
        "CommandText": text,
        "CommandJson": command,
        "CommandCloudEvent": {
            "type": "object",
            "required": ["specversion", "data"],
            "properties": {
                "specversion": text,
                **dict.fromkeys(("id", "source", "type", "traceparent"), text),
                "data": {"oneOf": [text, _ref("components", "schemas", "CommandJson")]},
            },
        },
        "ReplyHeaders": {
            "type": "object",
            "required": ["command-id"],
            "properties": {"command-id": text, "traceparent": text},
        },
        "Reply": _reply(),
    }


def _reply() -> Json:
    """Read off the row itself: its fields, and the type each has in Answer."""
    shown = Answer("", "", 0, 0, "", "", "", 0, 0, (), "uid", "name")
    row = msgspec.to_builtins(outcome_row(shown, "RUNNING"))
    kinds: Mapping[type, Json] = {
        str: {"type": "string"},
        int: {"type": "integer"},
        list: {"type": "array", "items": {"type": "string"}},
    }
    job = {"type": ["object", "null"], "properties": {key: kinds[type(value)] for key, value in row["job"].items()}}
    properties = {key: job if key == "job" else kinds[type(value)] for key, value in row.items()}
    properties["verdict"] = {"type": "string", "enum": ["accepted", "unchanged", "refused"]}
    return {"type": "object", "required": list(row), "properties": properties}
