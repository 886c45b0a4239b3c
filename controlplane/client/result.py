"""A command that a client has sent, with its offset on the log, and its result."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jobplane.controlplane.core.subject import Subject
from jobplane.schemas.records.state import REFUSED, Answer

Alive = Callable[[], None]
"""Called repeatedly while the client waits; an exception from it ends the wait."""
Watch = Callable[[str], None]
"""Called with a text that says how far a statement has come."""
NOWHERE = -1
"""The offset of a command that was not found."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A command on the log, and its offset there."""

    command_id: str
    offset: int


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one statement. `reply` is None if there is no outcome; `failure` says why the effect failed.

    `status` is the status of its job. `text` is the statement if it was read from the log. `subject` is the object of
    the statement; None if the text is not known. `remarks` are notices of the client.
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
        """Whether the statement was accepted or unchanged, and its effect is complete."""
        return self.reply is not None and self.reply.verdict != REFUSED and not self.failure and not self.timed_out

    @property
    def notices(self) -> tuple[str, ...]:
        """The notices of the decider, then those of the client."""
        return (*(self.reply.notices if self.reply else ()), *self.remarks)

    def row(self) -> dict[str, Any]:
        """The object that `jobplane sql -o json` prints."""
        from jobplane.controlplane.core.outcome import outcome_row  # with all events, which SHOW does not need

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
