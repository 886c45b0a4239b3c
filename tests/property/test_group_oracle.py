"""Groups are a function of the records of each partition, and the one that SQL says.

Records of some partitions come in any interleaving and in any batches; the process is killed at any moment and goes on
from its chunks, the records since then read again in silence. What is emitted equals what DuckDB computes over all
records, with the rule of lateness written in SQL; the last change of each group equals its final result.

The partitions may be those of two topics, whose rows come together by UNION ALL. Beside the query there may be others
that read the same records: one with groups of its own, and one without. A record that is bad or late for the first is
in none of them.
"""

import json
import os
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from operator import length_hint
from pathlib import Path
from typing import Any

import duckdb
import pytest
from confluent_kafka import Message

from jobplane.schemas.failures import BadRecord, LateRecord
from jobplane.sql.codegen.compile import TargetTopic, Wiring
from jobplane.sql.codegen.groups import CompiledGroups, compile_groups
from jobplane.sql.plan.inserts import plan_inserts
from jobplane.sql.runtime.groups import GroupState, Marks
from jobplane.sql.runtime.groups_chunks import Chunk
from jobplane.sql.runtime.groups_parts import At
from jobplane.sql.syntax.parser import parse_insert
from tests.support.grouping import JSON_KEYS, mapping_of, never

LAG, SIZE, STEP, GAP = 8, 20, 5, 4
"""Seconds."""
MAPPING = f"""
    CREATE MAPPING s (u VARCHAR, x BIGINT, ts TIMESTAMP WITH TIME ZONE, k VARCHAR EXTERNAL NAME "__key",
        WATERMARK FOR ts AS ts - INTERVAL '{LAG}' SECOND) TYPE Kafka OPTIONS (keyFormat 'varchar')
"""
FUNCTIONS = {
    "": "s",
    "tumble": f"TABLE(TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '{SIZE}' SECOND))",
    "hop": f"TABLE(HOP(TABLE s, DESCRIPTOR(ts), INTERVAL '{SIZE}' SECOND, INTERVAL '{STEP}' SECOND))",
    "cumulate": f"TABLE(CUMULATE(TABLE s, DESCRIPTOR(ts), INTERVAL '{STEP}' SECOND, INTERVAL '{SIZE}' SECOND))",
    "session": f"TABLE(SESSION(TABLE s, DESCRIPTOR(ts), INTERVAL '{GAP}' SECOND))",
}
GRAINS = {"": 0, "tumble": SIZE, "hop": STEP, "cumulate": STEP, "session": 0}
FILTERED, UNREADABLE, UNDEFINED = 3, "text", 7
"""Values of x: one for which WHERE is not TRUE, and two that make a bad record."""
BROKEN = (UNREADABLE, UNDEFINED)
CALLS = {
    "count(*)": "",
    "count(x)": "",
    "sum(x)": "",
    "min(x)": "",
    "avg(x)": "",
    "count(distinct x)": "",
    "sum(x) filter (where x > 0)": "",
    "array_agg(x)": "array_agg(x order by time, p, o)",
    "array_agg(distinct x order by x desc nulls last)": "",
    "latest_by_offset(x)": "last(x order by time, p, o) filter (where x is not null)",
}
"""Aggregates, and what DuckDB has for them if it is not the same."""
SOME = (tuple(CALLS), tuple(CALLS), ("min(x)",), ("min(x)", "count(distinct x)"), ("avg(x)", "latest_by_offset(x)"))
"""What a query has of them: not all rows change with each record."""


@dataclass(frozen=True)
class Case:
    """What is drawn for a seed. `apart`: no expression depends on the window, so no row is made for each.

    `union`: the later half of the partitions are those of another topic. `beside`: there are other queries.
    """

    seed: int
    window: str
    changes: bool
    bound: bool
    having: bool
    apart: bool
    skip_late: bool
    closes: bool
    calls: tuple[str, ...]
    union: bool
    beside: bool
    logs: tuple[tuple[tuple[int, str | None, Any], ...], ...]

    def place(self, p: int) -> At:
        """The partition with a number among those of both topics."""
        of_first = (len(self.logs) + 1) // 2 if self.union else len(self.logs)
        return ("s", p) if p < of_first else ("t", p - of_first)

    @property
    def places(self) -> list[At]:
        return [self.place(p) for p in range(len(self.logs))]


