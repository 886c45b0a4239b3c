"""`jobplane sql`, `emit` and `outcome`: run statements from arguments, files and pipes, and print their outcomes."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, NoReturn

import click

from jobplane.controlplane.cli.flags import Seconds, WholeNumber, output_option
from jobplane.controlplane.cli.screen.outcomes import RunOptions, print_refusal, print_result, print_sent
from jobplane.controlplane.cli.screen.show import Display
from jobplane.controlplane.cli.statement_files import (
    StatementText,
    argument_or_stdin,
    read_sources,
    refuse_file_names,
    refuse_unquoted_words,
)
from jobplane.controlplane.cli.terminal import (
    INTERRUPTED,
    NOT_FOUND,
    connection_options,
    errors,
    examples,
    fail,
    fail_with_os_error,
    ignore_closed_output,
    internal_errors,
    issuer_option,
    outcome_command,
    progress,
    settings_of,
)
from jobplane.schemas.shown import to_one_line

if TYPE_CHECKING:
    from jobplane.controlplane.client.client import Client
    from jobplane.controlplane.client.result import Result, Sent
    from jobplane.controlplane.listings.rows import Listing
    from jobplane.sql.syntax.statements import Statement

_timeout = click.option(
    "--timeout", type=Seconds(), default=60.0, show_default=True, help="Seconds to wait for each statement."
)


LONGEST_OFFSET = 18
"""Digits. Offsets in Kafka have at most this many, so a longer number is a command id."""


@click.command(
    epilog=examples(
        'jobplane sql "SHOW JOBS"',
        'jobplane sql "CREATE JOB copy AS INSERT INTO copies SELECT * FROM orders" "DESCRIBE JOB copy"',
        "jobplane sql -f jobs.sql --dry-run",
        "jobplane infer orders | jobplane sql",
        'jobplane sql -o json -e "ALTER JOB copy SUSPEND"',
    )
)
@click.argument("arguments", metavar="[SQL]...", nargs=-1)
@click.option(
    "-e", "--execute", "texts", multiple=True, metavar="SQL", help="One statement, or several separated by ';'."
)
@click.option(
    "-f",
    "--file",
    "files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="A file of statements, in UTF-8; - is standard input.",
)
@click.option("--dry-run", is_flag=True, help="Try CREATE JOB and INSERT on existing records; write nothing.")
@click.option(
    "--last", type=WholeNumber(), metavar="N", help="Records that a dry run or EXPLAIN ANALYZE reads.  [default: 1000]"
)
@click.option("--no-wait", is_flag=True, help="Append the statements; do not wait for outcomes.")
@click.option(
    "--command-id", default="", metavar="ID", help="Your own id for the statement; only for a single statement."
)
@_timeout
@output_option
@click.option("--all", "ended", is_flag=True, help="SHOW JOBS on a terminal: also show jobs that have ended.")
@click.option("--no-pager", is_flag=True, help="Do not use a pager for output longer than the screen.")
@issuer_option
@connection_options
def sql(
    arguments: tuple[str, ...],
    texts: tuple[str, ...],
    files: tuple[str, ...],
    dry_run: bool,
    last: int | None,
    no_wait: bool,
    command_id: str,
    timeout: float,
    output: str,
    ended: bool,
    no_pager: bool,
    **flags: Any,
) -> None:
    """Run SQL statements and wait for their effect.

    CREATE waits until the job is RUNNING and has read the first records, SUSPEND until SUSPENDED, DROP until CANCELLED,
    a snapshot until it is complete, RESUME until the job has passed the cause of its stop. CREATE statements that
    follow each other are sent and awaited together. The first failure ends the run: no statement after it is carried
    out.

    Statements of -e come first, then those of arguments and files; without any, they are read from standard input.

    A dry run shows what a query would write for the newest records, and which records it would refuse. Mappings take
    effect in the dry run only. Statements that cannot be tried are left out and listed. The dry run continues after a
    refusal, and exits with the code of the first refusal.
    """
    from jobplane.controlplane.client.client import Client
    from jobplane.controlplane.query.newest_records import LAST

    with errors():
        refuse_file_names(arguments)
        refuse_unquoted_words(arguments)
        given = read_sources(texts, arguments, files)
        client = Client(settings_of(flags))
        statements = [one for source in given for one in _split(source, output)]
        if command_id and len(statements) != 1:
            raise click.UsageError(f"--command-id needs exactly one statement, but there are {len(statements)}")
        way = RunOptions(last or LAST, no_wait, command_id, timeout, Display(output, ended, not no_pager), flags)
        if dry_run:
            from jobplane.controlplane.cli.sql_dry_run import try_all

            sys.exit(try_all(client, statements, way.last, way.display))
        planned = [_parse(where, text, output, len(statements)) for where, text in statements]
        done = 0
        for group in _groups(planned, alone=no_wait or bool(command_id)):
            with _count_on_failure(done, len(planned), "sent" if no_wait else "done"), errors():
                if len(group) == 1:
                    _run(client, group[0], len(planned) - done - 1, way)
                else:
                    _run_together(client, group, done, len(planned), way)
            done += len(group)


@click.command(
    short_help="Append one statement, and do not wait.",
    epilog=examples(
        'jobplane emit "ALTER JOB copy SUSPEND"',
        'jobplane emit --command-id drop-copy --issued-by night-shift "DROP JOB IF EXISTS copy"',
        "jobplane emit < statement.sql",
    ),
)
@click.argument("statement", required=False)
@click.option("--command-id", default="", metavar="ID", help="Your own id: a repeat gets the first outcome again.")
@click.option("--reply-to", default="", metavar="TOPIC", help="A topic that the outcome is copied to.")
@issuer_option
@connection_options
def emit(statement: str | None, command_id: str, reply_to: str, **flags: Any) -> None:
    """Append one statement to the command log, print its command id, and do not wait.

    Without an argument the statement is read from standard input. The statement is not checked
    here: the decider judges it.
    """
    from jobplane.controlplane.client.client import Client

    with errors():
        source = argument_or_stdin(statement)
        if not source.text.strip():
            raise click.UsageError(f"{source.name}: there is no statement")
        sent = Client(settings_of(flags)).emit(source.text, command_id, reply_to=reply_to)
        try:
            click.echo(sent.command_id)
        except BrokenPipeError:
            raise
        except OSError as error:
            fail_with_os_error(error, f"; the statement was sent, its command id is {sent.command_id}")


@click.command(
    short_help="Show the outcome of a command, and wait for its effect.",
    epilog=examples("jobplane outcome 12", "jobplane outcome drop-copy --timeout 300", "jobplane outcome 12 -o json"),
)
@click.argument("command")
@_timeout
@output_option
@connection_options
def outcome(command: str, timeout: float, output: str, **flags: Any) -> None:
    """Show the outcome of a command, whoever sent it, and wait for its effect.

    COMMAND is the offset of the command on the command log (12 or c-12), or its id.
    """
    from jobplane.controlplane.client.client import Client
    from jobplane.schemas.errors import CommandNotFound

    number = command.removeprefix("c-")
    offset = int(number) if number.isdecimal() and len(number) <= LONGEST_OFFSET else None
    with errors(), Client(settings_of(flags)) as client:
        try:
            with progress() as say:
                result = client.wait(command if offset is None else offset, timeout, say)
        except CommandNotFound as unknown:
            fail(f"error ({unknown.code}): {to_one_line(unknown.message)}", NOT_FOUND)
        except KeyboardInterrupt:
            fail(f"command {command}: interrupted; to continue waiting: {outcome_command(command, flags)}", INTERRUPTED)
        print_result(
            result, f"command {command}", result.text, RunOptions(0, False, "", timeout, Display(output), flags)
        )


def _split(source: StatementText, output: str) -> list[tuple[str, str]]:
    """The statements of a source, each with its source and line."""
    from jobplane.schemas.errors import Refused
    from jobplane.sql.syntax.parser import split_statements

    try:
        with internal_errors():
            found = split_statements(source.text)
    except Refused as refused:
        sys.exit(print_refusal(source.name, source.text, refused, output))
    if not found:
        raise click.UsageError(f"{source.name}: there is no statement")
    return [(f"{source.name}:{line}", text) for line, text in found]


@dataclass(frozen=True, slots=True)
class ParsedStatement:
    """A parsed statement, with its source and line."""

    where: str
    text: str
    statement: "Statement"


def _parse(where: str, text: str, output: str, of: int) -> ParsedStatement:
    """Parses a statement; exits if the statement is refused."""
    from jobplane.schemas.errors import Refused
    from jobplane.sql.syntax.parser import parse

    try:
        with internal_errors():
            return ParsedStatement(where, text, parse(text))
    except Refused as refused:
        code = print_refusal(where, text, refused, output)
        if of > 1:
            click.echo(f"none of {of} statements was sent", err=True)
        sys.exit(code)


def _groups(planned: list[ParsedStatement], *, alone: bool) -> Iterator[list[ParsedStatement]]:
    """Statements that run together: CREATE JOB and CREATE MAPPING that follow each other. All others run `alone`."""
    from jobplane.sql.syntax.statements import CreatingStatement

    for joins, group in groupby(planned, lambda one: not alone and isinstance(one.statement, CreatingStatement)):
        if joins:
            yield list(group)
        else:
            yield from ([one] for one in group)


@contextmanager
def _count_on_failure(done: int, of: int, what: str) -> Iterator[None]:
    """Prints how many statements were done when a run fails; `_fail_interrupted` prints this for Ctrl-C."""
    try:
        yield
    except _CountedExit:
        raise
    except SystemExit as end:
        if of > 1 and end.code not in (None, 0, INTERRUPTED):
            click.echo(f"{done} of {of} statements {what}, {of - done - 1} not sent", err=True)
        raise


def _run(client: "Client", planned: ParsedStatement, left: int, way: RunOptions) -> None:
    """Runs one statement; exits if it fails. `left` statements follow it."""
    from jobplane.sql.syntax.statements import ReadingStatement

    where, text, statement = planned.where, planned.text, planned.statement
    if isinstance(statement, ReadingStatement):
        read = statement
        show_answer(lambda: client.read(read, last=way.last), where, text, way.display)
        return
    import uuid

    command_id = way.command_id or str(uuid.uuid4())
    if way.no_wait:
        print_sent(client.emit(text, command_id), way.display.output)
        return
    known: list[Sent] = []
    try:
        with progress() as say:
            result = client.execute(
                text, statement, way.timeout, say, command_id=command_id, sent=known.append, look=True
            )
    except KeyboardInterrupt:
        _fail_interrupted(where, known[0] if known else None, command_id, left, way)
    print_result(result, where, text, way)


def _run_together(client: "Client", group: list[ParsedStatement], done: int, of: int, way: RunOptions) -> None:
    """Runs the statements of a group, and prints their results; exits if one fails. `done` are done before."""
    sent: list[Sent] = []
    results: list[Result] = []
    failures: list[int] = []
    texts, parsed = [one.text for one in group], [one.statement for one in group]
    try:
        with errors():
            try:
                with progress() as say:
                    client.execute_all(
                        texts, parsed, way.timeout, say, sent=sent.append, done=results.append, look=True
                    )
            finally:
                failures = _print_results(group, results, way)
    except KeyboardInterrupt:
        at = max(0, len(sent) - 1)
        _fail_interrupted(group[at].where, sent[at] if sent else None, "", of - done - at - 1, way)
    except SystemExit as end:
        if not sent:
            raise
        said = f"{done + len(results) - len(failures)} of {of} statements done"
        click.echo(f"{said}; {len(sent) - len(results)} more were sent, and their outcome is not known", err=True)
        raise _CountedExit(end.code) from None
    if failures:
        successes = done + len(results) - len(failures)
        click.echo(f"{successes} of {of} statements done, {of - done - len(results)} not carried out", err=True)
        raise _CountedExit(failures[0])


class _CountedExit(SystemExit):
    """An exit after what was done has been counted."""


def _print_results(group: list[ParsedStatement], results: "list[Result]", way: RunOptions) -> list[int]:
    """Prints the results there are. Returns the exit codes of those that failed."""
    codes = []
    for one, result in zip(group, results, strict=False):
        try:
            print_result(result, one.where, one.text, way)
        except SystemExit as end:
            codes.append(int(end.code or 0))
    return codes


def show_answer(ask: Callable[[], "Listing"], where: str, text: str, display: Display) -> None:
    """Prints the answer to a statement that only reads; exits if the statement is refused."""
    from jobplane.schemas.errors import Refused

    try:
        with internal_errors():
            listing = ask()
    except Refused as refused:
        sys.exit(print_refusal(where, text, refused, display.output))
    with ignore_closed_output():
        display.show(listing)


def _fail_interrupted(where: str, sent: "Sent | None", command_id: str, left: int, way: RunOptions) -> NoReturn:
    """Exits after Ctrl-C; prints where the statement is and how to continue waiting."""
    if sent is None:
        there = "interrupted before Kafka acknowledged the statement, which may be on the log; to see its outcome"
    elif sent.offset < 0:
        there = "interrupted; the statement stays on the log; to continue waiting"
    else:
        there = f"interrupted; the statement stays on the log at offset {sent.offset}; to continue waiting"
    unsent = f"\n{left} statements after it were not sent" if left > 1 else "\nthe statement after it was not sent"
    known = sent.offset if sent is not None and sent.offset >= 0 else command_id
    fail(f"{where}: {there}: {outcome_command(known, way.flags)}{unsent if left else ''}", INTERRUPTED)


COMMANDS = (sql, emit, outcome)
