"""SIGKILL of Kafka itself while records and commands flow: the worker outlives it, nothing is lost or doubled."""

import json
from collections import Counter, defaultdict
from contextlib import closing
from pathlib import Path

import pytest
from confluent_kafka.admin import NewTopic

from jobplane.controlplane.decider import fencing
from jobplane.controlplane.embedded.broker import Broker
from jobplane.controlplane.fetch.groups import Groups
from jobplane.processors.kafka.cluster import Kafka
from tests.chaos.test_two_workers import Flow, outcomes
from tests.support.orders import Orders
from tests.support.system import System, repeated, system, until

OFTEN = "onLate 'skip', parallelism '2', stateIntervalMillis '1000'"


def test_the_broker_is_killed_and_comes_back(tmp_path: Path) -> None:
    with (
        Broker(tmp_path / "kafka") as broker,
        system(broker.bootstrap, "killed.", tmp_path, hosts=1) as plane,
    ):
        source, sink, side, beside = (plane.topic(name, 4) for name in ("in", "out", "side", "beside"))
        windows, totals = plane.topic("windows", 4), plane.topic("totals", 4, cleanup_policy="compact")
        worker = plane.worker()
        for name, target, copy in (("flow", sink, "batches"), ("side", side, "rows"), ("beside", beside, "rows")):
            options = f"OPTIONS (copy '{copy}')"  # those that go row by row share the fetch
            plane.done(f'CREATE JOB {name} {options} AS INSERT INTO "{target}" SELECT * FROM "{source}"')
        orders = Orders(plane, "orders")
        plane.done(f"CREATE JOB windows OPTIONS ({OFTEN}) AS {orders.windows(windows)}")
        plane.done(
            f"""CREATE JOB totals OPTIONS ({OFTEN}) AS INSERT INTO "{totals}"
                SELECT __key AS who, COUNT(*) AS orders, SUM(x) AS total FROM orders GROUP BY __key EMIT CHANGES"""
        )
        with Flow(plane, source).running() as flow, repeated(lambda: orders.send(20), 0.05):
            for _ in range(3):
                before, rows = len(plane.values(sink)), len(plane.values(windows))
                until(lambda least=before + 300: len(plane.values(sink)) > least, 60, "records flow")  # type: ignore[misc]
                until(lambda least=rows: len(plane.values(windows)) > least, 60, "windows close")  # type: ignore[misc]
                broker.kill()
                broker.start()
        for target in (sink, beside):
            plane.await_values(target, len(flow.records))
        until(lambda: outcomes(plane).keys() >= set(flow.commands), 60, "every command has its outcome")
        assert Counter(plane.values(sink)) == Counter(plane.values(beside)) == Counter(flow.records)
        assert set(outcomes(plane).values()) == {1}
        assert not Counter(plane.values(side)) - Counter(flow.records)
        orders.close()
        orders.check(windows)
        check_totals(plane, orders, totals)
        assert worker.get("/healthz")[0] == 200


def test_a_state_that_was_not_deleted_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fencing, "AGAIN_S", 0.5)
    with Broker(tmp_path / "kafka") as broker:
        plane, topic = System(broker.bootstrap, "killed.", tmp_path), "killed.job.0a1b2c3d-7.state"
        plane.admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(10)
        with closing(Groups(plane.settings)) as groups:
            fencer = fencing.Fencer(Kafka(broker.bootstrap), plane.prefix, groups, 6)
            broker.kill()
            fencer.delete_states(["0a1b2c3d-7"])
            until(lambda: fencer.is_deleting_again, 30, "it was not deleted")
            broker.start()

            def is_deleted() -> bool:
                fencer.tick()
                return topic not in plane.admin.list_topics(timeout=10).topics

            until(is_deleted, 60, "it is deleted")


def check_totals(plane: System, orders: Orders, sink: str) -> None:
    """The last row of each user is what all of its orders give. The records that end windows are in all partitions."""
    expected = defaultdict[str, list[int]](list)
    for one in plane.read(orders.topic):
        if one.key() != b"end":
            expected[(one.key() or b"").decode()].append(json.loads(one.value() or b"")["x"])

    def last() -> dict[str, tuple[int, int]]:
        rows = {one.key(): json.loads(one.value() or b"") for one in plane.read(sink)}
        return {row["who"]: (row["orders"], row["total"]) for row in rows.values() if row["who"] != "end"}

    until(lambda: last() == {who: (len(xs), sum(xs)) for who, xs in expected.items()}, 60, "the totals")