def draw(seed: int) -> Case:
    rnd = random.Random(seed)
    window = rnd.choice(["", "tumble", "tumble", "hop", "cumulate", "session", "session"])
    bound = rnd.random() < 0.3
    logs = []
    for p in range(rnd.randint(1, 4)):
        now, log = rnd.randrange(50), []
        for _ in range(rnd.choice([0, 5, 20, 60])):
            now += rnd.randint(0, 3)
            time = max(0, now - rnd.choice([0, 0, 1, 2, 5, 9, 25]))
            user = rnd.choice(["a", "b", "c", None])
            x = rnd.choice([None, UNREADABLE, *range(-9, 9), *range(-9, 9)])
            time += 30 * (x in BROKEN)  # time does not go on with them
            log.append((time, f"{p}{user}" if bound else user, x))
        logs.append(tuple(log))
    changes = not window or (window != "session" and rnd.random() < 0.4)
    having = rnd.random() < 0.4
    apart = window == "session" or rnd.random() < 0.7
    skip_late, closes = rnd.random() < 0.5, rnd.random() < 0.5
    calls, union, beside = rnd.choice(SOME), not bound and rnd.random() < 0.4, rnd.random() < 0.4
    return Case(seed, window, changes, bound, having, apart, skip_late, closes, calls, union, beside, tuple(logs))


@cache
def compiled(
    window: str,
    calls: tuple[str, ...],
    *,
    changes: bool,
    bound: bool,
    having: bool,
    apart: bool,
    skip_late: bool,
    union: bool,
    beside: bool,
) -> CompiledGroups:
    windows, keys = ("window_start, window_end, ", ", window_start, window_end") if window else ("", "")
    condition = f"x IS DISTINCT FROM {FILTERED} AND (x IS NULL OR 9 / (x - {UNDEFINED}) < 10)"
    condition += "" if apart or not window else " AND window_start < window_end"
    listed = ", ".join(f"{call} AS c{i}" for i, call in enumerate(calls))
    query = f"SELECT u, {windows}{listed} FROM {FUNCTIONS[window]} WHERE {condition} GROUP BY u{keys}"
    query += f"{', k' if bound else ''}{' HAVING sum(x) > 0' if having else ''}{' EMIT CHANGES' if changes else ''}"
    queries = {"out": query}
    if beside:
        queries |= {"counts": "SELECT u, COUNT(*) AS n FROM s GROUP BY u", "plain": "SELECT u, x FROM s"}
    both = "WITH s AS (SELECT u, x, ts FROM s UNION ALL SELECT v AS u, x, ts FROM t) " if union else ""
    inserts = [parse_insert(f"INSERT INTO {name} {both}{one}") for name, one in queries.items()]
    other = mapping_of(MAPPING.replace("MAPPING s (u ", "MAPPING t (v "))
    targets = {name: mapping_of(JSON_KEYS.replace("out", name)) for name in queries if name != "plain"}
    made = plan_inserts(inserts, {"s": mapping_of(MAPPING), "t": other}, targets)
    first = made.branches[0]
    assert first.group is not None
    assert first.group.bound is bound
    topics = {branch.source: branch.source for branch in made.branches}
    mirrors = dict.fromkeys(topics, 0)
    written = {name: TargetTopic(name, 4, mirrors) for name in queries}
    wiring = Wiring("out", 4, topics, mirrors, targets=written)
    return compile_groups(made, wiring, skip_late=skip_late)


def message(at: At, o: int, record: tuple[int, str | None, Any]) -> "Message[bytes, bytes]":
    time, user, x = record
    text = f"2026-01-01T01:{time // 60:02}:{time % 60:02}Z"
    value = json.dumps({"u" if at[0] == "s" else "v": user, "x": x, "ts": text}).encode()
    return Message(*at, o, b"%d" % at[1], value, None, None, (1, 1_000 + o))


