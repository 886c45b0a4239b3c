"""Decodes a topic's records by a mapping or format, and filters them by an SQL condition.

Both are planned and compiled as queries, as in jobs: a condition selects the records that a job's WHERE would select.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from jobplane.controlplane.listings.rows import text_of
from jobplane.controlplane.query.notices import SAMPLE_SIZE, json_values
from jobplane.controlplane.query.record_rows import RecordRow, plain_row
from jobplane.processors.evaluation.batch import Evaluation, RecordBatch
from jobplane.processors.kafka.cluster import Message
from jobplane.processors.registry.client import Registry
from jobplane.schemas.errors import STATEMENT_START, BadSyntax, Place, Refused, UnknownColumn
from jobplane.schemas.failures import RecordFailure
from jobplane.schemas.formats import KEY_FORMAT, VALUE_FORMAT
from jobplane.schemas.formats.avro.known_schemas import KnownSchemas
from jobplane.schemas.names import quote_name
from jobplane.schemas.records.mappings import TopicMapping
from jobplane.sql.analysis.topic_format import takes_any_field
from jobplane.sql.codegen.compile import Step, Wiring, compile_step
from jobplane.sql.functions import BUILT_IN, FunctionCatalogue
from jobplane.sql.plan.graph import Plan
from jobplane.sql.plan.missing_fields import missing_fields
from jobplane.sql.plan.plan import plan
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse_insert
from jobplane.sql.syntax.parts import KEY, THIS

AS_THEY_STAND = frozenset({"", "json", "json-flat", "varchar", "csv", "bytes"})
"""Formats whose bytes are shown unchanged: they are text already, or not text at all."""
_WHERE = re.compile(r"\s*WHERE\b", re.IGNORECASE)
"""A condition may begin with WHERE."""
_ALIAS = '"the offset"'
"""An alias that no condition uses."""
_SECOND = Place(2, 1)
"""Where the condition begins in the generated query."""


@dataclass(frozen=True, slots=True)
class TopicView:
    """How to read a topic. Conditions call it `name`. With `columns`, values are shown as the mapping's columns."""

    topic: str
    name: str
    mapping: TopicMapping | None = None
    columns: bool = False
    registry: Registry | None = None
    schemas: KnownSchemas = field(default_factory=KnownSchemas)

    def condition(self, where: str, functions: FunctionCatalogue = BUILT_IN) -> "Condition":
        """Compiles a condition, which may call `functions`. Raises Refused with its place in `where`."""
        try:
            word = "" if _WHERE.match(where) else "WHERE"
            head = f"INSERT INTO shown SELECT __offset AS {_ALIAS} FROM {quote_name(self.name)}"
            insert = parse_insert(f"{head} {word}\n{where}")
            first, *others = insert.query.branches
            if others or first.group or first.having or insert.emit:
                message = "a condition is the text after WHERE in one SELECT, without UNION ALL and GROUP BY"
                raise BadSyntax(message, _SECOND)
            planned = self._plan(insert, functions)
            return Condition(self._compile(planned, functions), self.registry, self._missing_fields_of(planned, insert))
        except Refused as refused:
            raise self._explain(refused) from refused

    def _missing_fields_of(
        self, planned: Plan, insert: statements.Insert
    ) -> Callable[[Sequence[Message]], tuple[str, ...]]:
        """A function that reports fields of the query that no given record has, if no mapping declares the fields."""
        if not takes_any_field(self.mapping):
            return lambda messages: ()
        return lambda messages: missing_fields(planned, [insert], {self.name: json_values(messages)})

    def _explain(self, refused: Refused) -> Refused:
        """The refusal with its place in the condition, and with a hint about the columns of a mapping."""
        place = Place(refused.place.line - 1, refused.place.column) if refused.place.line > 1 else STATEMENT_START
        message = refused.message
        mapping = self.mapping
        if isinstance(refused, UnknownColumn) and mapping and mapping.statement and not message.endswith("?"):
            message += f"; these are the columns of mapping '{mapping.name}': --format json-flat reads all fields"
        return type(refused)(message, place)

    def row_reader(self) -> Callable[[Message], RecordRow]:
        """A function that shows one record. A record that cannot be decoded is shown unchanged, with the reason."""
        value = self._reader(self._value_columns()) if self._is_read(VALUE_FORMAT) or self.columns else None
        key = self._reader(self._key_columns()) if self._is_read(KEY_FORMAT) else None
        if value is None and key is None:
            return plain_row
        return lambda message: _record_row(message, key, value)

    def _is_read(self, option: str) -> bool:
        return self.mapping is not None and self.mapping.options.get(option, "") not in AS_THEY_STAND

    def _value_columns(self) -> list[str]:
        columns = self.mapping.columns if self.mapping else ()
        return [quote_name(one.name) for one in columns if one.path[0] != KEY] or [THIS]

    def _key_columns(self) -> list[str]:
        columns = self.mapping.columns if self.mapping else ()
        return [quote_name(one.name) for one in columns if one.path[0] == KEY] or [f"{KEY} AS {THIS}"]

    def _reader(self, columns: Sequence[str]) -> "TextReader":
        insert = parse_insert(f"INSERT INTO shown SELECT {', '.join(columns)} FROM {quote_name(self.name)}")
        return TextReader(self._step(insert), self.registry)

    def _step(self, insert: statements.Insert) -> Step:
        return self._compile(self._plan(insert, BUILT_IN), BUILT_IN)

    def _plan(self, insert: statements.Insert, functions: FunctionCatalogue) -> Plan:
        return plan(insert, {} if self.mapping is None else {self.name: self.mapping}, None, functions)

    def _compile(self, planned: Plan, functions: FunctionCatalogue) -> Step:
        if self.mapping is not None:
            for schema in (self.mapping.key_schema, self.mapping.value_schema):
                if schema is not None and schema.id:
                    self.schemas.learn(schema.id, schema.text)
        return compile_step(
            planned, Wiring("shown", 1, {self.name: self.topic}, {self.name: 0}, functions, self.schemas)
        ).step


