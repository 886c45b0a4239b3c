"""`jobplane infer`: the CREATE MAPPING that a topic's records suggest."""

from typing import Any

import click

from jobplane.controlplane.cli.flags import WholeNumber
from jobplane.controlplane.cli.terminal import (
    FAILED,
    NOT_FOUND,
    connection_options,
    errors,
    examples,
    fail,
    settings_of,
)
from jobplane.schemas.shown import to_one_line


@click.command(
    short_help="Propose a CREATE MAPPING for a topic's records.",
    epilog=examples("jobplane infer orders", "jobplane infer orders --last 100 --name typed > mapping.sql"),
)
@click.argument("topic")
@click.option(
    "--last", type=WholeNumber(), default=1_000, show_default=True, help="How many of the newest records to read."
)
@click.option("--name", default="", metavar="NAME", help="The mapping's name.  [default: the topic's]")
@connection_options
def infer(topic: str, last: int, name: str, **flags: Any) -> None:
    """Print a CREATE MAPPING with the columns and types of the newest records in a topic.

    The statement is a proposal, with comments on the records. This command creates nothing; to create the mapping, run
    `jobplane infer TOPIC | jobplane sql`.
    """
    with errors():
        settings = settings_of(flags)
        from jobplane.controlplane.core.facts import unknown_topic_error
        from jobplane.controlplane.query.newest_records import read_newest
        from jobplane.processors.kafka.cluster import Kafka
        from jobplane.schemas.errors import STATEMENT_START
        from jobplane.sql.infer.mapping import SampledRecord, infer_mapping, mapping_statement

        kafka = Kafka(settings.bootstrap, settings.kafka)
        kafka.require()
        described = kafka.topics([topic])
        if topic not in described:
            unknown = unknown_topic_error(topic, kafka.topic_names(), STATEMENT_START)
            fail(f"error ({unknown.code}): {to_one_line(unknown.message)}", NOT_FOUND)
        partitions = [(topic, p) for p in range(described[topic][1])]
        messages = read_newest(kafka, f"{settings.prefix}infer", partitions, last)
        if all(message.value() is None for message in messages):
            what = "no records" if not messages else "only records without a value"
            fail(f"topic '{topic}' has {what}, so its columns cannot be inferred", FAILED)
        found = infer_mapping(
            [
                SampledRecord(one.key(), one.value(), one.partition() or 0, stamp if kind else None)
                for one in messages
                for kind, stamp in (one.timestamp(),)
            ]
        )
        click.echo(mapping_statement(found, topic, name), nl=False)


COMMANDS = (infer,)
