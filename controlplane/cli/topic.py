"""`jobplane topic`, its `create`, `list` and `describe`: create topics and look at them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from jobplane.controlplane.cli.command_group import CommandGroup
from jobplane.controlplane.cli.flags import WholeNumber, output_option
from jobplane.controlplane.cli.screen.show import Display
from jobplane.controlplane.cli.terminal import connection_options, errors, examples, fail, json_line, settings_of
from jobplane.schemas.errors import JobplaneError
from jobplane.schemas.shown import to_one_line

if TYPE_CHECKING:
    from jobplane.controlplane.settings import Settings
    from jobplane.processors.kafka.cluster import Kafka


@click.group(
    cls=CommandGroup,
    modules={"produce": ("produce",), "records": ("peek", "tail")},
    epilog=examples("jobplane topic create orders", "jobplane topic peek orders -n 5"),
)
def topic() -> None:
    """Create topics, read their records and write to them."""


@topic.command(
    epilog=examples(
        "jobplane topic create orders big_orders --partitions 4",
        "jobplane topic create customers --config cleanup.policy=compact --if-not-exists",
    )
)
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option(
    "--partitions", type=WholeNumber(), metavar="N", help="Partitions of each topic.  [default: the brokers' setting]"
)
@click.option(
    "--replication-factor",
    "replicas",
    type=WholeNumber(),
    metavar="N",
    help="Replicas.  [default: the brokers' setting]",
)
@click.option("--config", "configs", multiple=True, metavar="K=V", help="A setting of the topic, under Kafka's name.")
@click.option("--if-not-exists", is_flag=True, help="Leave an existing topic unchanged.")
@output_option
@connection_options
def create(
    names: tuple[str, ...],
    partitions: int | None,
    replicas: int | None,
    configs: tuple[str, ...],
    if_not_exists: bool,  # noqa: FBT001  click's way
    output: str,
    **flags: Any,
) -> None:
    """Create topics with these NAMEs.

    If one of the topics exists, none is created.
    """
    config = dict(split_pair(one, "--config", "retention.ms=60000") for one in configs)
    with errors(), refusals():
        kafka, settings = connect(flags)
        from jobplane.controlplane.browse.new_topics import BROKERS_DEFAULT, check_name, check_new, create_topic
        from jobplane.schemas.shown import quantity

        for name in names:
            check_name(name, settings.prefix)
        if not if_not_exists:
            check_new(names, kafka.topic_partitions())
        for i, name in enumerate(names):
            with _print_not_created(names[i:]):
                created = create_topic(
                    kafka,
                    name,
                    partitions or BROKERS_DEFAULT,
                    replicas or BROKERS_DEFAULT,
                    config,
                    if_not_exists=if_not_exists,
                )
            if output == "json":
                json_line({"topic": name, "partitions": created.partitions, "created": created.new})
            elif created.new:
                click.echo(f"created topic {name}, {quantity(created.partitions, 'partition')}")
            else:
                click.echo(f"unchanged: topic {name} exists, {quantity(created.partitions, 'partition')}")


@contextmanager
def _print_not_created(names: Sequence[str]) -> Iterator[None]:
    """Prints which topics were not created if one of several cannot be created."""
    try:
        yield
    except JobplaneError:
        if len(names) > 1:
            click.echo(f"not created: {', '.join(names)}", err=True)
        raise


@topic.command(
    "list", epilog=examples("jobplane topic list", "jobplane topic list 'orders*'", "jobplane topic list --all -o json")
)
@click.argument("pattern", default="")
@click.option("--all", "control", is_flag=True, help="Also list the topics of the control plane and of Kafka.")
@output_option
@connection_options
def list_topics(pattern: str, control: bool, output: str, **flags: Any) -> None:  # noqa: FBT001  click's way
    """List topics, and the jobs that use them.

    PATTERN is a shell pattern, such as 'orders*'. `offsets` is the number of offsets between the beginning and the end
    of all partitions: the topic has at most this many records.
    """
    with errors(), refusals():
        kafka, settings = connect(flags)
        from jobplane.controlplane.browse.topic_listing import listing, matching_names
        from jobplane.controlplane.browse.topic_lookup import offset_ranges, state_or_empty

        partitions = kafka.topic_partitions()
        names = matching_names(partitions, pattern, settings.prefix, control=control)
        found = listing(
            state_or_empty(kafka, settings.prefix), offset_ranges(kafka, {n: partitions[n] for n in names}), names
        )
        if output == "json":
            for row in found.rows:
                json_line(row)
        else:
            Display(output).show(found)


@topic.command(epilog=examples("jobplane topic describe orders"))
@click.argument("name")
@output_option
@connection_options
def describe(name: str, output: str, **flags: Any) -> None:
    """Show the details of topic NAME.

    The details are its partitions and their replicas, its settings, and the jobs that use it. `settings` lists the
    topic's own settings; all others are the brokers'.
    """
    with errors(), refusals():
        kafka, settings = connect(flags)
        from jobplane.controlplane.browse.topic_listing import description
        from jobplane.controlplane.browse.topic_lookup import offset_ranges, partition_count, state_or_empty

        partitions = partition_count(kafka, name)
        state, ranges = state_or_empty(kafka, settings.prefix), offset_ranges(kafka, {name: partitions})
        found = description(state, name, ranges, kafka.replicas(name), kafka.changed_settings(name))
        Display(output).show(found)


def connect(flags: dict[str, Any]) -> "tuple[Kafka, Settings]":
    """The cluster, once it answers, and the settings."""
    settings = settings_of(flags)
    from jobplane.processors.kafka.cluster import Kafka

    kafka = Kafka(settings.bootstrap, settings.kafka)
    kafka.require()
    return kafka, settings


def split_pair(text: str, option: str, example: str) -> tuple[str, str]:
    """Splits `k=v`. Raises click.UsageError."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise click.UsageError(f"{option} must be a name and a value, such as {example}, not '{text}'")
    return name, value


class refusals:  # noqa: N801  used like a function
    """Prints a refusal and exits with its code. Places in the refusal refer to the condition `where`."""

    def __init__(self, where: str = "") -> None:
        self._where = where

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        from jobplane.schemas.errors import Refused

        if not isinstance(error, Refused):
            return
        from jobplane.sql.syntax.refusals.diagnostics import caret

        if self._where:
            text = f"--where: refused ({error.code})\n{caret(self._where, error.place, error.message)}"
        else:
            text = f"error ({error.code}): {to_one_line(error.message)}"
        fail(text, error.exit_code)


COMMANDS = (topic,)
