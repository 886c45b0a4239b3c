"""A command as a producer sends it, and the attributes that headers of its record may have."""

from dataclasses import dataclass

COMMAND_ID, REPLY_TO, ISSUED_BY, TRACEPARENT, AFTER = "command-id", "reply-to", "issued-by", "traceparent", "after"
LONGEST_TOPIC = 249


@dataclass(frozen=True, slots=True)
class Command:
    """One statement and where it comes from, as JSON or Avro. Headers of the record win over these fields."""

    sql: str
    command_id: str = ""
    reply_to: str = ""
    issued_by: str = ""
    traceparent: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Attribute:
    """A field of Command, its header, that of a CloudEvent in binary mode (if any), and its bound in characters."""

    field: str
    header: str
    cloud: str
    longest: int
    doc: str


ATTRIBUTES = (
    Attribute("command_id", COMMAND_ID, "ce_id", 200, "your own id for this command: a repeat of it changes nothing"),
    Attribute("reply_to", REPLY_TO, "", LONGEST_TOPIC, "a topic that the outcome is copied to"),
    Attribute("issued_by", ISSUED_BY, "ce_source", 500, "who or what sends it"),
    Attribute("traceparent", TRACEPARENT, "ce_traceparent", 200, "the W3C trace context it belongs to"),
    Attribute("after", AFTER, "", 200, "the id of an earlier command: this one is refused if that one was"),
)
