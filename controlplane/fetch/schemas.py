"""Fetches what verdicts need from the schema registry, and then reads or judges the command again.

A verdict is still a pure decision: the answers are facts, and the event records them. Registering again is harmless.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from jobplane.controlplane.core.facts import SEND_AGAIN, Facts, NotFetched
from jobplane.processors.kafka.answers import RegistryDenied
from jobplane.processors.kafka.cluster import Doubt
from jobplane.schemas.errors import BadEnvelope, FactsUnavailable, Refused, RegistryRefused, SchemaIncompatible
from jobplane.schemas.failures import BadRecord
from jobplane.schemas.formats.avro.known_schemas import UnknownSchema
from jobplane.schemas.records.mappings import AvroSchema
from jobplane.schemas.wire.framed import RegistrySchemas

ANSWERS_S = 5.0
"""After this many seconds in one batch the registry is not asked again."""
T = TypeVar("T")


class SchemaRegistry(Protocol):
    """The interface of a schema registry, which jobplane.processors.registry.client implements.

    `schema` raises BadRecord, `register` SchemaIncompatible, all of them Doubt.
    """

    def schema(self, number: int) -> str: ...

    def latest(self, subject: str) -> AvroSchema | None: ...

    def register(self, subject: str, text: str) -> AvroSchema: ...


@dataclass(slots=True)
class RegistryLookup:
    """The registry during one batch. If it did not answer, or was slow, it is not asked again in this batch.

    `known` are schemas by id; the schema of an id never changes, so they outlive the batch.
    """

    registry: SchemaRegistry | None
    known: dict[int, str]
    spent: float = 0.0
    silent: Doubt | None = None
    missing: dict[int, Refused] = field(default_factory=dict)

    def read_with(self, read: Callable[[RegistrySchemas | None], T]) -> T:
        """Calls `read` with the known schemas, and again each time it needs another one."""
        if self.registry is None:
            return read(None)
        while True:
            try:
                return read({**self.known, **self.missing} if self.missing else self.known)
            except UnknownSchema as unknown:
                self._learn(self.registry, unknown.id)

    def _learn(self, registry: SchemaRegistry, number: int) -> None:
        try:
            self.known[number] = self._ask(lambda: registry.schema(number))
        except Doubt as doubt:
            self.missing[number] = _refusal(doubt)
        except BadRecord as unheard:
            self.missing[number] = BadEnvelope(unheard.message)

    def judge_with(self, facts: Facts, judge: Callable[[Facts], T]) -> tuple[T, Facts]:
        """The verdict, and the facts with all fetched answers, so that the next commands of the batch have them."""
        while True:
            try:
                return judge(facts), facts
            except NotFetched as wanted:
                facts = self._add_answer(facts, wanted)

    def _add_answer(self, facts: Facts, wanted: NotFetched) -> Facts:
        """The facts with the answer to one more question."""
        registry, subject, text = self.registry, wanted.subject, wanted.text
        if registry is None:
            return replace(facts, has_registry=False)
        try:
            if text is None:
                latest = self._ask(lambda: registry.latest(subject))
                return replace(facts, subjects={**facts.subjects, subject: latest})
            answer = self._ask(lambda: _register(registry, subject, text))
            return replace(facts, registered={**facts.registered, (subject, text): answer})
        except Doubt as doubt:
            if isinstance(doubt, RegistryDenied):
                return replace(facts, registry_denied={**facts.registry_denied, (subject, text): str(doubt)})
            return replace(facts, registry_silent=str(doubt))

    def _ask(self, ask: Callable[[], T]) -> T:
        """Asks the registry. After a Doubt every later call raises it again; a denial applies to this question only."""
        if self.silent:
            raise self.silent
        began = time.monotonic()
        try:
            return ask()
        except RegistryDenied:
            raise
        except Doubt as doubt:
            self.silent = doubt
            raise
        finally:
            self.spent += time.monotonic() - began
            if self.spent > ANSWERS_S and not self.silent:
                self.silent = Doubt(f"the schema registry took more than {ANSWERS_S:g} s")


def _refusal(doubt: Doubt) -> Refused:
    if isinstance(doubt, RegistryDenied):
        return RegistryRefused(str(doubt))
    return FactsUnavailable(f"{doubt}; {SEND_AGAIN}")


def _register(registry: SchemaRegistry, subject: str, text: str) -> AvroSchema | SchemaIncompatible:
    try:
        return registry.register(subject, text)
    except SchemaIncompatible as refused:
        return refused
