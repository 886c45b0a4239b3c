"""`jobplane deadletters list`, `show` and `retry`: records that a job could not read, evaluate or write."""

import re
from typing import TYPE_CHECKING, Any

import click

from jobplane.controlplane.cli.command_group import CommandGroup
from jobplane.controlplane.cli.flags import Seconds, WholeNumber, output_option
from jobplane.controlplane.cli.screen.show import Display
from jobplane.controlplane.cli.terminal import (
    FAILED,
    INTERRUPTED,
    TIMED_OUT,
    command_with,
    connection_options,
    errors,
    examples,
    fail,
    issuer_option,
    json_line,
    settings_of,
    warn,
)
from jobplane.schemas.shown import to_one_line

if TYPE_CHECKING:
    from jobplane.controlplane.client.client import Client
    from jobplane.schemas.records.state import Job

_PLACE = re.compile(r"\d{1,10}@\d{1,19}", re.ASCII)


@click.group(cls=CommandGroup, epilog=examples("jobplane deadletters list big", "jobplane deadletters retry big"))
def deadletters() -> None:
    """List, show and retry the dead letters of a job.

    A dead letter is a record that a job with onError 'deadLetter' could not process.
    """


@deadletters.command(
    "list",
    short_help="List the dead letters of a job.",
    epilog=examples("jobplane deadletters list big", "jobplane deadletters list big --limit 10 -o json"),
)
@click.argument("job")
@click.option(
    "--limit", type=WholeNumber(), default=100, show_default=True, help="How many of the newest dead letters to show."
)
@output_option
@connection_options
def list_dead_letters(job: str, limit: int, output: str, **flags: Any) -> None:
    """Print the position of each dead letter of JOB, its source record, and the error."""
    from jobplane.controlplane.listings.rows import Listing
    from jobplane.controlplane.query import dead_letters

    with errors():
        found = sorted(_client(flags).dead_letters(job), key=lambda one: one.time)
        rows = [one.row() for one in found[-limit:]]
        if output == "json":
            json_line({"rows": rows, "total": len(found)})
        else:
            summary = "" if found else f"job '{job}' has no dead letters"
            if len(found) > limit:
                summary = f"the newest {limit:,} of {len(found):,}; --limit shows more"
            Display(output).show(Listing(dead_letters.COLUMNS, rows, summary=summary))


@deadletters.command(short_help="Print one dead letter in full.", epilog=examples("jobplane deadletters show big 3@17"))
@click.argument("job")
@click.argument("letter", metavar="PARTITION@OFFSET")
@output_option
@connection_options
def show(job: str, letter: str, output: str, **flags: Any) -> None:
    """Print one dead letter of JOB in full: the error, the key, the headers and the value."""
    from jobplane.controlplane.query.dead_letters import full_row, lines_of
    from jobplane.schemas.errors import DeadLetterNotFound

    if not _PLACE.fullmatch(letter):
        raise click.UsageError(f"'{letter}' is not a dead letter; write its partition and offset, such as 3@17")
    with errors():
        one = next((one for one in _client(flags).dead_letters(job) if one.letter == letter), None)
        if one is None:
            known = _listing_command(job, flags)
            raise DeadLetterNotFound(f"job '{job}' has no dead letter {letter}; `{known}` lists its dead letters")
        if output == "json":
            json_line(full_row(one))
        else:
            click.echo("\n".join(lines_of(one)))


@deadletters.command(
    short_help="Send the dead letters of a job through its query again.",
    epilog=examples("jobplane deadletters retry big", "jobplane deadletters retry big --timeout 3600"),
)
@click.argument("job")
@click.option("--timeout", type=Seconds(), default=600.0, show_default=True, help="Seconds to wait.")
@output_option
@issuer_option
@connection_options
def retry(job: str, timeout: float, output: str, **flags: Any) -> None:
    """Send the dead letters of JOB through its query again, exactly once.

    The retry runs as the job JOB.retry. It begins where the last retry ended, and reads to the current end of the dead
    letters. A record that fails again becomes a dead letter again. If a retry is already running, this command waits
    for that retry.
    """
    from jobplane.controlplane.listings.describe import find_job
    from jobplane.controlplane.query.dead_letters import running_retry
    from jobplane.schemas.names import quote_name
    from jobplane.schemas.shown import quantity
    from jobplane.sql.syntax import statements

    with errors():
        client = _client(flags)
        state = client.state()
        of = find_job(state, statements.Name(job))
        at_work = running_retry(state, of)
        if at_work is not None:
            warn(f"job '{to_one_line(at_work.name)}' is already running ({at_work.status}); waiting until it ends")
        uid = at_work.uid if at_work is not None else _start_retry(client, of, timeout)
        continues = f"job '{to_one_line(job)}.retry' continues; run the same command again to wait for it"
        try:
            retry = client.at_rest(uid, timeout)
        except KeyboardInterrupt:
            fail(f"interrupted; {continues}", INTERRUPTED)
        if retry is None:
            fail(f"error: the retry did not end within {timeout:g} s; {continues}", TIMED_OUT)
        if retry.status != "COMPLETED":
            cause = f": {to_one_line(retry.failure)}" if retry.failure else ""
            remedy = "" if retry.closed else f"; fix the cause, then ALTER JOB {quote_name(retry.name)} RESUME"
            fail(f"error: job '{to_one_line(retry.name)}' is {retry.status}{cause}{remedy}", FAILED)
        tried, again = client.retried(retry)
        if output == "json":
            json_line({"job": retry.name, "uid": uid, "retried": tried, "failed_again": again})
        else:
            letters = quantity(tried, "dead letter")
            click.echo(
                f"retried {letters} of {to_one_line(job)}: {tried - again:,} went through, {again:,} failed again"
            )
            if again:
                warn(f"to see to see why they failed: {_listing_command(job, flags)}")


def _listing_command(job: str, flags: dict[str, Any]) -> str:
    return command_with(["deadletters", "list", job], flags)


def _start_retry(client: "Client", job: "Job", timeout: float) -> str:
    """Starts a retry and returns its uid."""
    from jobplane.controlplane.query.dead_letters import retry_statement
    from jobplane.schemas.errors import refusal_exit

    reply = client.execute(retry_statement(job), timeout=timeout).reply
    if reply is None:
        fail(
            f"error: no outcome within {timeout:g} s; the retry starts as soon as a worker runs with this prefix",
            TIMED_OUT,
        )
    if reply.verdict == "refused":
        fail(f"refused ({reply.code}): {to_one_line(reply.message)}", refusal_exit(reply.code))
    return reply.uid


def _client(flags: dict[str, Any]) -> "Client":
    from jobplane.controlplane.client.client import Client

    return Client(settings_of(flags))


COMMANDS = (deadletters,)
