"""`jobplane dev` as a child process, and the task hosts of its worker."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

KEPT_SETTINGS = frozenset({"JOBPLANE_JAVA_HOME", "JOBPLANE_CACHE"})
STOP_S, CALL_S = 45.0, 10.0
SHOWN_LINES = 12


class Failed(Exception):
    """The demonstration cannot go on. The message says why."""


class Dev:
    """A running `jobplane dev`: broker and worker on free ports. It always ends with this process."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bootstrap, self.web = folder, "", ""
        self._log = folder / "dev.log"
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("JOBPLANE_") or name in KEPT_SETTINGS
        }
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "jobplane.controlplane.cli.child_process", "dev"),
                    *("--port", "0", "--web-port", "0", "--hosts", "2", "--data", str(folder)),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=folder,  # a folder without another jobplane.toml
                env=environment,
                start_new_session=True,
            )

    def wait_ready(self) -> None:
        """Returns when the worker serves commands. Raises Failed if `dev` gives up; `dev` has its own limits."""
        match self._process.stdout.readline().decode().split() if self._process.stdout else []:
            case ["ready", bootstrap, web]:
                self.bootstrap, self.web = bootstrap, web
            case _:
                raise Failed("`jobplane dev` did not start")

    def close(self) -> None:
        """Stops the worker and the broker in order; kills a process that has not ended within the limit."""
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()  # broker and worker end by themselves when `dev` has ended
            self._process.wait()

    def check(self) -> None:
        """Raises Failed if `jobplane dev` has ended."""
        if self._process.poll() is not None:
            raise Failed(f"`jobplane dev` ended with {self._process.returncode}")

    def logs(self) -> str:
        """The last lines of its output, and the places of the complete logs."""
        lines = self._log.read_text(errors="replace").splitlines()[-SHOWN_LINES:]
        broker = self.folder / "kafka" / "broker.log"
        places = [str(place) for place in (self._log, broker) if place.exists()]
        return "\n".join([*(f"  | {line}" for line in lines), f"logs: {', '.join(places)}"])

    def hosts(self) -> list[dict[str, Any]]:
        """The task hosts of the worker: pid and tasks of each, from its JSON page."""
        with urllib.request.urlopen(f"{self.web}/api/hosts", timeout=CALL_S) as page:
            return list(json.load(page))

    def kill_a_host(self) -> dict[str, Any]:
        """Sends SIGKILL to the host with the most tasks; returns this host as the JSON page showed it."""
        host = max(self.hosts(), key=lambda host: len(host["tasks"]))
        os.kill(host["pid"], signal.SIGKILL)
        return host

    def took_over(self, killed: dict[str, Any]) -> bool:
        """Whether all tasks of a killed host have committed in other hosts."""
        running = {
            task["task"]
            for host in self.hosts()
            if host["pid"] != killed["pid"]
            for task in host["tasks"]
            if task.get("transactions_committed", 0) > 0
        }
        return running.issuperset(task["task"] for task in killed["tasks"])