@dataclass(slots=True)
class Condition:
    """Selects the records for which a condition is true. `failed` counts errors; `first` is the first failed record.

    `missing` reports fields that none of the given records has; `begin` are the first records that were evaluated.
    """

    step: Step
    registry: Registry | None
    missing: Callable[[Sequence[Message]], tuple[str, ...]]
    failed: int = 0
    first: tuple[Message, RecordFailure] | None = None
    begin: list[Message] = field(default_factory=list)
    _at: Message | None = field(default=None, init=False)

    def __call__(self, messages: list[Message]) -> list[Message]:
        taken: list[Message] = []
        self.begin += messages[-max(0, SAMPLE_SIZE - len(self.begin)) :] if len(self.begin) < SAMPLE_SIZE else []

        def take(*_: Any) -> None:
            if self._at is not None:
                taken.append(self._at)

        for verdict in Evaluation(self._run_step, take, take, self.registry).verdicts(RecordBatch(messages)):
            self.failed += 1
            self.first = self.first or (verdict.record, verdict.failure)
        return taken

    def _run_step(
        self, messages: Iterator[Any], produce: Callable[..., None], full: Callable[..., None]
    ) -> tuple[int, int]:
        """Runs the step. It produces output before it takes the next message, so `_at` is the message of the output."""

        def each() -> Iterator[Message]:
            for self._at in messages:
                yield self._at

        return self.step(each(), produce, full)


@dataclass(frozen=True, slots=True)
class TextReader:
    """Decodes a record's key or value to text."""

    step: Step
    registry: Registry | None

    def __call__(self, message: Message) -> tuple[str | None, str]:
        """The text, and the reason if there is none."""
        found: list[bytes | None] = []

        def take(_: str, value: bytes | None, *__: Any) -> None:
            found.append(value)

        evaluation = Evaluation(self.step, take, take, self.registry)
        failures = [verdict.failure.message for verdict in evaluation.verdicts(RecordBatch([message]))]
        return (text_of(found[0]) if found else None), (failures[0] if failures else "")


def _record_row(message: Message, key: TextReader | None, value: TextReader | None) -> RecordRow:
    plain = plain_row(message)
    key_text, bad_key = key(message) if key and message.key() is not None else (plain.key, "")
    value_text, bad_value = value(message) if value and message.value() is not None else (plain.value, "")
    return plain.with_texts(
        plain.key if bad_key else key_text, plain.value if bad_value else value_text, bad_value or bad_key
    )
