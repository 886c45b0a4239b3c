"""The one answer of every command, read off its outcome event."""

from jobplane.schemas.records.events import CommandRefused, CommandRepeated, CommandUnchanged, Event, Outcome
from jobplane.schemas.records.state import Answer

ACCEPTED, UNCHANGED, REFUSED = "accepted", "unchanged", "refused"


def answer(event: Event, name: str) -> Answer | None:
    """The answer an event gives, None where it answers no command. `name` is that of the job it is about, or empty."""
    body, cause = event.body, event.cause
    if not isinstance(body, Outcome):
        return None
    verdict, code, message, line, column = ACCEPTED, "", "", 0, 0
    match body:
        case CommandRepeated(first=first):
            return first
        case CommandRefused():
            verdict, code, message, line, column = REFUSED, body.code, body.message, body.line, body.column
        case CommandUnchanged():
            verdict, message = UNCHANGED, body.message
        case _:
            pass
    return Answer(
        command_id=cause.command_id,
        digest=cause.digest,
        offset=cause.offset,
        seq=event.seq,
        verdict=verdict,
        code=code,
        message=message,
        line=line,
        column=column,
        notices=getattr(body, "notices", ()),
        uid=getattr(body, "uid", ""),
        name=name,
    )
