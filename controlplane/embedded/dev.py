"""`jobplane dev`: a broker and workers as child processes, in the foreground, until a signal."""

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from controlplane.embedded.broker import Broker
from controlplane.embedded.ports import free_port, require_free
from controlplane.settings import Settings
from schemas.errors import BrokerFailed, WorkerFailed

READY_S = 60.0
STOP_S = 12.0


def run(settings: Settings, port: int, workers: int) -> None:
    """Blocks until SIGINT or SIGTERM. Raises SetupError where broker or workers do not start, or a worker dies."""
    stop = threading.Event()
    _on_signal(sys.exit)  # nothing to keep yet: whoever waits for the broker to come up need not wait longer
    if settings.web_port:
        require_free(settings.web_port, "--web-port")
    started: list[subprocess.Popen[bytes]] = []
    with Broker(Path(settings.data) / "kafka", port) as broker:
        try:
            _on_signal(stop.set)
            ports = [settings.web_port + i if settings.web_port else free_port() for i in range(workers)]
            started = [_worker(settings, broker.bootstrap, web_port) for web_port in ports]
            webs = [f"http://{settings.web_host}:{web_port}" for web_port in ports]
            if _wait_ready(webs, started, stop):
                print(f"ready {broker.bootstrap} {webs[0]}", flush=True)
                _watch(started, broker, stop)
        finally:
            _stop(started)


def _on_signal(act: Callable[[], object]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: act())


def _worker(settings: Settings, bootstrap: str, web_port: int) -> subprocess.Popen[bytes]:
    """One worker in its own session: a Ctrl-C of the terminal reaches `dev` alone, which stops them in order."""
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "controlplane.embedded.attached", "worker"),
            *("--bootstrap", bootstrap, "--prefix", settings.prefix),
            *("--web-port", str(web_port), "--hosts", str(settings.hosts)),
        ],
        env={**os.environ, "JOBPLANE_DATA": settings.data, "JOBPLANE_WEB_HOST": settings.web_host},
        stdin=subprocess.PIPE,
        stdout=sys.stderr,
        start_new_session=True,
    )


def _wait_ready(webs: Sequence[str], workers: Sequence[subprocess.Popen[bytes]], stop: threading.Event) -> bool:
    """True when every worker says it is ready, False when told to stop before."""
    deadline = time.monotonic() + READY_S
    left = list(webs)
    while left:
        _require_alive(workers)
        if time.monotonic() > deadline:
            raise WorkerFailed(f"not ready within {READY_S:.0f} s: {', '.join(left)}")
        left = [web for web in left if not _ready(web)]
        if stop.wait(0.05):
            return False
    return True


def _ready(web: str) -> bool:
    try:
        with urllib.request.urlopen(f"{web}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def _watch(workers: Sequence[subprocess.Popen[bytes]], broker: Broker, stop: threading.Event) -> None:
    while not stop.wait(0.5):
        _require_alive(workers)
        if not broker.alive:
            raise BrokerFailed(f"the broker ended; its log is {broker.log}")


def _require_alive(workers: Sequence[subprocess.Popen[bytes]]) -> None:
    for worker in workers:
        if worker.poll() is not None:
            raise WorkerFailed(f"a worker ended with {worker.returncode}; what it said is above")


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
