"""SIGKILL of a task host while a set of INSERTs reads two topics: each target has what follows from the same ones."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

from jobplane.processors.protocol.steps import Step
from tests.support.broker import KafkaBroker
from tests.support.orders import SIZE, START, Orders, minute, text, totals_in
from tests.support.system import System, system

STEPS = [(Step.LOAD, 1), (Step.REPLAY, 1), (Step.EMIT, 6), (Step.SAVE, 3), (Step.SEND_OFFSETS, 6), (Step.COMMIT, 6)]


@pytest.fixture(scope="module")
def plane(broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("set")
    environment = {"JOBPLANE_HOST_MODULE": "tests.support.killing_host", "KILL_FOLDER": str(folder)}
    with system(broker.bootstrap, "setkilled.", folder, hosts=1, environment=environment) as made:
        made.worker()
        yield made


@pytest.mark.parametrize(("step", "times"), STEPS, ids=str)
def test_groups_of_two_topics_beside_others(plane: System, step: Step, times: int) -> None:
    """Windows over the union of both, totals of one, and a copy of one. What is bad or late for the windows is a dead
    letter, once, and in no target.
    """
    name = f"kill_{step}_{times}_set"
    first, second = Orders(plane, f"{name}-a"), Orders(plane, f"{name}-b", 2)
    windows, totals, copy, letters = (plane.topic(f"{name}-{one}") for one in ("windows", "totals", "copy", "letters"))
    plane.done(f"""
        CREATE JOB {name} OPTIONS (parallelism '1', snapshotIntervalMillis '20', stateIntervalMillis '200',
            onError 'deadLetter', deadLetterTopic '{letters}') AS
        BEGIN
            INSERT INTO "{windows}" WITH orders AS (
                SELECT __key AS who, ts, x FROM "{first.name}" UNION ALL SELECT __key, ts, x FROM "{second.name}"
            )
            SELECT who, window_start AS since, COUNT(*) AS orders, SUM(x) AS total
            FROM TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '{SIZE.seconds}' SECOND)
            GROUP BY who, window_start, window_end;
            INSERT INTO "{totals}" SELECT who, COUNT(*) AS orders, SUM(x) AS total
            FROM (SELECT __key AS who, x FROM "{first.name}") WHERE who IS NOT NULL GROUP BY who;
            INSERT INTO "{copy}" SELECT __key AS who, x FROM "{first.name}";
        END
    """)
    bad = json.dumps({"ts": text(START - timedelta(hours=1)), "x": "none"}).encode()

    def send() -> None:
        first.send(40)
        second.send(30)
        plane.produce(first.topic, [(b"user-1", bad)])  # late as well: `expected` knows it

    for _ in range(10):
        send()
    plane.done(f"ALTER JOB {name} RESTART")

    plane.await_kill(name, send)
    for orders in (first, second):
        orders.close()
    expected: Counter[tuple[str, str]] = Counter()
    sums: Counter[tuple[str, str]] = Counter()
    late = 0
    for orders in (first, second):
        found, more = orders.expected()
        late += more
        for key, (count, total) in found.items():
            expected[key] += count
            sums[key] += total
    plane.await_values(windows, len(expected))
    plane.await_values(letters, late)
    kept, _ = first.kept(lambda time: minute(time) + SIZE)
    plane.await_values(copy, len(kept) + first.partitions)
    plane.done(f"DROP JOB {name}")
    assert totals_in(plane.read(windows)) == {key: (count, sums[key]) for key, count in expected.items()}
    assert len(plane.read(letters)) == late
    copied = [json.loads(value or b"") for value in plane.values(copy)]
    assert Counter((row["who"], row["x"]) for row in copied if row["who"] != "end") == Counter(
        (user, x) for user, _, x in kept
    )
    last = {(one.key() or b"").decode(): json.loads(one.value() or b"") for one in plane.read(totals)}
    users = {user for user, _, _ in kept}
    assert {user: (row["orders"], row["total"]) for user, row in last.items() if user != "end"} == {
        user: (sum(one[0] == user for one in kept), sum(one[2] for one in kept if one[0] == user)) for user in users
    }
