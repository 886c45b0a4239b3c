"""`jobplane topic list` and `describe`: the topics there are, and all about one."""

from typing import Any

import click

from controlplane.cli_topic import output_option, reached, refusing
from controlplane.display import Display
from controlplane.terminal import connection, errors, examples, json_line


@click.command(
    "list", epilog=examples("jobplane topic list", "jobplane topic list 'orders*'", "jobplane topic list --all -o json")
)
@click.argument("pattern", default="")
@click.option("--all", "control", is_flag=True, help="The topics of the control plane and of Kafka too.")
@output_option
@connection
def listed(pattern: str, control: bool, output: str, **flags: Any) -> None:  # noqa: FBT001  click's way
    """List topics, and the jobs that use them.

    PATTERN is one of a shell, such as 'orders*'. `offsets` counts those between the first and the end of all
    partitions: as many records are kept at most.
    """
    with errors(), refusing():
        kafka, settings = reached(flags)
        from controlplane.topic_listing import chosen, listing
        from controlplane.topic_questions import ranges_of, state_if_any

        partitions = kafka.topic_partitions()
        names = chosen(partitions, pattern, settings.prefix, control=control)
        found = listing(
            state_if_any(kafka, settings.prefix), ranges_of(kafka, {n: partitions[n] for n in names}), names
        )
        if output == "json":
            for row in found.rows:
                json_line(row)
        else:
            Display(output).show(found)


@click.command(epilog=examples("jobplane topic describe orders"))
@click.argument("name")
@output_option
@connection
def describe(name: str, output: str, **flags: Any) -> None:
    """Say all about topic NAME.

    That is its partitions and where they are, its settings, and the jobs that use it. `settings` are those that are the
    topic's own; for all others the brokers' hold.
    """
    with errors(), refusing():
        kafka, settings = reached(flags)
        from controlplane.topic_listing import description
        from controlplane.topic_questions import known_topic, ranges_of, state_if_any

        partitions = known_topic(kafka, name)
        state, ranges = state_if_any(kafka, settings.prefix), ranges_of(kafka, {name: partitions})
        found = description(state, name, ranges, kafka.replicas(name), kafka.changed_settings(name))
        Display(output).show(found)


COMMANDS = (listed, describe)
