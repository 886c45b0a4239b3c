"""`jobplane events`, `replay`, `backup` and `restore`: read, verify, back up and restore the event log."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jobplane.controlplane.cli.flags import output_option
from jobplane.controlplane.cli.terminal import (
    FAILED,
    NOT_FOUND,
    connection_options,
    errors,
    examples,
    exit_with_reader,
    fail,
    json_line,
    say,
    settings_of,
)
from jobplane.schemas.shown import quantity, to_one_line

if TYPE_CHECKING:
    from jobplane.controlplane.log.events_topic import Entry
    from jobplane.processors.kafka.cluster import Kafka

SHOWN = 20
"""Differences that are printed; the others are counted."""


@click.command(
    short_help="Print what was decided and what happened.",
    epilog=examples(
        "jobplane events", "jobplane events --follow --job big", "jobplane events --from 2026-01-31T12:00:00Z -o json"
    ),
)
@click.option("-f", "--follow", is_flag=True, help="Continue with new events, until Ctrl-C.")
@click.option(
    "--from",
    "start",
    default="0",
    metavar="OFFSET|TIME",
    help="Begin at this offset or ISO-8601 instant (UTC if it names no zone).",
)
@click.option("--job", metavar="NAME", help="Only events of jobs with this name.")
@output_option
@connection_options
def events(follow: bool, start: str, job: str | None, output: str, **flags: Any) -> None:  # noqa: FBT001  click's way
    """Print what was decided and what happened, oldest first: committed events only.

    Without -f the command ends at the current end of the log.
    """
    with errors(), exit_with_reader():
        kafka, prefix = _kafka(flags)
        from jobplane.controlplane.log import events_topic

        bounds = events_topic.read_bounds(kafka, prefix)
        first = max(bounds.first, _start_offset(kafka, prefix, start))
        found = (
            events_topic.follow_entries(kafka, prefix, first)
            if follow
            else events_topic.read_entries(kafka, prefix, first, bounds.end)
        )
        line_of = _json_line if output == "json" else _text_line
        is_found = False
        for entry in found:
            if job is None or entry.job == job:
                is_found = True
                click.echo(line_of(entry))
        if job is not None and not is_found:
            fail(
                f"error (job-not-found): there is no event of job '{to_one_line(job)}' from offset {first} on",
                NOT_FOUND,
            )


@click.command(
    short_help="Verify the state: fold all events again.", epilog=examples("jobplane replay", "jobplane replay -o json")
)
@output_option
@connection_options
def replay(output: str, **flags: Any) -> None:
    """Fold all events again and compare the result with the topic `state`.

    Prints the number of events, the speed, and every difference. Exits with 0 if both are equal, else with 1. You can
    run this command while workers run.
    """
    with errors():
        kafka, prefix = _kafka(flags)
        import gc

        from jobplane.controlplane.log.verify import verify_log

        gc.disable()  # records have no reference cycles, and the collector would take a tenth of the time
        done = verify_log(kafka, prefix, _progress_line("events"))
        state, differences = done.state, done.differences
        counts = {name: len(getattr(state, name)) for name in ("jobs", "mappings", "snapshots", "answers")}
        if output == "json":
            shown = [
                {"key": one.key, "field": one.field, "events": one.folded, "state": one.held} for one in differences
            ]
            figures = {"events": done.events, "seq": done.seq, "seconds": done.seconds, "rate": done.rate}
            json_line({**figures, **counts, "differences": shown[:SHOWN], "differing": len(shown)})
        else:
            events = quantity(done.events, "event")
            click.echo(f"{events} to seq {done.seq:,} in {done.seconds:.1f} s, {done.rate:,.0f} a second")
            click.echo(", ".join(f"{name} {count:,}" for name, count in counts.items()))
            for one in differences[:SHOWN]:
                click.echo(str(one))
            click.echo(
                quantity(len(differences), "difference") if differences else "the events and the state are equal"
            )
        if differences:
            sys.exit(FAILED)


@click.command(short_help="Copy a control plane into a file.", epilog=examples("jobplane backup today.backup"))
@click.argument("file", type=click.Path(dir_okay=False, writable=True, path_type=Path))
@connection_options
def backup(file: Path, **flags: Any) -> None:
    """Copy all control topics of a prefix into FILE. Stop the workers first.

    FILE must not exist. If the copy fails, no file is left.
    """
    if file.exists():
        raise click.UsageError(f"{file} exists; choose another name, or remove it")
    with errors():
        kafka, prefix = _kafka(flags)
        from jobplane.controlplane.backup.save import back_up

        foot = back_up(kafka, prefix, file, say)
        records, size = quantity(sum(foot.records.values()), "record"), quantity(file.stat().st_size, "byte")
        click.echo(f"{records} in {file}, {size}, SHA-256 {foot.sha256}")


@click.command(
    short_help="Fill new control topics with a backup.",
    epilog=examples("jobplane restore jobplane.backup --prefix copy."),
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@connection_options
def restore(file: Path, **flags: Any) -> None:
    """Fill the control topics of a prefix with a backup. The topics must be new or empty. Start workers afterwards.

    Either the entire backup is restored or nothing. Jobs continue at their positions at the time of the backup: output
    that they have written since then, here or under another prefix, is written again.
    """
    with errors():
        kafka, _ = _kafka(flags)
        from jobplane.controlplane.backup.restore import restore

        done = restore(kafka, settings_of(flags), file, say)
        click.echo(
            f"{quantity(sum(done.foot.records.values()), 'record')} of '{done.head.prefix}' "
            f"as of {_format_time(done.head.time)}"
        )
        for job in done.elsewhere:
            click.echo(
                f"warning: a source topic of job '{to_one_line(job)}' does not exist here, "
                "or is another topic of that name",
                err=True,
            )


COMMANDS = (events, replay, backup, restore)


def _kafka(flags: dict[str, Any]) -> "tuple[Kafka, str]":
    """The cluster, once it answers, and the prefix."""
    settings = settings_of(flags)
    from jobplane.processors.kafka.cluster import Kafka

    kafka = Kafka(settings.bootstrap, settings.kafka)
    kafka.require()
    return kafka, settings.prefix


def _start_offset(kafka: "Kafka", prefix: str, start: str) -> int:
    """The offset that `start`, an offset or an instant, stands for. Raises BeyondTheEnd."""
    from jobplane.controlplane.log import events_topic

    if start.isdecimal():
        offset, end = int(start), events_topic.read_bounds(kafka, prefix).end
        if offset > end:
            from jobplane.schemas.setup_errors import BeyondTheEnd

            raise BeyondTheEnd(f"'{prefix}events' ends before offset {end}; offset {offset} does not exist yet")
        return offset
    return events_topic.offset_at(kafka, prefix, parse_instant(start))


def parse_instant(text: str) -> int:
    """Converts ISO-8601 to epoch milliseconds; without a zone the text is UTC."""
    from jobplane.schemas import options

    try:
        return options.parse_instant(text)
    except (ValueError, OverflowError):
        raise click.UsageError(f"'{text}' is neither an offset nor an instant like 2026-01-31T12:00:00Z") from None


def _format_time(time: int) -> str:
    from jobplane.schemas.shown import utc_text

    return f"{utc_text(time)}Z"


def _text_line(entry: "Entry") -> str:
    from jobplane.controlplane.log import history

    event = entry.event
    who = history.issuer(event) or history.command_id(event) or "-"
    what = type(event.body).__name__
    line = (
        f"{_format_time(entry.time)} {entry.offset} {event.seq} {entry.job or '-'} {what} {who} {history.detail(event)}"
    )
    return to_one_line(line.rstrip())


def _json_line(entry: "Entry") -> str:
    import msgspec

    event = entry.event
    place = {"offset": entry.offset, "time": entry.time, "job": entry.job, "seq": event.seq, "caused": event.time}
    what = {"event": type(event.body).__name__, "cause": event.cause, "body": event.body}
    return msgspec.json.encode(place | what).decode()


def _progress_line(what: str) -> Callable[[int, int], None]:
    """Prints progress on standard error if it is a terminal, else nothing."""
    if not sys.stderr.isatty():
        return lambda done, of: None
    return lambda done, of: click.echo(
        f"\r{what}: {done:,} of {of:,}{'' if done < of else chr(10)}", err=True, nl=False
    )
