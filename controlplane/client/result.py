"""What a client knows of a command it has sent: where it lies on the log, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jobplane.controlplane.core.outcome import REFUSED, outcome_row
from jobplane.controlplane.core.subject import Subject
from jobplane.schemas.records.state import Answer

Alive = Callable[[], None]
"""Called again and again while something is awaited; what it raises ends the waiting."""
Watch = Callable[[str], None]
"""Told in words how far a statement has come."""
NOWHERE = -1
"""The offset of a command that was not found."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A command on the log, and its offset there."""

    command_id: str
    offset: int


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one statement. `reply` is None while unanswered; `failure` says why its effect did not come.

    `status` is that of its job, `text` the statement, where it was read back from the log, `subject` what it speaks of
    and None where the text is not known. `remarks` is what the client has to say beside the reply's notices.
    """

    sent: Sent
    reply: Answer | None
    status: str = ""
    failure: str = ""
    timed_out: bool = False
    text: str = ""
    subject: Subject | None = None
    remarks: tuple[str, ...] = ()

    @property
    def done(self) -> bool:
        """Accepted or unchanged, and its effect has come."""
        return self.reply is not None and self.reply.verdict != REFUSED and not self.failure and not self.timed_out

    @property
    def notices(self) -> tuple[str, ...]:
        """What people should know of it: said by the decider, then by the client."""
        return (*(self.reply.notices if self.reply else ()), *self.remarks)

    def row(self) -> dict[str, Any]:
        """As `jobplane sql -o json` prints it."""
        reply = self.reply
        about = {
            "kind": self.subject.kind if self.subject else None,
            "name": self.subject.name if self.subject else None,
        }
        if reply is None:
            return {"command_id": self.sent.command_id, "offset": self.sent.offset, "verdict": None} | about
        row = outcome_row(reply, self.status) | {"notices": list(self.notices)} | about
        return (
            row | ({"failure": self.failure} if self.failure else {}) | ({"timed_out": True} if self.timed_out else {})
        )
