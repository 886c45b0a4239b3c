"""What the guards at the boundaries share: a name for an unexpected exception, and its one entry in the log.

A guard surrounds one unit of work: a command, a report, a page, a task, a call of the command line. It lets expected
errors through, and turns every other exception into a refusal or a failure of that unit. docs/decisions/0016 lists the
guards; a broad `except` anywhere else is wrong.
"""

import hashlib
import logging
import traceback
from dataclasses import dataclass
from pathlib import PurePath
from types import TracebackType

LOG = logging.getLogger("jobplane.guard")
MOST_FRAMES = 30
"""The log has at most this many innermost calls, because an endless recursion has very many."""
_KNOWN_BY = 3
"""The number of innermost calls that identify a fault."""


@dataclass(frozen=True, slots=True)
class Fault:
    """An unexpected exception: its class, and a reference that the log has beside the traceback.

    The same fault has the same reference in every process of one version: it is computed from the places in the code.
    """

    kind: str
    reference: str

    def __str__(self) -> str:
        return f"{self.kind}, reference {self.reference}"


def fault_of(error: BaseException) -> Fault:
    """The fault that an exception is."""
    places = [f"{PurePath(file).name}:{line}" for file, line in _places(error.__traceback__)][-_KNOWN_BY:]
    kind = type(error).__name__
    return Fault(kind, hashlib.sha256(" ".join([kind, *places]).encode()).hexdigest()[:8])


def log_fault(error: BaseException, what: str) -> Fault:
    """Logs an exception with its traceback and returns the fault. `what` names the unit of work that it ended."""
    fault = fault_of(error)
    LOG.error("%s: an unforeseen error (%s)\n%s", what, fault, format_traceback(error))
    return fault


def format_traceback(error: BaseException) -> str:
    """The traceback as text."""
    return "".join(traceback.format_exception(error, limit=-MOST_FRAMES)).rstrip()


def _places(trace: TracebackType | None) -> list[tuple[str, int]]:
    return [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(trace)]
