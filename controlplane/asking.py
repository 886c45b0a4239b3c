"""Verdicts that need the schema registry: what is not known yet is asked, and the command judged again with the answer.

A verdict is a pure decision all the same: the answers are facts, and land in its event. To register is safe to repeat.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from controlplane.lookup import Facts, NotFetched
from processors.kafka import Doubt
from processors.registry import Registry
from schemas.errors import SchemaIncompatible
from schemas.values import AvroSchema

ANSWERS_S = 5.0
T = TypeVar("T")


def judged_with(registry: Registry | None, facts: Facts, judge: Callable[[Facts], T]) -> tuple[T, Facts]:
    """The verdict, and the facts with what was asked for it: others of the batch need not ask again."""
    deadline = time.monotonic() + ANSWERS_S
    while True:
        try:
            return judge(facts), facts
        except NotFetched as wanted:
            facts = _asked(registry, facts, wanted)
            if time.monotonic() > deadline:
                facts = replace(facts, registry_silent="the schema registry is too slow")


def _asked(registry: Registry | None, facts: Facts, wanted: NotFetched) -> Facts:
    """One answer more. One that was silent is not asked again in this batch."""
    if registry is None:
        return replace(facts, has_registry=False)
    try:
        if wanted.text is None:
            return replace(facts, subjects={**facts.subjects, wanted.subject: registry.latest(wanted.subject)})
        answer = _registered(registry, wanted.subject, wanted.text)
        return replace(facts, registered={**facts.registered, (wanted.subject, wanted.text): answer})
    except Doubt as doubt:
        return replace(facts, registry_silent=str(doubt))


def _registered(registry: Registry, subject: str, text: str) -> AvroSchema | SchemaIncompatible:
    try:
        return registry.register(subject, text)
    except SchemaIncompatible as refused:
        return refused
