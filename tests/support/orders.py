"""Orders with times out of order, and what a query is to give that adds them up by user and minute."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from random import Random
from typing import Any

from confluent_kafka import Message

from tests.support.system import System, until

SIZE, LAG, GAP = timedelta(minutes=1), timedelta(seconds=20), timedelta(seconds=2)
START = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
"""Kafka deletes records with old timestamps, and a window's row has the time of its end."""
USERS, SECONDS_BACK = 7, (0, 0, 1, 5, 15, 45, 100)
Totals = dict[tuple[str, str], tuple[int, int]]
"""By user and start of the window: how many orders, and their sum."""
Session = tuple[str, str, str, int, int]
"""User, start, end, how many orders, and their sum."""


def minute(time: datetime) -> datetime:
    return START + (time - START) // SIZE * SIZE


def text(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


@dataclass(slots=True)
class Orders:
    """A topic of orders, and the mapping of its name."""

    plane: System
    name: str
    partitions: int = 3
    clock: datetime = START
    chance: Random = field(default_factory=lambda: Random(7))  # the same each time
    sent: int = 0
    topic: str = ""

    def __post_init__(self) -> None:
        self.topic = self.plane.topic(f"{self.name}-in", self.partitions)
        self.plane.done(
            f"""CREATE MAPPING "{self.name}" EXTERNAL NAME "{self.topic}" (
                    __key VARCHAR, ts TIMESTAMP WITH TIME ZONE, x BIGINT,
                    WATERMARK FOR ts AS ts - INTERVAL '{LAG.seconds}' SECOND
                ) TYPE Kafka OPTIONS (keyFormat 'varchar', valueFormat 'json-flat')"""
        )

    def windows(self, sink: str) -> str:
        """The query that is checked by `check`."""
        return f"""INSERT INTO "{sink}"
            SELECT __key AS who, window_start AS since, COUNT(*) AS orders, SUM(x) AS total
            FROM TABLE(TUMBLE(TABLE "{self.name}", DESCRIPTOR(ts), INTERVAL '{SIZE.seconds}' SECOND))
            GROUP BY __key, window_start, window_end"""

    def sessions(self, sink: str) -> str:
        """The query that is checked by `check_sessions`."""
        return f"""INSERT INTO "{sink}"
            SELECT __key AS who, window_start AS since, window_end AS ended, COUNT(*) AS orders, SUM(x) AS total
            FROM SESSION(TABLE "{self.name}", DESCRIPTOR(ts), INTERVAL '{GAP.seconds}' SECOND)
            GROUP BY __key, window_start, window_end"""

    def totals(self, sink: str) -> str:
        """The query that is checked by `check_changes`: its rows replace those before them."""
        return f"""INSERT INTO "{sink}" SELECT COALESCE(__key, '') AS who, COUNT(*) AS orders, SUM(x) AS total
            FROM "{self.name}" GROUP BY COALESCE(__key, '')"""

    def send(self, count: int) -> None:
        """Sends orders of a second or less between them, some of which come later than others."""
        records = []
        for _ in range(count):
            self.clock += timedelta(milliseconds=self.chance.randrange(300))
            time = self.clock - timedelta(seconds=self.chance.choice(SECONDS_BACK))
            user, x = f"user-{self.chance.randrange(USERS)}", self.chance.randrange(-50, 100)
            records.append((user.encode(), json.dumps({"ts": text(time), "x": x}).encode()))
        self.plane.produce(self.topic, records)
        self.sent += count

    def close(self) -> None:
        """Lets time go on in each partition, so that all windows close but those of these records."""
        value = json.dumps({"ts": text(self.clock + timedelta(days=1)), "x": 0}).encode()
        for partition in range(self.partitions):
            self.plane.produce(self.topic, [(b"end", value)], partition=partition)

    def expected(self) -> tuple[Totals, int]:
        """The totals, by windows that close, and how many orders are late."""
        kept, late = self.kept(lambda time: minute(time) + SIZE)
        found: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for user, time, x in kept:
            found[user, text(minute(time))].append(x)
        return {key: (len(some), sum(some)) for key, some in found.items()}, late

    def expected_sessions(self) -> tuple[Counter[Session], int]:
        """The sessions that end, and how many orders are late."""
        kept, late = self.kept(lambda time: time)
        found = Counter[Session]()
        for _, orders in groupby(sorted(kept), key=lambda one: one[0]):
            open_ones: list[tuple[str, datetime, int]] = []
            for order in orders:
                if open_ones and order[1] - open_ones[-1][1] > GAP:
                    found[_session(open_ones)] += 1
                    open_ones = []
                open_ones.append(order)
            found[_session(open_ones)] += 1
        return found, late

    def kept(self, end_of: Callable[[datetime], datetime]) -> tuple[list[tuple[str, datetime, int]], int]:
        """User, time and x of the orders that are not late, and how many are: their part of a window had ended."""
        marks: dict[int, datetime] = {}
        kept, late = [], 0
        for message in sorted(self.plane.read(self.topic), key=lambda one: (one.partition(), one.offset())):
            value, partition = json.loads(message.value() or b""), message.partition() or 0
            time = datetime.fromisoformat(value["ts"])
            if partition in marks and end_of(time) <= marks[partition]:
                late += 1
            elif (user := (message.key() or b"").decode()) != "end":
                kept.append((user, time, value["x"]))
            marks[partition] = max(time - LAG, marks.get(partition, time - LAG))
        return kept, late

    def check(self, sink: str) -> int:
        """All totals are in the sink, each once. Returns how many orders were late."""
        totals, late = self.expected()
        self.plane.await_values(sink, len(totals))
        assert totals_in(self.plane.read(sink)) == totals
        return late

    def check_sessions(self, sink: str) -> int:
        """All sessions are in the sink, each once. Returns how many orders were late."""
        sessions, late = self.expected_sessions()
        self.plane.await_values(sink, sessions.total())
        assert sessions_in(self.plane.read(sink)) == sessions
        return late

    def check_changes(self, sink: str) -> None:
        """The last row of each user has the total of all orders, late or not."""
        found: defaultdict[str, list[int]] = defaultdict(list)
        for message in self.plane.read(self.topic):
            found[(message.key() or b"").decode()].append(json.loads(message.value() or b"")["x"])
        expected = {user: (user, len(some), sum(some)) for user, some in found.items()}

        def last() -> dict[str, tuple[str, int, int]]:
            values = {(one.key() or b"").decode(): json.loads(one.value() or b"") for one in self.plane.read(sink)}
            return {user: (row["who"], row["orders"], row["total"]) for user, row in values.items()}

        until(lambda: last() == expected, 60, "the totals are there")


def _session(orders: list[tuple[str, datetime, int]]) -> Session:
    """Of one user, in the order of time."""
    (user, first, _), (_, last, _) = orders[0], orders[-1]
    return user, text(first), text(last + GAP), len(orders), sum(x for _, _, x in orders)


def sessions_in(messages: Iterable[Message]) -> Counter[Session]:
    rows: list[Any] = [json.loads(message.value() or b"") for message in messages]
    return Counter((row["who"], row["since"], row["ended"], row["orders"], row["total"]) for row in rows)


def totals_in(messages: Iterable[Message]) -> Totals:
    """What was written; each total must be there once."""
    rows: list[Any] = [json.loads(message.value() or b"") for message in messages]
    found = {(row["who"], row["since"]): (row["orders"], row["total"]) for row in rows}
    assert len(found) == len(rows), "a window was written twice"
    return found
