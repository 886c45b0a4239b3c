"""What the guards at the boundaries share: a name for an error that nobody foresaw, and its one entry in the log.

A guard stands where one thing ends and the next begins: a command, a report, a page, a task, a call of the command
line. It lets through what is foreseen, and turns everything else into a refusal or a failure of that one thing. The
guards are listed in docs/decisions/0016; a broad `except` anywhere else is wrong.
"""

import hashlib
import logging
import traceback
from dataclasses import dataclass
from pathlib import PurePath
from types import TracebackType

LOG = logging.getLogger("jobplane.guard")
TOLD_FRAMES = 30
"""Of an endless recursion the log holds the innermost calls."""
_KNOWN_BY = 3
"""Innermost calls that tell one fault from another."""


@dataclass(frozen=True, slots=True)
class Fault:
    """An error that nobody foresaw: the kind of the exception, and a reference that the log has beside its traceback.

    The same fault has the same reference in every process of one version: it follows from the places in the code.
    """

    kind: str
    reference: str

    def __str__(self) -> str:
        return f"{self.kind}, reference {self.reference}"


def fault_of(error: BaseException) -> Fault:
    """What an exception is called."""
    places = [f"{PurePath(file).name}:{line}" for file, line in _places(error.__traceback__)][-_KNOWN_BY:]
    kind = type(error).__name__
    return Fault(kind, hashlib.sha256(" ".join([kind, *places]).encode()).hexdigest()[:8])


def noted(error: BaseException, what: str) -> Fault:
    """The fault, once it is in the log with its traceback. `what` names the one thing that it ends."""
    fault = fault_of(error)
    LOG.error("%s: an unforeseen error (%s)\n%s", what, fault, told(error))
    return fault


def told(error: BaseException) -> str:
    """The traceback as text."""
    return "".join(traceback.format_exception(error, limit=-TOLD_FRAMES)).rstrip()


def _places(trace: TracebackType | None) -> list[tuple[str, int]]:
    return [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(trace)]