@dataclass
class Saved:
    """What a process leaves behind: of its last checkpoint of the state, and of its last commit."""

    chunks: list[Chunk] = field(default_factory=list)
    marks: Marks = ()
    state_at: list[int] = field(default_factory=list)
    committed: list[int] = field(default_factory=list)
    committed_marks: Marks = ()


class Run:
    """One way in which the records of a case may come."""

    def __init__(self, case: Case, rnd: random.Random) -> None:
        self.case, self.rnd = case, rnd
        self.by = compiled(
            case.window,
            case.calls,
            changes=case.changes,
            bound=case.bound,
            having=case.having,
            apart=case.apart,
            skip_late=case.skip_late,
            union=case.union,
            beside=case.beside,
        )
        self.messages = [
            [message(case.place(p), o, one) for o, one in enumerate(log)] for p, log in enumerate(case.logs)
        ]
        zeros = [0] * len(case.logs)
        self.saved = Saved(state_at=zeros, committed=zeros)
        self.out: list[tuple[Any, ...]] = []
        self.last: dict[bytes, bytes | None] = {}
        self.given: list[bytes] = []
        self.plain: list[bytes] = []
        self.counts: dict[bytes, bytes] = {}
        self.late: set[tuple[int, int]] = set()
        self.bad: set[tuple[int, int]] = set()
        self.state = self.begin()
        self.saved.committed_marks = self.state.marks()
        self.at = list(zeros)

    def begin(self) -> GroupState:
        state = self.by.state(self.case.places)
        for chunk in self.saved.chunks:
            state.load(chunk)
        state.set_marks(self.saved.marks)
        return state

    def absorb(self, p: int, count: int) -> None:
        """As processors.evaluation does: a record to blame is passed over."""
        batch = self.messages[p][self.at[p] : self.at[p] + count]
        rows = iter(batch)
        while True:
            try:
                self.state.absorb(rows, self.give, never)
            except LateRecord:
                self.late.add((p, self.at[p] + len(batch) - length_hint(rows) - 1))
            except BadRecord:
                self.bad.add((p, self.at[p] + len(batch) - length_hint(rows) - 1))
            else:
                break
        self.at[p] += len(batch)

    def give(self, *record: Any) -> None:
        """What a query without groups produces; in silence nobody takes it."""
        assert record[0] == "plain"
        if not self.state.silent:
            self.given.append(record[1])

    def commit(self) -> None:
        """All that was emitted, the positions, and perhaps the state, at once; or nothing of it."""
        found: list[tuple[Any, ...]] = []
        written = self.state.emit(lambda *record: found.append(record), never)
        assert written == len(found)
        emitted = [one for one in found if one[0] == "out"]
        if self.case.changes:
            assert len({one[2] for one in emitted}) == len(emitted)
            assert all(one[1] != self.last.get(one[2]) for one in emitted)
        if self.rnd.random() < 0.15:
            self.crash()
            return
        self.plain += self.given
        self.given.clear()
        self.counts |= {one[2]: one[1] for one in found if one[0] == "counts"}
        self.out += emitted
        self.last |= {one[2]: one[1] for one in emitted}
        self.saved.committed, self.saved.committed_marks = list(self.at), self.state.marks()
        live = self.state.spans()
        self.saved.chunks = [one for one in self.saved.chunks if (one.at, one.span) in live]
        if self.rnd.random() < 0.3:
            self.saved.chunks += self.state.young_chunks()
            self.saved.marks, self.saved.state_at = self.state.marks(), list(self.at)
            if live and self.rnd.random() < 0.5:
                self.merge(*self.rnd.choice(sorted(live)))

    def merge(self, at: At, span: str) -> None:
        others = [one for one in self.saved.chunks if (one.at, one.span) != (at, span)]
        self.saved.chunks = [*others, *self.state.whole(at, span)]

    def crash(self) -> None:
        """The process begins again from its chunks, and reads in silence what was committed since then."""
        self.given.clear()
        self.state, self.at = self.begin(), list(self.saved.state_at)
        self.state.silent = True
        while waiting := [p for p, at in enumerate(self.at) if at < self.saved.committed[p]]:
            p = self.rnd.choice(waiting)
            self.absorb(p, min(self.rnd.randint(1, 20), self.saved.committed[p] - self.at[p]))
            if self.rnd.random() < 0.2:
                assert self.state.emit(never, never) == 0
        if self.saved.state_at != self.saved.committed:
            assert self.state.emit(never, never) == 0
        assert self.state.marks() == self.saved.committed_marks
        self.state.silent = False

    def run(self) -> list[tuple[Any, ...]]:
        while waiting := [p for p, at in enumerate(self.at) if at < len(self.messages[p])]:
            self.absorb(self.rnd.choice(waiting), self.rnd.randint(1, 12))
            if self.rnd.random() < 0.4:
                self.commit()
        while self.saved.committed != [len(log) for log in self.messages]:
            for p, log in enumerate(self.messages):
                self.absorb(p, len(log))
            self.commit()
        if self.case.closes:
            self.state.close_all()
        chunks = [chunk for at, span in self.state.spans() for chunk in self.state.whole(at, span)]
        assert self.state.groups == sum(chunk.groups for chunk in chunks)
        self.state.emit(lambda *record: self.out.append(record), never)
        self.check_beside()
        return self.out

    def check_beside(self) -> None:
        """The other queries have each record once that is neither bad nor late for the first."""
        blamed = self.bad if self.case.skip_late else self.bad | self.late
        taken = [
            (user, x)
            for p, log in enumerate(self.case.logs)
            for o, (_, user, x) in enumerate(log)
            if (p, o) not in blamed and self.case.beside
        ]
        counts = {user: sum(one[0] == user for one in taken) for user, _ in taken}
        assert {one["u"]: one["n"] for one in map(json.loads, self.counts.values())} == counts
        assert Counter((one["u"], one["x"]) for one in map(json.loads, self.plain)) == Counter(taken)


