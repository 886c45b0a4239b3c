"""The command line. Data on stdout, all else on stderr.

Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 refused, 5 Kafka out of reach, 124 timed out waiting.
Imports of Kafka wait until a command needs them: `--help` answers at once.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from controlplane import cli_dead_letters, cli_infer, cli_log, cli_produce, cli_records, cli_topic, cli_topics
from controlplane.display import Display
from controlplane.terminal import FAILED, NOT_FOUND, REFUSED, TIMED_OUT, UNREACHABLE
from controlplane.terminal import connection as _connection
from controlplane.terminal import errors as _errors
from controlplane.terminal import fail as _fail
from controlplane.terminal import json_line as _json
from controlplane.terminal import planning as _planning
from controlplane.terminal import refusal_exit as _refusal_exit
from controlplane.terminal import settings_of as _settings

if TYPE_CHECKING:
    from controlplane.client import Client, Result
    from controlplane.views import Listing
    from schemas.errors import Refused

__all__ = ["FAILED", "NOT_FOUND", "REFUSED", "TIMED_OUT", "UNREACHABLE", "main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="jobplane", prog_name="jobplane")
def main() -> None:
    """SQL job control on Apache Kafka: commands in, exactly-once jobs out.

    Settings: flag, else JOBPLANE_* environment, else jobplane.toml, else default.
    """


@main.command()
@click.option(
    "-e", "--execute", "texts", multiple=True, metavar="SQL", help="A statement, or several with ';' between."
)
@click.option(
    "-f", "--file", "files", multiple=True, type=click.Path(exists=True, dir_okay=False), help="A file of statements."
)
@click.option("--dry-run", is_flag=True, help="Try CREATE JOB and INSERT on records that are there; write nothing.")
@click.option(
    "--last", type=click.IntRange(1), metavar="N", help="Records of a dry run or EXPLAIN ANALYZE.  [default: 1000]"
)
@click.option("--no-wait", is_flag=True, help="Append and go on; the outcome is not awaited.")
@click.option("--command-id", default="", metavar="ID", help="Your own id for the statement, where it is only one.")
@click.option(
    "--timeout", type=click.FloatRange(0.1), default=60.0, show_default=True, help="Seconds to wait, each statement."
)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--all", "ended", is_flag=True, help="SHOW JOBS on a terminal: jobs that have ended too.")
@click.option("--no-pager", is_flag=True, help="Print at once what is longer than the screen.")
@_connection
def sql(
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

    CREATE waits until the job is RUNNING, SUSPEND until SUSPENDED, DROP until CANCELLED, a snapshot until it is closed.
    Without -e and -f, statements are read from standard input. The first failure ends the run.

    A dry run shows what a query would write of the newest records, and refuse; mappings take effect for it alone.
    """
    from controlplane.client import Client
    from controlplane.sample import LAST

    sources = [("-e", text) for text in texts] + [(name, Path(name).read_text()) for name in files]
    if not sources:
        if sys.stdin.isatty():
            raise click.UsageError("give a statement with -e, a file with -f, or statements on standard input")
        sources = [("<stdin>", sys.stdin.read())]
    with _errors():
        client = Client(_settings(flags))
        if command_id and sum(len(_split(*source, output)) for source in sources) != 1:
            raise click.UsageError("--command-id is the id of one statement, and there is not exactly one")
        attempt = client.dry_run() if dry_run else None
        display = Display(output, ended, not no_pager)
        for name, text in sources:
            for line, statement in _split(name, text, output):
                where = f"{name}:{line}"
                if attempt is not None:
                    _answer(lambda text: attempt.run(text, last or LAST), where, statement, display)
                else:
                    _run(client, where, statement, last or LAST, command_id, no_wait, timeout, display)


