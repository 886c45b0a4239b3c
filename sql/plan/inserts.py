"""One plan of all INSERTs of a job: a sink for each, which says what the statement calls its topic.

A job with one INSERT has the plan of that, whose sink has no name.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from msgspec.structs import replace as changed

from jobplane.sql.analysis.topic_format import topic_format_of
from jobplane.sql.functions import BUILT_IN, FunctionCatalogue
from jobplane.sql.plan.chains import chains
from jobplane.sql.plan.format_checks import check_written
from jobplane.sql.plan.graph import Branch, Edge, Plan
from jobplane.sql.plan.grouping.outputs import check_keys_apart
from jobplane.sql.plan.operators import Operator, SinkOperator
from jobplane.sql.plan.plan import NO_SOURCES, Sources, plan
from jobplane.sql.syntax import statements

Targets = Sources
"""The mappings among the targets, by their names in the statement."""


def first_inserts(inserts: Iterable[statements.Insert]) -> dict[str, statements.Insert]:
    """The first INSERT into each target, by what the statement calls that, in its order."""
    found: dict[str, statements.Insert] = {}
    for one in inserts:
        found.setdefault(one.target.text, one)
    return found


def plan_inserts(
    inserts: Sequence[statements.Insert],
    sources: Sources = NO_SOURCES,
    targets: Targets = NO_SOURCES,
    functions: FunctionCatalogue = BUILT_IN,
    *,
    judged_before: bool = False,
) -> Plan:
    """As `plan`, for each; a record goes through the branches of all of them, in their order."""
    plans = [
        plan(one, sources, targets.get(one.target.text), functions, judged_before=judged_before) for one in inserts
    ]
    if len(plans) == 1:
        return plans[0]
    joined = _join_plans([_name_sink(one, insert.target.text) for one, insert in zip(plans, inserts, strict=True)])
    places = [insert.target.place for insert, one in zip(inserts, plans, strict=True) for _ in one.branches]
    check_keys_apart(joined.branches, places, {name: one.topic for name, one in targets.items()})
    return joined


def with_targets(planned: Plan, inserts: Sequence[statements.Insert], targets: Targets) -> Plan:
    """The plan with the formats of its targets as they are now that the targets' schemas are known.

    Raises ColumnMismatch where a schema cannot hold what a query writes.
    """
    first = inserts[0].target

    def formatted(operator: Operator) -> Operator:
        if not isinstance(operator, SinkOperator):
            return operator
        formats = topic_format_of(targets.get(operator.target or first.text))
        return changed(operator, key_format=formats.key, value_format=formats.value)

    made = changed(planned, operators=tuple(map(formatted, planned.operators)))
    for insert, branches in branches_by_insert(made, inserts):
        for branch in branches:
            check_written(branch, insert.target)
    return made


def branches_by_insert(
    planned: Plan, inserts: Iterable[statements.Insert]
) -> Iterator[tuple[statements.Insert, tuple[Branch, ...]]]:
    """Each INSERT with its branches."""
    left = iter(planned.branches)
    for insert in inserts:
        yield insert, tuple(islice(left, len(chains(insert.query))))


def branches_into(planned: Plan, target: str) -> tuple[Branch, ...]:
    """The branches that write to what the statement calls `target`."""
    return tuple(one for one in planned.branches if one.sink.target in ("", target))


def _name_sink(planned: Plan, target: str) -> Plan:
    operators = (changed(one, target=target) if isinstance(one, SinkOperator) else one for one in planned.operators)
    return changed(planned, operators=tuple(operators))


def _join_plans(plans: Sequence[Plan]) -> Plan:
    operators: list[Operator] = []
    edges: list[Edge] = []
    for one in plans:
        first = len(operators)
        edges += [
            changed(edge, upstream=edge.upstream + first, downstream=edge.downstream + first) for edge in one.edges
        ]
        operators += one.operators
    return Plan(tuple(operators), tuple(edges))
