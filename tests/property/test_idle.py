"""IDLE AFTER, with a virtual clock: what it says of a moment follows from what came, not from how often it was asked;
where there is more to read nothing is idle; and what a decision closes comes once, through any crash."""

import json
import math
import os
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from jobplane.schemas.failures import LateRecord
from jobplane.sql.runtime.groups import GroupState, Marks
from jobplane.sql.runtime.groups_chunks import Chunk
from jobplane.sql.runtime.groups_parts import At
from jobplane.sql.runtime.idle import SilentPartitions, pass_time
from tests.support.grouping import compiled, message, never, values

SEEDS = range(int(os.environ.get("IDLE_SEEDS", "60")))
SECOND = 1_000_000
PARTITIONS: list[At] = [("s", 0), ("s", 1), ("s", 2), ("unruled", 0)]
AFTER = {"s": 30.0}


def told(rnd: random.Random, *, often: bool) -> tuple[SilentPartitions, dict[At, float]]:
    """Positions that change at the same moments, told then alone or at others too; and when each changed last."""
    silent, changed, positions, now = SilentPartitions(AFTER), dict[At, float](), dict.fromkeys(PARTITIONS, 0), 0.0
    between = random.Random(rnd.random())
    silent.read(positions, now)
    changed |= dict.fromkeys(PARTITIONS, now)
    for _ in range(10):
        step = rnd.uniform(0, 40)
        for _ in range(between.randint(0, 5) if often else 0):
            silent.read(positions, now + between.uniform(0, step))
        now += step
        for at in PARTITIONS:
            if rnd.random() < 0.4:
                positions[at] += rnd.randint(1, 9)
                changed[at] = now
        silent.read(positions, now)
    return silent, changed


def marks_of(rnd: random.Random) -> dict[At, int | None]:
    some = rnd.sample(PARTITIONS, rnd.randint(1, len(PARTITIONS)))
    return {at: rnd.choice([None, *(rnd.randrange(200) * SECOND for _ in range(5))]) for at in some}


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_said_of_a_moment_does_not_depend_on_when_it_was_told(seed: int) -> None:
    few, changed = told(random.Random(seed), often=False)
    often, _ = told(random.Random(seed), often=True)
    rnd = random.Random(seed)
    last = max(changed.values())
    for _ in range(20):
        marks, now, end = marks_of(rnd), last + rnd.uniform(0, 90), rnd.randrange(250) * SECOND
        assert few.watermark(marks, now) == often.watermark(marks, now)
        assert few.due(marks, end) == often.due(marks, end)
        idle = [at for at in marks if now - changed[at] >= AFTER.get(at[0], math.inf)]
        assert few.idle(marks, now) == idle
        awake = [mark for at, mark in marks.items() if at not in idle]
        if awake:
            assert few.watermark(marks, now) == (None if None in awake else min(mark or 0 for mark in awake))


@pytest.mark.parametrize("seed", SEEDS)
def test_time_goes_on_and_reaches_an_end_when_it_is_due(seed: int) -> None:
    rnd = random.Random(seed)
    silent, changed = told(rnd, often=True)
    last = max(changed.values())
    for _ in range(20):
        marks, end = marks_of(rnd), rnd.randrange(250) * SECOND
        due = silent.due(marks, end)
        moments = sorted(last + rnd.uniform(0, 400) for _ in range(20))
        seen = [silent.watermark(marks, now) for now in moments]
        for now, mark in zip(moments, seen, strict=True):
            if now < due - 0.001:
                known = [one for one in marks.values() if one is not None]
                started = any(now >= changed[at] + AFTER.get(at[0], math.inf) for at in marks)
                assert mark is None or mark < end or not started, (mark, end, known)
            if now > due + 0.001:
                assert mark is not None
                assert mark >= end
        if all(at[0] in AFTER for at in marks):
            later = [mark for now, mark in zip(moments, seen, strict=True) if now > last + AFTER["s"]]
            assert later == sorted(later, key=lambda mark: mark or 0)
            assert all(mark is not None for mark in later) or set(marks.values()) == {None}


