"""Two hundred jobs created in a row while workers and hosts are killed: all run in the end, none was ever suspended."""

import os
import signal
from pathlib import Path

import pytest

from tests.integration.test_many_jobs import check_output, create, failures, statuses
from tests.support.broker import KafkaBroker
from tests.support.system import system, until

JOBS = 200


@pytest.mark.long
def test_many_jobs_while_workers_are_killed(broker: KafkaBroker, prefix: str, tmp_path: Path) -> None:
    with system(broker.bootstrap, prefix, tmp_path, hosts=1) as plane:
        plane.worker()
        plane.worker()
        sinks = create(plane, JOBS)
        for at_least in (20, 60, 120):
            until(lambda least=at_least: statuses(plane)["RUNNING"] >= least, 240, "jobs run")  # type: ignore[misc]
            victim = plane.workers[-1]
            victim.signal_all(signal.SIGKILL)
            victim.process.wait(20)
            plane.workers.remove(victim)
            plane.worker()
            for pid in plane.workers[0].host_pids():
                os.kill(pid, signal.SIGKILL)
        until(lambda: statuses(plane) == {"RUNNING": JOBS}, 300, "all jobs run")
        assert not failures(plane)
        check_output(plane, sinks)
