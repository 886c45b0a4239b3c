"""Prints the results of statements, and exits with their codes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from jobplane.controlplane.cli.screen.show import Display
from jobplane.controlplane.cli.terminal import (
    FAILED,
    TIMED_OUT,
    fail,
    ignore_closed_output,
    json_line,
    outcome_command,
    warn,
)
from jobplane.schemas.shown import to_one_line

if TYPE_CHECKING:
    from jobplane.controlplane.client.result import Result, Sent
    from jobplane.schemas.errors import Refused


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How to run statements and print their results. `flags` are the connection flags as given."""

    last: int
    no_wait: bool
    command_id: str
    timeout: float
    display: Display
    flags: dict[str, Any]


def print_result(result: "Result", where: str, text: str, way: RunOptions) -> None:
    """Prints the result of a statement; exits if the statement failed."""
    from jobplane.controlplane.cli.next_steps import next_step
    from jobplane.controlplane.core.subject import outcome_line
    from jobplane.schemas.errors import Place, refusal_exit
    from jobplane.sql.syntax.refusals.diagnostics import caret

    sent, reply = result.sent, result.reply
    waiting = outcome_command(sent.offset if sent.offset >= 0 else sent.command_id, way.flags)
    if way.display.output == "json":
        with ignore_closed_output():
            json_line(result.row())
    if reply is None:
        there = f"the command is on the log at offset {sent.offset} and"
        if sent.offset < 0:
            there = "no command with this id has been judged yet; if it is on the log, it"
        fail(
            f"{where}: no outcome within {way.timeout:g} s; {there} will be judged as soon as a worker runs with this "
            f"prefix; to continue waiting: {waiting}",
            TIMED_OUT,
        )
    if reply.verdict == "refused":
        place = Place(max(1, reply.line), max(1, reply.column))
        shown = caret(text, place, reply.message) if text else f"{place} {to_one_line(reply.message)}"
        fail(f"{where}: refused ({reply.code})\n{shown}", refusal_exit(reply.code))
    for notice in result.notices:
        warn(f"{where}: notice: {to_one_line(notice)}")
    state = f"job '{to_one_line(reply.name)}' is {result.status}"
    if result.timed_out:
        fail(
            f"{where}: accepted, but not complete within {way.timeout:g} s; {state}; to continue waiting: {waiting}",
            TIMED_OUT,
        )
    if result.failure:
        step = next_step(result.failure, reply.name, result.status)
        line = f"{where}: accepted, but failed: {to_one_line(result.failure)}; {state}"
        fail(f"{line}\n{step}" if step else line, FAILED)
    if way.display.output == "text":
        with ignore_closed_output():
            click.echo(outcome_line(reply, result.subject, result.status))


def print_sent(sent: "Sent", output: str) -> None:
    """Prints what is known of a command that nobody waits for."""
    if output == "json":
        json_line({"command_id": sent.command_id, "offset": sent.offset, "verdict": None})
    else:
        click.echo(sent.command_id)


def print_refusal(where: str, text: str, refused: "Refused", output: str) -> int:
    """Prints why a statement was refused before it was sent; returns the exit code."""
    from jobplane.schemas.errors import InternalError
    from jobplane.sql.syntax.refusals.diagnostics import caret

    place = refused.place
    if output == "json":
        json_line(
            {
                "command_id": None,
                "offset": None,
                "verdict": "refused",
                "code": refused.code,
                "message": refused.message,
                "line": place.line,
                "column": place.column,
                "notices": [],
                "job": None,
                "kind": None,
                "name": None,
            }
        )
    if isinstance(refused, InternalError):
        warn(f"{where}: error ({refused.code}): {to_one_line(refused.message)}")
    else:
        warn(f"{where}: refused ({refused.code})\n{caret(text, place, refused.message)}")
    return refused.exit_code