@pytest.mark.parametrize("seed", SEEDS)
def test_where_there_is_more_to_read_nothing_is_idle(seed: int) -> None:
    """Each time when the rule's time is over, the broker says that there is more; then the last has been read."""
    rnd = random.Random(seed)
    silent, now = SilentPartitions(AFTER), 0.0
    silent.read({("s", 0): 5, ("s", 1): 5}, now)
    for _ in range(10):
        now += rnd.uniform(0, 90)
        if silent.idle([("s", 0)], now):
            silent.compare({("s", 0): rnd.randint(6, 1_000_000)}, now)
        assert silent.idle([("s", 0)], now) == []
    silent.compare({("s", 1): 5}, now)
    assert silent.idle([("s", 1)], now) == [("s", 1)] * (now >= AFTER["s"])
    assert silent.idle([("s", 0)], now + AFTER["s"]) == [("s", 0)]


def test_time_stands_where_it_was_told_to_go_on() -> None:
    """A decision gives partitions the time it has reached: from there the clock counts anew, and not twice."""
    silent = SilentPartitions({"s": 10})
    a, b = ("s", 0), ("s", 1)
    silent.read({a: 1, b: 1}, 100.0)
    assert silent.watermark({a: 5 * SECOND, b: None}, 110.0) == 5 * SECOND
    assert silent.watermark({a: 5 * SECOND, b: None}, 130.0) == 25 * SECOND
    silent.passed([a, b], 25 * SECOND, 130.0)
    assert silent.watermark({a: 25 * SECOND, b: 25 * SECOND}, 131.0) == 26 * SECOND
    assert silent.due({a: 25 * SECOND, b: 25 * SECOND}, 30 * SECOND) == 135.0
    silent.read({b: 2}, 132.0)
    assert silent.watermark({a: 25 * SECOND, b: 25 * SECOND}, 141.0) == 25 * SECOND
    assert silent.due({a: 25 * SECOND, b: 25 * SECOND}, 30 * SECOND) == 147.0


def test_groups_of_other_watermarks_have_a_time_of_their_own() -> None:
    """One task has several groups: a decision for some is none for others."""
    silent, a = SilentPartitions({"s": 10}), ("s", 0)
    silent.read({a: 1}, 100.0)
    silent.passed([a], 25 * SECOND, 130.0)
    silent.passed([a], 70 * SECOND, 140.0)
    assert silent.watermark({a: 25 * SECOND}, 141.0) == 36 * SECOND
    assert silent.watermark({a: 70 * SECOND}, 141.0) == 71 * SECOND
    assert silent.watermark({a: 50 * SECOND}, 141.0) == 81 * SECOND
    silent.read({a: 2}, 150.0)
    assert silent.watermark({a: 25 * SECOND}, 161.0) == 26 * SECOND


WINDOWS = {
    "tumble": "TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '20' SECOND)",
    "hop": "HOP(TABLE s, DESCRIPTOR(ts), INTERVAL '10' SECOND, INTERVAL '40' SECOND)",
    "cumulate": "CUMULATE(TABLE s, DESCRIPTOR(ts), INTERVAL '10' SECOND, INTERVAL '40' SECOND)",
    "session": "SESSION(TABLE s, DESCRIPTOR(ts), INTERVAL '5' SECOND)",
}


@dataclass
class Saved:
    chunks: list[Chunk] = field(default_factory=list)
    marks: Marks = ()
    at: list[int] = field(default_factory=lambda: [0, 0])