@main.command()
@click.argument("statement", required=False)
@click.option("--command-id", default="", metavar="ID", help="Your own id: a repeat gets the first outcome again.")
@click.option("--issued-by", default="", metavar="TEXT", help="Who or what sends it; it is kept with the outcome.")
@click.option("--reply-to", default="", metavar="TOPIC", help="A topic that the outcome is copied to.")
@_connection
def emit(statement: str | None, command_id: str, issued_by: str, reply_to: str, **flags: Any) -> None:
    """Append one statement to the command log, print its command id, and do not wait.

    Without an argument the statement is read from standard input. It is not looked at here: the decider judges it.
    """
    from controlplane.client import Client

    with _errors():
        text = statement if statement is not None else sys.stdin.read()
        sent = Client(_settings(flags)).emit(text, command_id, issued_by=issued_by, reply_to=reply_to)
        click.echo(sent.command_id)


@main.command()
@click.argument("command")
@click.option("--timeout", type=click.FloatRange(0.1), default=60.0, show_default=True, help="Seconds to wait.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@_connection
def outcome(command: str, timeout: float, output: str, **flags: Any) -> None:
    """Tell what became of a command that anyone has sent, and wait for its effect.

    COMMAND is its offset on the command log (12 or c-12), else its id.
    """
    from controlplane.client import Client
    from schemas.errors import CommandNotFound

    offset = command.removeprefix("c-")
    with _errors(), Client(_settings(flags)) as client, _progress() as say:
        try:
            result = client.wait(int(offset) if offset.isdecimal() else command, timeout, say)
        except CommandNotFound as unknown:
            _fail(f"error ({unknown.code}): {unknown.message}", NOT_FOUND)
    _tell(result, f"command {command}", result.text, timeout, output)


@main.command()
@click.option("--web-host", metavar="ADDRESS", help="Address of the web server.  [default: 127.0.0.1]")
@click.option(
    "--web-port", type=int, metavar="PORT", help="Port of the web server, 0 picks a free one.  [default: 6066]"
)
@click.option("--hosts", type=int, metavar="N", help="Task hosts; 0 is one a core.  [default: 0]")
@click.option(
    "--loglevel", type=click.Choice(["debug", "info", "warning", "error"]), default="warning", show_default=True
)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing of the start; warnings are still said.")
@_connection
def worker(loglevel: str, quiet: bool, **flags: Any) -> None:
    """Run one worker until SIGINT or SIGTERM.

    It says on standard error what it does until it is ready.
    """
    with _errors():
        settings = _settings(flags)
        from controlplane.worker import run

        run(settings, loglevel, quiet=quiet)


@main.command()
@click.option("--port", type=int, default=9092, show_default=True, help="Kafka's port; 0 picks a free one.")
@click.option(
    "--data", metavar="FOLDER", help="Where the broker and the workers keep their data.  [default: .jobplane]"
)
@click.option("--workers", type=click.IntRange(1, 16), default=1, show_default=True)
@click.option("--web-port", type=int, metavar="PORT", help="Port of the first worker's web server.  [default: 6066]")
@click.option("--hosts", type=int, metavar="N", help="Task hosts a worker; 0 is one a core.  [default: 0]")
@click.option("--prefix", metavar="TEXT", help="Prefix of the control topics.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but the line `ready`, and what is wrong.")
def dev(port: int, workers: int, quiet: bool, **flags: Any) -> None:
    """Run a real single-node Kafka and workers, in the foreground.

    Prints one line on standard output, `ready <bootstrap> <web address>`, when commands are served; the steps before,
    and what to try next, go to standard error. Ctrl-C stops everything; jobs go on at the next start.
    """
    with _errors():
        settings = _settings(flags)
        from controlplane.embedded.dev import run

        run(settings, port, workers, (lambda text: None) if quiet else _say)


def _say(text: str) -> None:
    click.echo(text, err=True)


def _split(name: str, text: str, output: str) -> list[tuple[int, str]]:
    from schemas.errors import Refused
    from sql.parser import split

    try:
        with _planning():
            return split(text)
    except Refused as refused:
        _refuse(name, text, refused, output)


def _run(
    client: "Client", where: str, text: str, last: int, command_id: str, no_wait: bool, timeout: float, display: Display
) -> None:
    output = display.output
    from schemas.errors import Refused
    from sql import nodes
    from sql.parser import parse

    try:
        with _planning():
            statement = parse(text)
    except Refused as refused:
        _refuse(where, text, refused, output)
    if isinstance(statement, nodes.Read):
        read = statement
        _answer(lambda _: client.read(read, last=last), where, text, display)
    elif no_wait:
        sent = client.emit(text, command_id)
        _print(output, {"command_id": sent.command_id, "offset": sent.offset, "verdict": None}, sent.command_id)
    else:
        with _progress() as say:
            result = client.execute(text, statement, timeout, say, command_id=command_id)
        _tell(result, where, text, timeout, output)


def _answer(ask: Callable[[str], "Listing"], where: str, text: str, display: Display) -> None:
    """Print what a statement that writes nothing gives; exits where it is refused."""
    from schemas.errors import Refused

    try:
        with _planning():
            listing = ask(text)
    except Refused as refused:
        _refuse(where, text, refused, display.output)
    display.show(listing)


def _tell(result: "Result", where: str, text: str, timeout: float, output: str) -> None:
    """Print the result of a statement; exits where it is not done."""
    from schemas.errors import Place
    from sql.diagnostics import caret

    row, reply = result.row(), result.reply
    if output == "json":
        _json(row)
    if reply is None:
        there = f"the command is on the log at offset {result.sent.offset} and"
        if result.sent.offset < 0:
            there = "no command with this id was judged so far; one that is on the log"
        _fail(
            f"{where}: no outcome within {timeout:g} s; {there} "
            "will be judged as soon as a worker runs with this prefix",
            TIMED_OUT,
        )
    if reply.verdict == "refused":
        place = Place(max(1, reply.line), max(1, reply.column))
        shown = caret(text, place, reply.message) if text else f"{place} {reply.message}"
        _fail(f"{where}: refused ({reply.code})\n{shown}", _refusal_exit(reply.code))
    for notice in reply.notices:
        click.echo(f"notice: {notice}", err=True)
    if result.timed_out:
        _fail(f"{where}: accepted, but not done within {timeout:g} s; job '{reply.name}' is {result.status}", TIMED_OUT)
    if result.failure:
        _fail(f"{where}: accepted, but failed: {result.failure}; job '{reply.name}' is {result.status}", FAILED)
    if output == "text":
        job = f" {reply.name} {result.status}".rstrip() if reply.name else ""
        click.echo(f"{reply.verdict}{job}" + (f": {reply.message}" if reply.message else ""))


def _refuse(where: str, text: str, refused: "Refused", output: str) -> NoReturn:
    """A statement refused before it was sent."""
    from schemas.errors import InternalError
    from sql.diagnostics import caret

    place = refused.place
    if output == "json":
        _json(
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
            }
        )
    if isinstance(refused, InternalError):
        _fail(f"{where}: error ({refused.code}): {refused.message}", _refusal_exit(refused.code))
    _fail(
        f"{where}: refused ({refused.code})\n{caret(text, place, refused.message)}",
        _refusal_exit(refused.code),
    )


def _print(output: str, row: dict[str, Any], text: str) -> None:
    if output == "json":
        _json(row)
    else:
        click.echo(text)


class _progress:  # noqa: N801  used like a function
    """A status line on a terminal's stderr while a statement is awaited; silent elsewhere."""

    def __enter__(self) -> Callable[[str], None]:
        self._status: Any = None
        if sys.stderr.isatty():
            from rich.console import Console

            self._status = Console(stderr=True).status("waiting for the outcome")
            self._status.start()
        return lambda text: self._status.update(text or "waiting") if self._status else None

    def __exit__(self, *_: object) -> None:
        if self._status:
            self._status.stop()


for command in (*cli_log.COMMANDS, *cli_dead_letters.COMMANDS, cli_infer.infer, cli_topic.topic):
    main.add_command(command)

for command in (*cli_topics.COMMANDS, *cli_records.COMMANDS, cli_produce.produce):
    cli_topic.topic.add_command(command)

if __name__ == "__main__":
    main()
