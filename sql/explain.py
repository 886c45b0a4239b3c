"""What a query would do, for people: what is read and looked at, in what order, what is written.

`explain` gives (part, detail) pairs, in the order a record goes.
"""

from collections.abc import Iterator
from typing import assert_never

from jobplane.schemas.names import quote_name
from jobplane.schemas.records.mappings import TopicMapping
from jobplane.sql.analysis.record import KEY_FIELDS, RAW_HEADERS, READABLE
from jobplane.sql.codegen.compile import Wiring, compile_step
from jobplane.sql.packages import called_packages
from jobplane.sql.plan.graph import Branch, Plan, Step
from jobplane.sql.plan.operators import FilterOperator, ProjectOperator, UnnestOperator
from jobplane.sql.plan.plan import Sources, plan
from jobplane.sql.syntax import statements


def explain(
    insert: statements.Insert, sources: Sources, target: TopicMapping | None, *, shows_code: bool = False
) -> list[tuple[str, str]]:
    """With `shows_code` the lines of the generated Python function too. Raises what `plan` and `compile_step` raise."""
    planned = plan(insert, sources, target)
    topics = {
        one.source: sources[one.source].topic if one.source in sources else one.source for one in planned.branches
    }
    into = target.topic if target else insert.target.text
    wiring = Wiring(into, 1, topics, dict.fromkeys(topics, 0))
    code = compile_step(planned, wiring).source.rstrip("\n").split("\n")
    called = [("package", str(one)) for one in called_packages(insert)]
    return [*_parts(planned, topics, into), *called, *(("code", line) for line in code if shows_code)]


def _parts(planned: Plan, topics: dict[str, str], into: str) -> Iterator[tuple[str, str]]:
    for branch in planned.branches:
        topic = topics[branch.source]
        yield (
            "source",
            f"topic {quote_name(topic)}" + (f", as {quote_name(branch.source)}" if topic != branch.source else ""),
        )
        yield "reads", _reads(branch)
        for step in branch.steps:
            yield from _step(step)
        yield "writes", f"topic {quote_name(into)}: {_writes(branch)}"


def _reads(branch: Branch) -> str:
    """The fields decoded; those of a copy are looked at for its filter alone."""
    fields = [
        f"{'__key' if read.key == KEY_FIELDS else '.'.join(map(quote_name, read.path))} {read.type}"
        for read in branch.reads
    ]
    parts = sorted(branch.used & READABLE | ({"__headers"} if RAW_HEADERS in branch.used else set()))
    if branch.star and branch.outputs:
        fields.append("all fields, as they are")
    return ", ".join([*fields, *parts]) or "nothing of the value"


def _step(step: Step) -> Iterator[tuple[str, str]]:
    match step:
        case FilterOperator(_, text):
            yield "filter", text
        case ProjectOperator(columns):
            for column in columns:
                yield "computes", f"a value of type {column.type}, once for all who name it"
        case UnnestOperator(value, text=text):
            yield "unnests", f"{text}, {value.type}"
        case never:
            assert_never(never)


def _writes(branch: Branch) -> str:
    if branch.copies:
        return "the record as it is"
    fields = [
        f"{'.'.join(map(quote_name, output.path))} {output.declared or output.value.type}" for output in branch.outputs
    ]
    return ", ".join([*branch.parts, *(["all fields"] if branch.star else []), *fields])
