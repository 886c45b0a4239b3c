"""Parses a command's text and its options into the request that the decider judges. Pure."""

from dataclasses import dataclass, field

from jobplane.schemas.errors import ReadStatement, Refused
from jobplane.schemas.options import JobOptions
from jobplane.schemas.wire.command_record import ReceivedCommand
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse
from jobplane.sql.syntax.render.statements import render


@dataclass(frozen=True, slots=True)
class Request:
    """A parsed command, or the error that refuses it. `text` is the canonical form of the statement.

    `options` are those of a CREATE JOB.
    """

    command: ReceivedCommand
    statement: statements.ChangingStatement | None = None
    text: str = ""
    options: JobOptions = field(default_factory=JobOptions)
    error: Refused | None = None


def parse_request(command: ReceivedCommand) -> Request:
    """Never raises: a text that is not a valid command becomes a request with its error."""
    try:
        if command.error is not None:
            raise command.error
        statement = parse(command.text)
        if isinstance(statement, statements.ReadingStatement):
            word = {statements.Describe: "DESCRIBE", statements.Explain: "EXPLAIN"}.get(type(statement), "SHOW")
            raise ReadStatement(f"{word} is answered from the topics, not by the command log; use `jobplane sql`")
        options = JobOptions()
        if isinstance(statement, statements.CreateJob):
            options = options_of(statement)
        return Request(command, statement, render(statement), options)
    except Refused as refused:
        return Request(command, error=refused)


def options_of(create: statements.CreateJob) -> JobOptions:
    """Raises UnknownOption, BadOptionValue or NotSupported with its place."""
    return JobOptions.read((o.name.text, o.value, o.name.place, o.value_place) for o in create.options)
