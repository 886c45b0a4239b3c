"""The state of groups over snapshots, other splits and other jobs: sums stay exact, and what nobody needs goes."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from confluent_kafka import Message
from confluent_kafka.admin import NewTopic

from tests.support.broker import KafkaBroker
from tests.support.orders import START, Orders, minute, text, totals_in
from tests.support.system import System, system, until

OFTEN = "onLate 'fail', stateIntervalMillis '200', snapshotIntervalMillis '20'"
GAP = timedelta(seconds=5)
Row = tuple[str, str, int, int]
"""User, start of the window or session, number of records, sum."""


@pytest.fixture(scope="module")
def plane(broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with system(broker.bootstrap, "kept.", tmp_path_factory.mktemp("kept"), hosts=1) as made:
        made.worker()
        yield made


def chunks(plane: System, job: str) -> int:
    """The chunks of a job that are not deleted."""
    uid = plane.about(f"DESCRIBE JOB {job}")["uid"]
    last = {one.key(): one.value() for one in plane.read(f"{plane.prefix}job.{uid}.state")}
    return sum(value is not None for value in last.values())


def test_chunks_go_with_the_snapshots_that_name_them(plane: System) -> None:
    """While the job runs, and while nothing comes; what another snapshot names stays."""
    orders, sink, again = Orders(plane, "freed", 1), plane.topic("freed-out"), plane.topic("freed-again")
    options = OFTEN.replace("fail", "skip")
    plane.done(f"CREATE JOB freed OPTIONS ({options}) AS {orders.windows(sink)}")
    before = []
    for i in range(8):
        orders.send(300)
        plane.done(f"CREATE SNAPSHOT freed{i} FOR JOB freed")
        before.append(plane.read(sink))
    orders.send(1_000)
    held = chunks(plane, "freed")
    for i in (0, 1, 2, 3, 4, 6):
        plane.done(f"DROP SNAPSHOT freed{i}")
    until(lambda: chunks(plane, "freed") < held, 20, "chunks are deleted though no record comes")
    fewer = chunks(plane, "freed")
    plane.done(f"CREATE JOB again OPTIONS ({options}, initialSnapshotName 'freed5') AS {orders.windows(again)}")
    plane.done("DROP SNAPSHOT freed5")
    plane.done("DROP SNAPSHOT freed7")
    until(lambda: chunks(plane, "freed") < fewer, 20, "the last are deleted too")
    plane.done("ALTER JOB freed RESTART")
    orders.close()
    orders.check(sink)
    totals, _ = orders.expected()
    earlier = totals_in(before[5])
    until(lambda: totals.keys() <= earlier.keys() | totals_in(plane.read(again)).keys(), 60, "all windows")
    assert (earlier | totals_in(plane.read(again))).items() <= totals.items()
    until(lambda: chunks(plane, "freed") <= 1, 20, "all windows but the last have closed")
    for job in ("freed", "again"):
        plane.done(f"DROP JOB {job}")


def test_a_new_decider_deletes_the_state_of_jobs_that_nobody_knows(plane: System) -> None:
    """What a decider before could not delete, and of a log before this one."""
    name = f"{plane.prefix}job.0a1b2c3d-7.state"
    plane.admin.create_topics([NewTopic(name, 1, 1)])[name].result(10)
    until(lambda: name in plane.admin.list_topics(timeout=10).topics, 10, "the topic is there")
    plane.workers.pop().stop()
    plane.worker()
    until(lambda: name not in plane.admin.list_topics(timeout=10).topics, 30, "the topic is deleted")


@dataclass
class Visits:
    """Records in the order of their times: none is late."""

    plane: System
    sent: list[tuple[str, timedelta, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.topic = self.plane.topic("visits-in", 4)
        self.plane.done(
            f"""CREATE MAPPING visits EXTERNAL NAME "{self.topic}" (
                    __key VARCHAR, ts TIMESTAMP WITH TIME ZONE, x BIGINT, WATERMARK FOR ts AS ts
                ) TYPE Kafka OPTIONS (keyFormat 'varchar')"""
        )

    def send(self, count: int) -> None:
        first = len(self.sent)
        new = [(f"user-{i * i % 23}", timedelta(seconds=i * 0.7), i % 90 - 30) for i in range(first, first + count)]
        self.sent += new
        values = ({"ts": text(START + at), "x": x} for _, at, x in new)
        self.plane.produce(
            self.topic, [(who.encode(), json.dumps(v).encode()) for (who, _, _), v in zip(new, values, strict=True)]
        )

    def close(self) -> None:
        value = json.dumps({"ts": text(START + timedelta(days=1)), "x": 0}).encode()
        for partition in range(4):
            self.plane.produce(self.topic, [(b"end", value)], partition=partition)

    def windows(self) -> Counter[Row]:
        found = defaultdict[tuple[str, str], list[int]](list)
        for who, at, x in self.sent:
            found[who, text(minute(START + at))].append(x)
        return Counter((who, since, len(xs), sum(xs)) for (who, since), xs in found.items())

    def sessions(self) -> Counter[Row]:
        found = Counter[Row]()
        for user in {who for who, _, _ in self.sent}:
            session: list[tuple[timedelta, int]] = []
            for at, x in [*((at, x) for who, at, x in self.sent if who == user), (timedelta(days=1), 0)]:
                if session and at > session[-1][0] + GAP:
                    found[user, text(START + session[0][0]), len(session), sum(x for _, x in session)] += 1
                    session = []
                session.append((at, x))
        return found


SELECT = "SELECT __key AS who, window_start AS since, COUNT(*) AS n, SUM(x) AS total"
TUMBLE = "FROM TUMBLE(TABLE visits, DESCRIPTOR(ts), INTERVAL '60' SECOND) GROUP BY __key, window_start, window_end"
QUERIES = {
    "windows": f"{SELECT} {TUMBLE}",
    "changes": f"{SELECT} {TUMBLE} EMIT CHANGES",
    "sessions": f"""{SELECT} FROM SESSION(TABLE visits PARTITION BY __key, DESCRIPTOR(ts), INTERVAL '5' SECOND)
        GROUP BY __key, window_start, window_end""",
}


def test_sums_are_exact_over_other_splits_and_a_snapshot_between(plane: System) -> None:
    """Three tasks, of which two are made while the job is suspended; they have never run when the snapshot is made."""
    visits = Visits(plane)
    sinks = {name: (plane.topic(f"{name}-a"), plane.topic(f"{name}-b")) for name in QUERIES}
    for name, query in QUERIES.items():
        plane.done(
            f"""CREATE JOB {name} OPTIONS ({OFTEN}, parallelism '3') AS INSERT INTO "{sinks[name][0]}" {query}"""
        )
    for _ in range(5):
        visits.send(200)
    before: dict[str, list[Message]] = {}
    for name, query in QUERIES.items():
        plane.done(f"ALTER JOB {name} SUSPEND")
        plane.done(f"ALTER JOB {name} OPTIONS (parallelism '2')")
        before[name] = plane.read(sinks[name][0])
        plane.done(f"CREATE SNAPSHOT {name}1 FOR JOB {name}")
        options = f"{OFTEN}, parallelism '4', initialSnapshotName '{name}1'"
        plane.done(f"""CREATE JOB {name}2 OPTIONS ({options}) AS INSERT INTO "{sinks[name][1]}" {query}""")
        plane.done(f"DROP SNAPSHOT {name}1")
        plane.done(f"ALTER JOB {name} RESUME")
    for _ in range(3):
        visits.send(200)
    visits.close()
    for name in QUERIES:
        expected = visits.sessions() if name == "sessions" else visits.windows()
        for earlier, sink in (((), sinks[name][0]), (before[name], sinks[name][1])):
            await_sums(plane, name, earlier, sink, expected)
        for job in (name, f"{name}2"):
            plane.done(f"DROP JOB {job}")
    until(
        lambda: not any(name.startswith("kept.job.") for name in plane.admin.list_topics(timeout=10).topics),
        30,
        "no state is left",
    )


def await_sums(plane: System, name: str, earlier: Sequence[Message], sink: str, expected: Counter[Row]) -> None:
    """Waits for as many rows; they are compared once they are there, so that a difference is shown."""

    def sums() -> Counter[Row]:
        return sums_of(name, (*earlier, *plane.read(sink)))

    if name == "changes":
        until(lambda: sums() == expected, 60, f"the last rows of {name}")
    until(lambda: sums().total() >= expected.total(), 60, f"rows of {name}")
    assert sums() == expected, name


def sums_of(name: str, messages: Iterable[Message]) -> Counter[Row]:
    """The rows; of rows that replace one another the last."""
    rows = [json.loads(one.value() or b"") for one in messages]
    made = [(row["who"], row["since"], row["n"], row["total"]) for row in rows if row["who"] != "end"]
    if name == "changes":
        made = [*{(who, since): (who, since, n, total) for who, since, n, total in made}.values()]
    return Counter(made)