class Task:
    """Reads two partitions, decides by a clock, commits, and dies now and then before a commit or behind it."""

    def __init__(self, window: str, *, seed: int, dies: bool) -> None:
        self.plan, self.crash = random.Random(seed), random.Random(seed if dies else 0)
        self.dies = dies
        columns, keys = (
            "window_start AS w, window_end AS e, u, count(*) AS n, sum(x) AS t",
            "window_start, window_end, u",
        )
        self.by = compiled(f"SELECT {columns} FROM {WINDOWS[window]} GROUP BY {keys}")
        self.logs: list[list[Any]] = [[], []]
        self.seconds = [0, 0]
        self.silent = SilentPartitions({"s": 20})
        self.now = 0.0
        self.saved, self.committed = Saved(), [0, 0]
        self.out, self.late = Counter[str](), set[tuple[int, int]]()
        self.at = [0, 0]
        self.state = self.begin()

    def begin(self) -> GroupState:
        state = self.by.state([("s", 0), ("s", 1)])
        for chunk in self.saved.chunks:
            state.load(chunk)
        state.set_marks(self.saved.marks)
        return state

    def absorb(self, p: int, first: int, last: int) -> None:
        for offset in range(first, last):
            try:
                self.state.absorb(iter([self.logs[p][offset]]), never, never)
            except LateRecord:
                self.late.add((p, offset))

    def step(self) -> None:
        """Some time passes; records may come; what is due is decided, and committed."""
        self.now += self.plan.uniform(0, 15)
        for p in (0, 1):
            for _ in range(self.plan.choice([0, 0, 0, 3])):
                self.seconds[p] = max(0, self.seconds[p] + self.plan.randint(-6, 15))
                record = message(self.seconds[p], p, len(self.logs[p]), u=self.plan.choice("ab"), x=1)
                self.logs[p].append(record)
            self.absorb(p, self.at[p], len(self.logs[p]))
            self.at[p] = len(self.logs[p])
        self.silent.read({("s", p): self.at[p] for p in (0, 1)}, self.now)
        decided = pass_time(self.state, self.silent, self.now, self.state.partitions)
        self.commit(save=self.plan.random() < 0.2 or decided)

    def commit(self, *, save: bool) -> None:
        rows = Counter(json.dumps(row) for row in values(self.state))
        self.out += rows
        live = self.state.spans()
        self.saved.chunks = [one for one in self.saved.chunks if (one.at, one.span) in live]
        self.committed = list(self.at)
        if save:
            self.saved.chunks += self.state.young_chunks()
            self.saved.marks, self.saved.at = self.state.marks(), list(self.at)
        if self.dies and self.crash.random() < 0.5:
            self.state = self.begin()
            self.state.silent = True
            for p in self.crash.sample([0, 1], 2):
                self.absorb(p, self.saved.at[p], self.committed[p])
            self.state.emit(never, never)
            self.state.silent = False


def micros(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp() * SECOND)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_crash_behind_a_decision_changes_nothing(seed: int, window: str) -> None:
    """Each record is in one row or late, and all is as it is without a crash."""
    tasks = [Task(window, seed=seed, dies=dies) for dies in (False, True)]
    for task in tasks:
        for _ in range(25):
            task.step()
    steady, mortal = tasks
    assert mortal.out == steady.out
    assert mortal.late == steady.late
    for task in tasks:
        (opened,), before = task.state.open_windows(), Counter(task.out)
        task.state.close_all()
        task.commit(save=False)
        last = [json.loads(row) for row in task.out - before]
        if window != "session":
            assert opened.count == len({(row["w"], row["e"]) for row in last})
        assert opened.end == min((micros(row["e"]) for row in last), default=None)
        if window in ("hop", "cumulate"):
            continue
        counted = sum(json.loads(row)["n"] * count for row, count in task.out.items())
        assert counted + len(task.late) == sum(map(len, task.logs))
    if window == "tumble":
        users: defaultdict[str, set[str]] = defaultdict(set)
        for row, count in steady.out.items():
            found = json.loads(row)
            assert count == 1
            assert found["u"] not in users[found["w"]]
            users[found["w"]].add(found["u"])
