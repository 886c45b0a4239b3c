"""`jobplane topic produce`: writes lines of text to a topic as records."""

import os
import sys
from typing import Any, BinaryIO

import click

from jobplane.controlplane.cli.flags import WholeNumber, output_option
from jobplane.controlplane.cli.terminal import INTERRUPTED, connection_options, errors, examples, json_line
from jobplane.controlplane.cli.topic import connect, refusals, split_pair


@click.command(
    epilog=examples(
        """echo '{"id": 1, "amount": 60}' | jobplane topic produce orders""",
        "jobplane topic produce orders orders.jsonl --check",
        "echo 'user-1:{\"amount\": 60}' | jobplane topic produce orders --key-separator :",
    )
)
@click.argument("name")
@click.argument("file", type=click.File("rb"), default="-")
@click.option("--key-separator", metavar="TEXT", default="", help="The text between key and value in each line.")
@click.option("--key", metavar="TEXT", help="The key of all records.  [default: none]")
@click.option("--header", "headers", multiple=True, metavar="K=V", help="A header of all records.")
@click.option("--partition", type=WholeNumber(0), metavar="P", help="The partition.  [default: by the key]")
@click.option("--null-value", metavar="TEXT", help="A line with this value writes a tombstone: a record without value.")
@click.option("--check", is_flag=True, help="End at the first line whose value is not JSON.")
@output_option
@connection_options
def produce(
    name: str,
    file: BinaryIO,
    key_separator: str,
    key: str | None,
    headers: tuple[str, ...],
    partition: int | None,
    null_value: str | None,
    check: bool,  # noqa: FBT001  click's way
    output: str,
    **flags: Any,
) -> None:
    """Write lines to topic NAME, each as one record.

    The lines come from FILE, or from standard input. Values are written unchanged; empty lines are skipped.
    """
    if key is not None and key_separator:
        raise click.UsageError(
            "--key sets the key of all records, and --key-separator takes keys from the lines: use one of them"
        )
    pairs = [split_pair(one, "--header", "source=shop") for one in headers]
    with errors(), refusals():
        kafka, settings = connect(flags)
        from jobplane.controlplane.browse.record_lines import (
            Headers,
            LineFormat,
            RecordWriter,
            parse_lines,
            require_writable,
        )
        from jobplane.schemas.shown import quantity

        form = LineFormat(_bytes(key_separator) or b"", _bytes(key), _bytes(null_value), check)
        limit = require_writable(kafka, settings.prefix, name, partition)
        if file.isatty():
            click.echo("type one record per line; Ctrl-D ends the input", err=True)
        given: Headers = [(header, _bytes(value)) for header, value in pairs]
        writer, stopped = RecordWriter(kafka, name, limit), False
        try:
            for record in parse_lines(file, form):
                writer.send(record, partition, given)
        except KeyboardInterrupt:
            stopped = True
        finally:
            writer.close()
            if output == "json":
                json_line({"topic": name, "written": writer.written})
            else:
                click.echo(f"{quantity(writer.written, 'record')} written to {name}")
        if stopped:
            sys.exit(INTERRUPTED)


def _bytes(text: str | None) -> bytes | None:
    """The bytes that were typed, whether they are UTF-8 or not."""
    return None if text is None else os.fsencode(text)


COMMANDS = (produce,)
