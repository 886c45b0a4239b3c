"""Plans with groups, put together from what a query without groups computes."""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from jobplane.schemas.records.mappings import TopicMapping
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.mapping import build_mapping
from jobplane.sql.plan.graph import Branch, Plan, Step, plan_of
from jobplane.sql.plan.operators import (
    GROUP_TIME,
    AggregateColumn,
    GroupOperator,
    ProjectedColumn,
    WatermarkOperator,
    WindowOperator,
    WrittenColumn,
)
from jobplane.sql.plan.plan import plan
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse
from jobplane.sql.types.typed import Field, Typed

SLICE = "\x1fslice"
WINDOW = ("window_start", "window_end")


def mapped(columns: str) -> TopicMapping:
    statement = parse(f"CREATE MAPPING s ({columns}) TYPE Kafka")
    assert isinstance(statement, statements.CreateMapping)
    return build_mapping(statement)


def planned(query: str, mapping: TopicMapping) -> Branch:
    statement = parse(f"CREATE JOB j AS INSERT INTO out {query}")
    assert isinstance(statement, statements.CreateJob)
    (branch,) = plan(statement.insert, {"s": mapping}).branches
    return branch


class Grouped:
    """`columns` of the query by name: those of window functions, the watermark as `wm`, others for keys and values."""

    def __init__(self, query: str, mapping: TopicMapping) -> None:
        self.branch = planned(query, mapping)
        self.columns: Mapping[str, Typed] = {one.name: one.value for one in self.branch.columns}

    def plan(
        self,
        keys: Sequence[str],
        aggregates: Sequence[AggregateColumn],
        *,
        changes: bool = False,
        bound: bool = False,
        after: tuple[Step, ...] = (),
    ) -> Plan:
        windowed = "window_start" in self.columns
        names = [*keys, *(WINDOW if windowed else ())]
        grouped = tuple(ProjectedColumn(f"\x1f{one}", self.columns[one], self.columns[one].type) for one in names)
        window = tuple(f"\x1f{one}" for one in WINDOW) if windowed else ()
        group = GroupOperator(grouped, tuple(aggregates), window, SLICE if windowed else "", changes, bound)
        steps = tuple(
            replace(one, slice=SLICE) if isinstance(one, WindowOperator) else one for one in self.branch.steps
        )
        if "wm" in self.columns:
            steps = (WatermarkOperator(self.columns["wm"], "wm"), *steps)
        columns = [ProjectedColumn(one.name[1:], Field(one.name, one.type), one.type) for one in grouped]
        columns += [ProjectedColumn(one.name[1:], Field(one.name, one.type), one.type) for one in aggregates]
        written = [WrittenColumn(one.name, "value", (one.name,)) for one in columns]
        if changes or not windowed:
            columns.append(ProjectedColumn("__timestamp", Field(GROUP_TIME, t.BIGINT), t.BIGINT))
            written.append(WrittenColumn("__timestamp", "__timestamp"))
        columns.append(_key(grouped))
        written.append(WrittenColumn("__key", "__key"))
        sink = replace(self.branch.sink, columns=tuple(written))
        return plan_of((Branch(self.branch.scan, steps, tuple(columns), sink, group, after),))

    def aggregate(
        self, name: str, function: str, *arguments: str, type_: Type = t.BIGINT, distinct: bool = False, where: str = ""
    ) -> AggregateColumn:
        values = tuple(self.columns[one] for one in arguments)
        condition = self.columns[where] if where else None
        return AggregateColumn(f"\x1f{name}", function, values, type_, distinct, condition)


def _key(grouped: Sequence[ProjectedColumn]) -> ProjectedColumn:
    """The first of the keys, as it is."""
    first = grouped[0]
    return ProjectedColumn("__key", Field(first.name, first.type), t.VARCHAR)
