"""Whole statements of chance: queries, and whatever else the command log takes, may name and may be spoiled.

A query costs a parser more than all that comes after it. So most are given to the plan as nodes, and a part of them as
text to a whole control plane.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from jobplane.schemas.errors import JobplaneError, Refused
from jobplane.schemas.formats import CSV_DELIMITER, FORMAT_OPTIONS, FORMATS
from jobplane.schemas.names import RESERVED
from jobplane.schemas.options import OPTION_NAMES, Tombstones
from jobplane.schemas.types import datatypes as t
from jobplane.sql.codegen.compile import Wiring, compile_step
from jobplane.sql.codegen.groups import compile_groups
from jobplane.sql.explain import explain
from jobplane.sql.plan.plan import plan
from jobplane.sql.plan.stateful import grouped_branches
from jobplane.sql.plan.tombstones import columns_in_the_way
from jobplane.sql.syntax import expressions as ex
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.render.statements import render
from jobplane.sql.types.names import parse_type
from tests.fuzz.expressions import Expressions
from tests.fuzz.literals import ODD_TYPES, any_type
from tests.fuzz.plane import JOBS, SNAPSHOTS, Registry, absorbed, evaluated, judged, refusal, runs
from tests.fuzz.queries import Queries, inside
from tests.fuzz.world import RECORDS, SOURCES, TOPICS, mappings

AS_TEXT = 0.1
"""The part of inputs that goes through the parser."""
_WORDS = sorted(RESERVED)
_NAMES = (
    "new",
    "a b",
    'q"q',
    "x" * 300,
    "ä",
    "jobplane.commands",
    "JOB",
    "1",
    "__key",
    "\n",
    "letters",
    "t",
    "nowhere",
)
_VALUES = (
    *("true", "false", "1", "0", "-1", "4", "1025", "99999999999999999999", "", "exactlyOnce", "none", "atLeastOnce"),
    *("skip", "deadLetter", "fail", "latest", "earliest", "2026-01-31T08:30:00Z", "9999-12-31T23:59:59Z", "0001-01-01"),
    *("letters", "kept", "runs", "rests", *FORMATS, ";", ";;", "٣", "silent", "strict", "{}", "x" * 500),
)
_GOOD = {
    "processingGuarantee": ("exactlyOnce", "atLeastOnce", "none"),
    "onError": ("fail", "skip", "deadLetter"),
    "tombstones": ("skip", "forward"),
    "snapshotIntervalMillis": ("1", "100", "86400000"),
    "parallelism": ("1", "2", "4"),
    "startFrom": ("earliest", "latest", "2026-01-31T08:30:00Z"),
    "stopAt": ("latest",),
    "deadLetterTopic": ("letters", "jobplane.dead-letters"),
    "initialSnapshotName": ("kept",),
    "retryOf": ("runs",),
    "keyFormat": tuple(FORMATS),
    "valueFormat": tuple(FORMATS),
    CSV_DELIMITER: (";", "\t"),
    **dict.fromkeys(("autoScaling", "suspendOnFailure", "metricsEnabled"), ("true", "false")),
}


@dataclass(frozen=True, slots=True)
class Planned:
    """An INSERT as a host and EXPLAIN take it."""

    insert: statements.Insert
    explained: bool = False

    @property
    def text(self) -> str:
        return render(self.insert)

    def run(self) -> JobplaneError | None:
        insert, known = self.insert, mappings()
        target = known.get(insert.target.text)
        try:
            planned = plan(insert, known, target)
        except Refused as refused:
            return refused
        if self.explained:
            explain([insert], known, {insert.target.text: target} if target else {}, shows_code=True)
        topics = {one.source: one.source for one in planned.branches}
        tombstones = Tombstones.SKIP if len(self.text) % 2 or columns_in_the_way(planned) else Tombstones.FORWARD
        wiring = Wiring(insert.target.text, 4, topics, dict.fromkeys(topics, 0), tombstones=tombstones)
        if grouped_branches(planned):
            compiled_groups = compile_groups(planned, wiring, skip_late=len(self.text) % 3 == 0)
            absorbed(compiled_groups, topics, range(0, RECORDS, 5))
            return None
        compiled = compile_step(planned, wiring)
        for source in topics:
            first = len(self.text) % 13 if self.explained else 0
            evaluated(compiled.step, source, range(first, RECORDS, 9))
        return None

    def smaller(self) -> Iterator["Planned"]:
        """One branch, one item, one expression of those inside."""
        for select in self.insert.query.branches:
            alone = statements.Query(self.insert.query.bindings, (select,))
            yield replace(self, insert=replace(self.insert, query=alone))
            for bare in _fewer(select):
                yield replace(self, insert=replace(self.insert, query=replace(alone, branches=(bare,))))
            for item in select.items:
                one = replace(select, items=(item,), where=None)
                names = () if self.insert.target.text == "out" else self.insert.columns
                yield replace(self, insert=replace(self.insert, columns=names, query=replace(alone, branches=(one,))))
            for expression in inside(select):
                item = statements.Item(expression, statements.Name("r"))
                for unnests in ((), select.unnests):
                    one = replace(select, items=(item,), where=None, unnests=unnests)
                    query = replace(alone, branches=(one,))
                    yield replace(
                        self, insert=statements.Insert(statements.Keyword.INSERT, statements.Name("out"), (), query)
                    )


def _fewer(select: statements.Select) -> Iterator[statements.Select]:
    yield replace(select, where=None)
    yield replace(select, unnests=())
    yield replace(select, having=None)
    for i in range(len(select.group)):
        yield replace(select, group=select.group[:i] + select.group[i + 1 :])
    yield replace(select, source=statements.Table(statements.Name("s")))


@dataclass(frozen=True, slots=True)
class Said:
    """A statement on the command log."""

    text: str

    def run(self) -> JobplaneError | None:
        bodies = judged(self.text.encode("utf-8", "surrogatepass"), None, Registry())
        runs(bodies)
        return refusal(bodies)

    def smaller(self) -> Iterator["Said"]:
        """Without some of its words."""
        words = self.text.split(" ")
        for size in (len(words) // 2, len(words) // 4, 3, 2, 1):
            for i in range(0, len(words), max(1, size)):
                yield Said(" ".join((*words[:i], *words[i + size :])))


def statement(chance: Random) -> Planned | Said:
    if chance.random() >= AS_TEXT:
        return Planned(Queries(chance).insert(), chance.random() < 0.1)
    text = render(_Statements(chance).any())
    return Said(_spoiled(text, chance) if chance.random() < 0.1 else text)


class _Statements:
    def __init__(self, chance: Random) -> None:
        self._chance = chance

    def any(self) -> statements.Statement:
        if self._chance.random() < 0.4:
            return self._create_job()
        made: Any = self._chance.choice((
            *(self._alter, self._alter, self._drop_job, self._create_snapshot, self._drop_snapshot),
            *(self._create_mapping, self._create_mapping, self._drop_mapping, self._show),
        ))  # fmt: skip
        statement: statements.Statement = made()
        return statement

    def _name(self, *those: str) -> statements.Name:
        chance = self._chance
        draw = chance.random()
        if draw < 0.9:
            return statements.Name(chance.choice(those))
        return statements.Name(chance.choice(_NAMES if draw < 0.97 else _WORDS))

    def _yes(self, often: float = 0.3) -> bool:
        return self._chance.random() < often

    def _options(self, *those: str) -> tuple[statements.Option, ...]:
        chance = self._chance
        if self._yes(0.5):
            return ()
        names = chance.sample(those, chance.randint(1, min(3, len(those))))
        if self._yes(0.03):
            names.append(chance.choice((*_NAMES, "parallelsm")))
        made = []
        for name in dict.fromkeys(names):
            good = _GOOD.get(name)
            value = chance.choice(good if good and self._yes(0.93) else _VALUES)
            made.append(statements.Option(statements.Name(name), value))
        return tuple(made)

    def _create_job(self) -> statements.CreateJob:
        plain = [name for name in OPTION_NAMES if name not in FORMAT_OPTIONS and name in _GOOD]
        those = plain if self._yes(0.9) else list(OPTION_NAMES)
        several = self._chance.randint(2, 4) if self._yes(0.2) else 1
        inserts = tuple(Queries(self._chance).insert() for _ in range(several))
        return statements.CreateJob(self._name("new", "other"), self._yes(), self._options(*those), inserts)

    def _alter(self) -> statements.AlterJob:
        change: statements.Action | statements.NewOptions = self._chance.choice(list(statements.Action))
        if self._yes():
            change = statements.NewOptions(self._options(*OPTION_NAMES), self._yes())
        return statements.AlterJob(self._name(*JOBS), change)

    def _drop_job(self) -> statements.DropJob:
        return statements.DropJob(self._name(*JOBS), self._yes(), self._name("kept", "other") if self._yes() else None)

    def _create_snapshot(self) -> statements.CreateSnapshot:
        return statements.CreateSnapshot(self._name("kept", "other"), self._name(*JOBS), self._yes())

    def _drop_snapshot(self) -> statements.DropSnapshot:
        return statements.DropSnapshot(self._name(*SNAPSHOTS), self._yes())

    def _create_mapping(self) -> statements.CreateMapping:
        replaces, external = self._yes(0.5), self._name(*TOPICS, "t") if self._yes(0.6) else None
        columns = tuple(self._column(i) for i in range(self._chance.randrange(5)))
        options = self._options(*FORMAT_OPTIONS) if self._yes(0.5) else ()
        kind = statements.Name("Kafka" if self._yes(0.97) else "Files")
        name = self._name("t", "m", *mappings())
        absent = not replaces and self._yes()
        watermark = self._watermark(columns) if columns and self._yes(0.2) else None
        return statements.CreateMapping(name, replaces, absent, external, columns, kind, options, watermark)

    def _watermark(self, columns: tuple[statements.ColumnDefinition, ...]) -> statements.WatermarkDefinition:
        chance = self._chance
        known = {parse_type(one.type.text): (one.name.text,) for one in columns if one.type.text not in ODD_TYPES}
        expression = Expressions(chance, known).of(t.TIMESTAMP_TZ, 1)
        idle = ex.Interval("1", "MINUTE", "") if self._yes(0.1) else None
        return statements.WatermarkDefinition(chance.choice(columns).name, expression, idle)

    def _column(self, number: int) -> statements.ColumnDefinition:
        chance = self._chance
        one = str(any_type(chance)) if self._yes(0.95) else chance.choice(ODD_TYPES)
        path = (
            self._name("a.b", f"p{number}", "__key", "__key.k", "this", "this.x", "a..b", ".") if self._yes() else None
        )
        return statements.ColumnDefinition(self._name(f"c{number}"), ex.ColumnType(one), path)

    def _drop_mapping(self) -> statements.DropMapping:
        return statements.DropMapping(self._name(*mappings()), self._yes())

    def _show(self) -> statements.Statement:
        chance = self._chance
        match chance.randrange(5):
            case 0:
                like = statements.LikeName(chance.choice(("%", "a%", "_'", ""))) if self._yes() else None
                return statements.Show(chance.choice(list(statements.ShowSubject)), like=like)
            case 1:
                return statements.Describe(chance.choice(list(statements.DescribeKind)), self._name(*JOBS))
            case 2:
                return statements.Explain(Queries(chance).insert(), chance.choice(list(statements.ExplainMode)))
        return statements.ShowCreate(self._name(*JOBS))


def _spoiled(text: str, chance: Random) -> str:
    """With something left out, put in, doubled or swapped."""
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(text) + 1)
        end = at + chance.choice((1, 1, 2, 8, 40))
        match chance.randrange(5):
            case 0:
                text = text[:at] + text[end:]
            case 1:
                text = text[:at] + chance.choice("'\"()[],;.*-+/% \n\u00a0\u0000é\ud800:=<>|&#@?0eX\\") + text[at:]
            case 2:
                text = text[:end] + text[at:end] * chance.choice((1, 3, 30)) + text[end:]
            case 3:
                text = text[:at] + f" {chance.choice(_WORDS)} " + text[at:]
            case 4:
                text = text[:at]
        text = text or " "
    return text


assert set(SOURCES) <= set(TOPICS)
