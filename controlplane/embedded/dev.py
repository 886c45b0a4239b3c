"""`jobplane dev`: a broker and workers as child processes, in the foreground, until a signal."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from jobplane.controlplane.embedded.broker import Broker
from jobplane.controlplane.embedded.jars import KAFKA
from jobplane.controlplane.ports import free_port, require_free
from jobplane.controlplane.settings import Settings
from jobplane.controlplane.wait_limit import Say, WaitLimit
from jobplane.schemas.setup_errors import BrokerFailed, WorkerFailed
from jobplane.schemas.shown import quantity

READY_S = 180.0
"""The longest start of a worker. Under heavy load it takes a minute; a worker that cannot start ends by itself."""
STOP_S = 12.0
NOTHING_YET = "it does not answer before it has its control topics and its group"
DEFAULTS = Settings()


def run(settings: Settings, port: int, workers: int, say: Say) -> None:
    """Runs a broker and workers until SIGINT or SIGTERM; calls `say` with each step. Raises SetupError if the broker or
    a worker does not start or ends.
    """
    stop = threading.Event()
    _on_signal(sys.exit)  # nothing to shut down yet, so a signal may end the process at once
    if settings.web_port:
        require_free(settings.web_port, "--web-port")
    started: list[subprocess.Popen[bytes]] = []
    broker = Broker(Path(settings.data) / "kafka", port)
    first = not broker.data.exists()
    say(f"starting Kafka {KAFKA} on {broker.bootstrap}; its data is in {broker.data}")
    began = time.monotonic()
    with broker:
        try:
            _on_signal(stop.set)
            say(f"Kafka is ready after {time.monotonic() - began:.1f} s; starting {quantity(workers, 'worker')}")
            ports = [settings.web_port + i if settings.web_port else free_port() for i in range(workers)]
            started = [_worker(settings, broker.bootstrap, web_port) for web_port in ports]
            webs = [f"http://{settings.web_host}:{web_port}" for web_port in ports]
            if _wait_ready(webs, started, stop, say):
                print(f"ready {broker.bootstrap} {webs[0]}", flush=True)
                say(next_steps(settings.prefix, broker.bootstrap, os.environ, first=first))
                _watch(started, broker, stop)
                say("stopping: the workers commit, then Kafka stops")
        finally:
            _stop(started)


FIRST_STEPS = (
    "jobplane topic create orders big_orders",
    """echo '{"id": 1, "amount": 70}' | jobplane topic produce orders""",
    'jobplane sql "CREATE JOB big AS INSERT INTO big_orders SELECT * FROM orders WHERE amount > 50"',
    "jobplane topic peek big_orders",
)
"""For a new Kafka without topics."""
LATER_STEPS = ('jobplane sql "SHOW JOBS"', "jobplane topic list")


def next_steps(prefix: str, bootstrap: str, environment: Mapping[str, str], *, first: bool) -> str:
    """Commands to try in another terminal, with the variables that this terminal needs to find this Kafka."""
    here = Path(sys.executable).parent
    found = shutil.which("jobplane", path=environment.get("PATH"))
    needed = [
        (not found, f'export PATH="{here}:$PATH"'),
        (bootstrap != DEFAULTS.bootstrap, f"export JOBPLANE_BOOTSTRAP={bootstrap}"),
        (prefix != DEFAULTS.prefix, f"export JOBPLANE_PREFIX={prefix}"),
    ]
    lines = [*(line for missing, line in needed if missing), *(FIRST_STEPS if first else LATER_STEPS)]
    listed = "\n".join(f"  {line}" for line in lines)
    return f"try next, in another terminal:\n{listed}\nCtrl-C stops everything; topics and jobs are kept."


def _on_signal(act: Callable[[], object]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: act())


def _worker(settings: Settings, bootstrap: str, web_port: int) -> subprocess.Popen[bytes]:
    """Starts a worker in its own session: Ctrl-C in the terminal reaches only `dev`, which stops workers in order."""
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "jobplane.controlplane.cli.child_process", "worker", "--quiet"),
            *("--bootstrap", bootstrap, "--prefix", settings.prefix),
            *("--web-port", str(web_port), "--hosts", str(settings.hosts)),
        ],
        env={**os.environ, "JOBPLANE_DATA": settings.data, "JOBPLANE_WEB_HOST": settings.web_host},
        stdin=subprocess.PIPE,
        stdout=sys.stderr,
        start_new_session=True,
    )


def _wait_ready(
    webs: Sequence[str], workers: Sequence[subprocess.Popen[bytes]], stop: threading.Event, say: Say
) -> bool:
    """True when every worker is ready, False if `stop` is set before."""
    wait_limit = WaitLimit(READY_S, say)
    left = dict.fromkeys(webs, NOTHING_YET)
    while left:
        _require_alive(workers)
        awaited = "; ".join(f"the worker of {web} is not ready: {waits}" for web, waits in left.items())
        if wait_limit.has_passed(awaited):
            raise WorkerFailed(f"not ready within {READY_S:.0f} s: {awaited}")
        left = {web: waits for web in left if (waits := _ask_ready(web))}
        if stop.wait(0.05):
            return False
    return True


def _ask_ready(web: str) -> str:
    """What a worker waits for; empty if it is ready."""
    try:
        with urllib.request.urlopen(f"{web}/readyz", timeout=2):
            return ""
    except urllib.error.HTTPError as busy:
        return _waits_for(busy)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return NOTHING_YET


def _waits_for(busy: urllib.error.HTTPError) -> str:
    """What a worker that is not ready waits for; never empty."""
    try:
        waits = ", ".join(json.load(busy)["waits_for"])
    except (ValueError, TypeError, LookupError, OSError):  # the response of another program, or of an internal error
        waits = ""
    return waits or f"HTTP {busy.code}"


def _watch(workers: Sequence[subprocess.Popen[bytes]], broker: Broker, stop: threading.Event) -> None:
    while not stop.wait(0.5):
        _require_alive(workers)
        if not broker.alive:
            raise BrokerFailed(f"the broker ended; its log is {broker.log}")


def _require_alive(workers: Sequence[subprocess.Popen[bytes]]) -> None:
    for worker in workers:
        if worker.poll() is not None:
            raise WorkerFailed(f"a worker ended with exit code {worker.returncode}; its messages are above")


def _stop(workers: Sequence[subprocess.Popen[bytes]]) -> None:
    for worker in workers:
        if worker.poll() is None:
            worker.terminate()
    deadline = time.monotonic() + STOP_S
    for worker in workers:
        try:
            worker.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
