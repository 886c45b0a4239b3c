"""`jobplane topic peek` and `tail`: show some records of a topic, or all new ones."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from jobplane.controlplane.cli.flags import WholeNumber, output_option
from jobplane.controlplane.cli.screen.show import Display
from jobplane.controlplane.cli.terminal import (
    connection_options,
    errors,
    examples,
    exit_with_reader,
    internal_errors,
    json_line,
    progress,
    warn,
)
from jobplane.controlplane.cli.topic import connect, refusals
from jobplane.schemas.shown import quantity, to_one_line

if TYPE_CHECKING:
    from jobplane.controlplane.browse.open_topic import OpenTopic
    from jobplane.controlplane.browse.peek import PeekResult
    from jobplane.controlplane.browse.record_query import RecordQuery
    from jobplane.controlplane.browse.topic_view import Condition
    from jobplane.processors.kafka.cluster import Kafka

FORMATS = ("avro", "bigint", "bytes", "csv", "double", "integer", "json", "json-flat", "real", "smallint", "varchar")
"""The formats of jobplane.schemas.formats, which --help does not load; a test compares the two."""


def record_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the flags that select records and say how to decode them."""
    for option in (
        click.option("--uncommitted", is_flag=True, help="Also show records of open and aborted transactions."),
        click.option("--key-format", type=click.Choice(FORMATS), metavar="FORMAT", help="Format of the keys."),
        click.option(
            "--format", "value_format", type=click.Choice(FORMATS), metavar="FORMAT", help="Format of the values."
        ),
        click.option("--as-mapping", metavar="MAPPING", default="", help="Show the columns of this mapping."),
        click.option(
            "--where", metavar="CONDITION", help="Only records for which this condition is true, as in WHERE."
        ),
        click.option(
            "--partition", "partitions", type=WholeNumber(0), multiple=True, metavar="P", help="Only this partition."
        ),
    ):
        command = option(command)
    return command


def _start_option(text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The flag `--from`; `text` is its help."""
    return click.option(
        "--from", "start", default="newest", show_default=True, metavar="newest|oldest|OFFSET|TIME", help=text
    )


@click.command(
    epilog=examples(
        "jobplane topic peek orders -n 5",
        "jobplane topic peek orders --where \"amount > 50 AND user = 'user-1'\"",
        "jobplane topic peek orders --from 2026-01-31T12:00:00Z",
        "jobplane topic peek orders --partition 2 --from 1500 -n 1 -o json",
    )
)
@click.argument("name")
@click.option("-n", "most", type=WholeNumber(), default=10, show_default=True, metavar="N", help="Records to show.")
@_start_option("newest: the last records; else the first from the oldest, an offset or an ISO-8601 instant on.")
@click.option(
    "--scan",
    type=WholeNumber(),
    default=1_000_000,
    show_default=True,
    metavar="N",
    help="How many records a search with --where reads.",
)
@record_options
@output_option
@connection_options
def peek(name: str, most: int, start: str, scan: int, output: str, **flags: Any) -> None:
    """Show some records of topic NAME, the newest last.

    Values are decoded with the topic's mapping or with --format. They are shown as text; values that are not text are
    shown as hexadecimal digits. Only committed records are shown.
    """
    query = _query(name, start, flags)
    with errors():
        kafka, prefix, opened, condition = _open_topic(flags, query)
        from jobplane.controlplane.browse.peek import search_topic

        with progress("reading") as say:
            found = search_topic(
                kafka,
                prefix,
                opened,
                condition,
                most,
                scan,
                lambda looked: say(f"{quantity(looked, 'record')} read"),
            )
        with exit_with_reader():
            _show(found, output)


@click.command(
    epilog=examples(
        "jobplane topic tail big_orders",
        'jobplane topic tail orders --where "amount > 50" -o json',
    )
)
@click.argument("name")
@_start_option("Where to begin: at the end, at the oldest record, at an offset or an ISO-8601 instant.")
@record_options
@output_option
@connection_options
def tail(name: str, start: str, output: str, **flags: Any) -> None:
    """Show the records of topic NAME as they arrive, until Ctrl-C."""
    query = _query(name, start, flags)
    with errors(), exit_with_reader():
        kafka, prefix, opened, condition = _open_topic(flags, query)
        from jobplane.controlplane.browse import peek
        from jobplane.controlplane.listings import tables
        from jobplane.controlplane.query.record_rows import listing

        for record in peek.tail(kafka, prefix, opened, condition):
            if output == "json":
                json_line(record.json())
            else:
                click.echo(tables.text(listing([record], drawn=sys.stdout.isatty())).split("\n")[1])


COMMANDS = (peek, tail)


def _query(name: str, start: str, flags: dict[str, Any]) -> "RecordQuery":
    """The query that the flags describe; removes these flags from `flags`."""
    from jobplane.controlplane.browse.record_query import RecordQuery, parse_start
    from jobplane.schemas.formats import KEY_FORMAT, VALUE_FORMAT

    formats = {KEY_FORMAT: flags.pop("key_format"), VALUE_FORMAT: flags.pop("value_format")}
    given = {option: text for option, text in formats.items() if text}
    mapping, where = flags.pop("as_mapping"), flags.pop("where")
    if where is not None and not where.strip():
        raise click.UsageError("--where needs a condition, such as 'amount > 50'")
    if mapping and given:
        raise click.UsageError("the mapping of --as-mapping sets the formats: leave out --format and --key-format")
    try:
        begin = parse_start(start)
    except (ValueError, OverflowError):
        message = f"--from must be newest, oldest, an offset or an instant like 2026-01-31T12:00:00Z, not '{start}'"
        raise click.UsageError(message) from None
    partitions, committed = tuple(set(flags.pop("partitions"))), not flags.pop("uncommitted")
    return RecordQuery(name, begin, partitions, where or "", mapping, given, committed)


def _open_topic(flags: dict[str, Any], query: "RecordQuery") -> "tuple[Kafka, str, OpenTopic, Condition | None]":
    """The cluster, the prefix, the topic and its condition. Exits if one of them is refused."""
    with refusals():
        kafka, settings = connect(flags)
        from jobplane.controlplane.browse.open_topic import open_topic
        from jobplane.controlplane.browse.peek import condition_of
        from jobplane.processors.registry.client import registry_of

        opened = open_topic(kafka, settings.prefix, query, registry_of(settings.registry))
        for notice in opened.notices:
            warn(f"notice: {to_one_line(notice)}")
    with internal_errors(), refusals(query.where):
        return kafka, settings.prefix, opened, condition_of(opened)


def _show(found: "PeekResult", output: str) -> None:
    if output == "json":
        for record in found.records:
            json_line(record.json())
    elif found.records:
        from jobplane.controlplane.query.record_rows import listing

        Display(output, pages=False).show(listing(found.records, drawn=sys.stdout.isatty()))
    for text in found.summary():
        warn(to_one_line(text))
