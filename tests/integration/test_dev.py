"""`jobplane dev` from the installed wheel: a line when it serves, a clean end, and all still there the next time."""

import os
import select
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.support.installed import Environment
from tests.support.system import System, until

LIMIT_S = 60.0


@contextmanager
def dev(installed: Environment, folder: Path, *flags: str) -> Iterator[subprocess.Popen[str]]:
    """A running `jobplane dev`; killed at the end where the test has not stopped it."""
    command = [str(installed.jobplane), "dev", "--data", str(folder), "--hosts", "1", *flags]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JOBPLANE_")}
    with (
        folder.with_suffix(".err").open("w") as said,
        subprocess.Popen(
            command,
            cwd=folder.parent,  # not the repository, whose modules would come first
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            env=environment,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def ready(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Kafka's address and that of the web server, once they are printed."""
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], LIMIT_S)[0], "not ready in time"
    word, bootstrap, web = process.stdout.readline().split()
    assert word == "ready"
    return bootstrap, web


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return [one for one in psutil.Process(process.pid).children(recursive=True) if one.status() != "zombie"]


def gone(processes: list[psutil.Process]) -> bool:
    return not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in processes)


def system(bootstrap: str, folder: Path) -> System:
    return System(bootstrap, "jobplane.", folder)


def test_it_serves_ends_in_peace_and_goes_on_where_it_was(with_dev: Environment, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with dev(with_dev, folder, "--port", "0", "--web-port", "0") as first:
        bootstrap, web = ready(first)
        with urllib.request.urlopen(f"{web}/readyz", timeout=10) as answer:
            assert answer.status == 200
        plane = system(bootstrap, tmp_path)
        source, sink = plane.topic("in"), plane.topic("out")
        plane.produce(source, [(b"k", b"1"), (b"k", b"2")])
        plane.done(f'CREATE JOB lasting AS INSERT INTO "{sink}" SELECT * FROM "{source}"')
        plane.await_values(sink, 2)
        children = family(first)
        assert len(children) >= 3, "a broker, a worker, a host"
        first.send_signal(signal.SIGINT)
        assert first.wait(30) == 0
        until(lambda: gone(children), 10, "its processes are gone")
    said = (tmp_path / "data.err").read_text()
    steps = ("starting Kafka", "Kafka is ready after", "try next", f"JOBPLANE_BOOTSTRAP={bootstrap}", "stopping")
    assert sorted(steps, key=said.index) == list(steps)
    assert " WARNING " not in said
    with dev(with_dev, folder, "--port", "0", "--web-port", "0", "--quiet") as second:
        bootstrap, _ = ready(second)
        plane = system(bootstrap, tmp_path)
        plane.produce(source, [(b"k", b"3")])
        assert sorted(plane.await_values(sink, 3)) == [b"1", b"2", b"3"]  # type: ignore[type-var]
        children = family(second)
        second.kill()
        until(lambda: gone(children), 20, "nothing outlives a `dev` that was killed")
    assert "starting Kafka" not in (tmp_path / "data.err").read_text(), "what is quiet says only what is wrong"


def test_a_taken_port_is_said_with_its_remedy(with_dev: Environment, tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = str(held.getsockname()[1])
        for flags, flag in (
            (("--port", port, "--web-port", "0"), "--port"),
            (("--port", "0", "--web-port", port), "--web-port"),
        ):
            with dev(with_dev, tmp_path / flag, *flags) as process:
                assert process.wait(LIMIT_S) == 1
            said = (tmp_path / f"{flag}.err").read_text()
            error = said[said.index("error (") :]
            assert error.startswith(f"error (port-taken): port {port} of 127.0.0.1 is taken")
            assert flag in error


def test_two_workers_share_the_tasks(with_dev: Environment, tmp_path: Path) -> None:
    with dev(with_dev, tmp_path / "data", "--port", "0", "--web-port", "0", "--workers", "2") as process:
        bootstrap, _ = ready(process)
        plane = system(bootstrap, tmp_path)
        source, sink = plane.topic("in", 4), plane.topic("out", 4)
        plane.done(f'CREATE JOB shared AS INSERT INTO "{sink}" SELECT * FROM "{source}"')
        members = plane.admin.describe_consumer_groups(["jobplane.workers"])["jobplane.workers"].result(10).members
        assert len(members) == 2
        process.terminate()
        assert process.wait(30) == 0


def test_told_to_stop_while_the_broker_starts_it_ends_at_once(with_dev: Environment, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with dev(with_dev, folder, "--port", "0", "--web-port", "0") as process:
        until((folder / "kafka" / "server.properties").exists, 20, "the broker is being started")
        children = family(process)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        until(lambda: gone(children), 10, "its processes are gone")
    assert "error" not in (tmp_path / "data.err").read_text()