def finals(case: Case, out: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The rows emitted; of changes the last of each key, unless that took it back."""
    if case.changes:
        last = {key: value for _, value, key, *_ in out}
        values = [value for value in last.values() if value is not None]
    else:
        values = [one[1] for one in out]
    return sorted((row_of(value, len(case.calls)) for value in values), key=str)


def row_of(value: bytes, count: int) -> tuple[Any, ...]:
    row = json.loads(value)
    times = [_seconds(row[one]) if one in row else 0 for one in ("window_start", "window_end")]
    return (row["u"], *times, *(row[f"c{i}"] for i in range(count)))


def _seconds(text: str) -> int:
    """Since 01:00; a window may begin before that."""
    hour, minute, second = text[11:19].split(":")
    return int(hour) * 3_600 + int(minute) * 60 + int(second) - 3_600


def referee(cases: Sequence[Case], window: str, folder: Path) -> tuple[dict[int, list[Any]], dict[int, set[Any]]]:
    """By seed the rows, and the late records as (partition, offset). DuckDB knows nothing of batches and crashes."""
    records, facts = folder / "records.csv", folder / "cases.csv"
    with records.open("w") as lines:
        lines.writelines(
            f"{case.seed},{p},{o},{time},{user or ''},{'' if x is None else x}\n"
            for case in cases
            for p, log in enumerate(case.logs)
            for o, (time, user, x) in enumerate(log)
            if x not in BROKEN
        )
    with facts.open("w") as lines:
        lines.writelines(
            f"{case.seed},{len(case.logs)},{case.changes or case.closes},{case.bound},{case.having}\n" for case in cases
        )
    con = duckdb.connect(config={"threads": 1})
    con.execute(f"""
        create view r as select * from read_csv('{records}', header = false, columns = {{'seed': 'int', 'p': 'int',
            'o': 'int', 'ts': 'int', 'u': 'varchar', 'x': 'int'}});
        create view cases as select * from read_csv('{facts}', header = false, columns = {{'seed': 'int',
            'parts': 'int', 'everything': 'boolean', 'bound': 'boolean', 'having': 'boolean'}});
        create table judged as select r.*, max(ts) over (partition by seed, p order by o
            rows between unbounded preceding and 1 preceding) - {LAG} as high from r;
    """)
    grain = GRAINS[window]
    is_late = "ts <= high" if window == "session" else f"ts - ts % {grain} + {grain} <= high" if grain else "false"
    con.execute(f"""
        create table marks as select seed, p, max(ts) - {LAG} as mark from r group by all;
        create table leasts as select cases.seed,
            case when count(mark) = any_value(parts) then min(mark) end as least
            from cases left join marks using (seed) group by cases.seed;
        create view kept as select * from judged where not ifnull({is_late}, false) and x is distinct from {FILTERED};
        create view steps as select *, ts - lag(ts) over same > {GAP} as opens from kept join cases using (seed)
            window same as (partition by seed, u, case when bound then p end order by ts);
        create view numbered as select *, count(*) filter (where opens) over
            (partition by seed, u, case when bound then p end order by ts) as island from steps;
        create view sessions as select * exclude (parts, everything, bound, "having"), {{
            s: min(ts) over (partition by seed, u, case when bound then p end, island),
            e: max(ts) over (partition by seed, u, case when bound then p end, island) + {GAP}}} as session
            from numbered;
    """)
    windows = {
        "": "[{s: 0, e: 0}]",
        "tumble": f"[{{s: ts - ts % {SIZE}, e: ts - ts % {SIZE} + {SIZE}}}]",
        "hop": f"list_transform(range(ts - ts % {STEP} + {STEP}, ts - ts % {STEP} + {SIZE} + 1, {STEP}), "
        f"lambda e: {{s: e - {SIZE}, e: e}})",
        "cumulate": f"list_transform(range(ts - ts % {STEP} + {STEP}, ts - ts % {SIZE} + {SIZE} + 1, {STEP}), "
        f"lambda e: {{s: ts - ts % {SIZE}, e: e}})",
        "session": "[session]",
    }[window]
    listed = ", ".join(there or here for here, there in CALLS.items())
    found = con.execute(f"""
        select seed, u, w.s, w.e, {listed}
            from (select *, {"ts" if window else "o"} as time, unnest({windows}) as w
            from {"sessions" if window == "session" else "kept"})
            join cases using (seed) join leasts using (seed) left join marks using (seed, p)
            where everything or w.e <= case when bound then mark else least end
            group by seed, u, w.s, w.e having not any_value("having") or sum(x) > 0
    """).fetchall()
    late = con.execute(f"select seed, p, o from judged where {is_late} and x is distinct from {FILTERED}").fetchall()
    con.close()
    rows: dict[int, list[Any]] = {case.seed: [] for case in cases}
    lates: dict[int, set[Any]] = {case.seed: set() for case in cases}
    wanted = {case.seed: [i for i, call in enumerate(CALLS) if call in case.calls] for case in cases}
    for seed, user, start, end, *results in found:
        rows[seed].append((user, start, end, *(results[i] for i in wanted[seed])))
    for seed, p, o in late:
        lates[seed].add((p, o))
    return {seed: sorted(some, key=str) for seed, some in rows.items()}, lates


def seeds() -> Iterator[int]:
    """`SEEDS=300` are the first 300, `SEEDS=17-17` is one."""
    first, _, last = os.environ.get("SEEDS", "2000").rpartition("-")
    return iter(range(int(first), int(last) + 1) if first else range(int(last)))


@pytest.mark.parametrize("window", FUNCTIONS)
def test_groups_are_a_function_of_the_records(window: str, tmp_path: Path) -> None:
    cases = [case for case in map(draw, seeds()) if case.window == window]
    expected, late = referee(cases, window, tmp_path)
    for case in cases:
        bad = {(p, o) for p, log in enumerate(case.logs) for o, (_, _, x) in enumerate(log) if x in BROKEN}
        try:
            run = Run(case, random.Random(case.seed))
            assert finals(case, run.run()) == expected[case.seed]
            assert case.skip_late or run.late == late[case.seed]
            assert run.bad == bad
        except Exception as error:
            raise AssertionError(f"reproduce with: make simulate SEEDS={case.seed}-{case.seed}") from error
