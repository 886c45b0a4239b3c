"""Golden sessions of the policy of task hosts: what a worker is told, and what it does, in `hosts/*.txt`.

A block has what happens, one event a line, then what the worker does. Events:
`a worker of N hosts` (in the first block), `task KEY on PARTITION [generation N] [done] [snapshots V …]` (the newest
record of a task, whose job is what stands before the slash), `task KEY is gone`, `the broker confirms PARTITION …`,
`host N says KEY is in STEP for S s [after commits]`, `host N says KEY has used S CPU seconds` (since its start),
`KEY ends END in host N [generation N] [copied V …]`,
`host N is unreachable`, `host N is not started`, `host N ends with CODE`, `S s pass [in silence]`, `the worker ends`.
UPDATE_GOLDEN=1 rewrites what the worker does.
"""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobplane.controlplane.core.host_policy import host_policy
from jobplane.controlplane.core.host_view import (
    Action,
    Closing,
    HeldConfirmed,
    HostEnded,
    HostHeard,
    HostInput,
    HostNotStarted,
    HostUnreachable,
    HostView,
    RunEnded,
    StartHost,
    TaskNotWanted,
    TaskWanted,
    Tick,
)
from jobplane.processors.protocol.messages import TaskStatus
from jobplane.processors.protocol.steps import Step, TaskEnd

FOLDER = Path(__file__).parent / "hosts"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
def test_hosts(path: Path) -> None:
    text = path.read_text()
    played = Session().play(text)
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(played)
    assert played == text


def _numbers(text: str | None) -> frozenset[int]:
    return frozenset(map(int, (text or "").split()))


EVENTS: dict[str, Callable[[re.Match[str], float], HostInput]] = {
    r"task (\S+) on (\d+)(?: generation (\d+))?( done)?(?: snapshots ([\d ]+))?": lambda m, now: TaskWanted(
        m[1], m[1].partition("/")[0], int(m[2]), int(m[3] or 1), not m[4], _numbers(m[5])
    ),
    r"task (\S+) is gone": lambda m, now: TaskNotWanted(m[1]),
    r"the broker confirms ([\d ]+)": lambda m, now: HeldConfirmed(now, _numbers(m[1])),
    r"host (\d+) says (\S+) is in (\w+) for (\d+) s( after commits)?": lambda m, now: HostHeard(
        int(m[1]), {m[2]: TaskStatus(Step(m[3]), float(m[4]), {"records_committed": int(bool(m[5]))})}
    ),
    r"host (\d+) says (\S+) has used ([\d.]+) CPU seconds": lambda m, now: HostHeard(
        int(m[1]), {m[2]: TaskStatus(Step.POLL, 0.0, {"busy_seconds": float(m[3])})}
    ),
    r"(\S+) ends (\w+) in host (\d+)(?: generation (\d+))?(?: copied ([\d ]+))?": lambda m, now: RunEnded(
        int(m[3]), m[1], int(m[4] or 1), TaskEnd(m[2]), _numbers(m[5])
    ),
    r"host (\d+) is unreachable": lambda m, now: HostUnreachable(int(m[1])),
    r"host (\d+) is not started": lambda m, now: HostNotStarted(int(m[1])),
    r"host (\d+) ends with (-?\d+)": lambda m, now: HostEnded(int(m[1]), 100 + int(m[1]), int(m[2])),
    r"the worker ends": lambda m, now: Closing(),
}


class Session:
    """A worker at a time of its own, in seconds."""

    def __init__(self) -> None:
        self.now = 0.0
        self.view = HostView(0)

    def play(self, text: str) -> str:
        blocks = []
        for block in text.strip().split("\n\n"):
            happens = block.partition("\n----")[0]
            actions = [line for event in happens.splitlines() for line in self.does(event)]
            blocks.append("\n".join([happens, "----", *(actions or ["nothing"])]))
        return "\n\n".join(blocks) + "\n"

    def does(self, event: str) -> Iterator[str]:
        self.now += 0.001  # nothing happens at the same time
        if found := re.fullmatch(r"a worker of (\d+) hosts?", event):
            self.view.shared = int(found[1])
            yield from map(self.shown, host_policy(self.view, Tick(), self.now))
        elif found := re.fullmatch(r"([\d.]+) s pass( in silence)?", event):
            self.now += float(found[1])
            for host in () if found[2] else tuple(self.view.hosts):
                assert host_policy(self.view, HostHeard(host), self.now) == []
            yield from map(self.shown, host_policy(self.view, Tick(), self.now))
        else:
            (read,) = [make(found, self.now) for form, make in EVENTS.items() if (found := re.fullmatch(form, event))]
            yield from map(self.shown, host_policy(self.view, read, self.now))

    def shown(self, action: Action) -> str:
        if isinstance(action, StartHost):
            host = self.view.hosts.get(action.host)
            return f"StartHost {action.host}" + (" (for one task)" if host and host.alone else "")
        values = [getattr(action, name) for name in action.__match_args__ if name != "is_error"]
        return " ".join([type(action).__name__, *(f"'{one}'" if " " in str(one) else str(one) for one in values)])
