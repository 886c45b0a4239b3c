"""SIGKILL of Kafka itself while records and commands flow: the worker outlives it, nothing is lost or doubled."""

from collections import Counter
from pathlib import Path

from jobplane.controlplane.embedded.broker import Broker
from tests.chaos.test_two_workers import Flow, outcomes
from tests.support.system import system, until


def test_the_broker_is_killed_and_comes_back(tmp_path: Path) -> None:
    with (
        Broker(tmp_path / "kafka") as broker,
        system(broker.bootstrap, "killed.", tmp_path, hosts=1) as plane,
    ):
        source, sink, side, beside = (plane.topic(name, 4) for name in ("in", "out", "side", "beside"))
        worker = plane.worker()
        for name, target, copy in (("flow", sink, "batches"), ("side", side, "rows"), ("beside", beside, "rows")):
            options = f"OPTIONS (copy '{copy}')"  # those that go row by row share the fetch
            plane.done(f'CREATE JOB {name} {options} AS INSERT INTO "{target}" SELECT * FROM "{source}"')
        with Flow(plane, source).running() as flow:
            for _ in range(3):
                before = len(plane.values(sink))
                until(lambda least=before + 300: len(plane.values(sink)) > least, 60, "records flow")  # type: ignore[misc]
                broker.kill()
                broker.start()
        for target in (sink, beside):
            plane.await_values(target, len(flow.records))
        until(lambda: outcomes(plane).keys() >= set(flow.commands), 60, "every command has its outcome")
        assert Counter(plane.values(sink)) == Counter(plane.values(beside)) == Counter(flow.records)
        assert set(outcomes(plane).values()) == {1}
        assert not Counter(plane.values(side)) - Counter(flow.records)
        assert worker.get("/healthz")[0] == 200
