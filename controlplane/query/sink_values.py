"""Shows the values of written records: values in a binary format are decoded again, and shown as JSON."""

from collections.abc import Iterable
from typing import Any

from jobplane.controlplane.core.decide.formats import sink_reader_mapping
from jobplane.controlplane.listings.rows import text_of
from jobplane.controlplane.query.dry_run_listing import ValueOf, value_text
from jobplane.processors.dry_run import Record
from jobplane.processors.kafka.cluster import Message
from jobplane.schemas.formats import VALUE_FORMAT
from jobplane.schemas.formats.avro.known_schemas import KnownSchemas
from jobplane.schemas.formats.known import FORMATS
from jobplane.schemas.names import quote_name
from jobplane.schemas.records.mappings import TopicMapping
from jobplane.schemas.records.sources import Sink
from jobplane.sql.codegen.compile import Step, Wiring, compile_step
from jobplane.sql.plan.plan import plan
from jobplane.sql.syntax.parser import parse_insert
from jobplane.sql.syntax.parts import KEY, THIS

_BINARY = frozenset(name for name, one in FORMATS.items() if one.is_binary)


def value_reader(sinks: Iterable[Sink]) -> ValueOf:
    """A function that decodes the value of a record of a sink; it returns None if there is no value."""
    of_topic: dict[str, ValueOf] = {}
    for sink in sinks:
        of_topic.setdefault(sink.topic, _reader_of(sink))
    return lambda record: of_topic[record[0]](record)


def _reader_of(sink: Sink) -> ValueOf:
    mapping = sink_reader_mapping(sink)
    if mapping is None or mapping.options.get(VALUE_FORMAT) not in _BINARY:
        return value_text
    schemas = KnownSchemas()
    if mapping.value_schema is not None and mapping.value_schema.id:
        schemas.learn(mapping.value_schema.id, mapping.value_schema.text)
    step = _compile_reader(mapping, schemas)

    def read(record: Record) -> str | None:
        _, value, key, *_ = record
        found: list[Any] = []
        step(iter([Message(sink.topic, 0, 0, key, value)]), lambda *given: found.append(given[1]), found.append)
        return text_of(found[0]) if found else None

    return read


def _compile_reader(mapping: TopicMapping, schemas: KnownSchemas) -> Step:
    columns = [quote_name(one.name) for one in mapping.columns if one.path[0] != KEY] or [THIS]
    insert = parse_insert(f"INSERT INTO shown SELECT {', '.join(columns)} FROM written")
    wiring = Wiring("shown", 1, {"written": mapping.topic}, {"written": 0}, schemas=schemas)
    return compile_step(plan(insert, {"written": mapping}, None), wiring).step
