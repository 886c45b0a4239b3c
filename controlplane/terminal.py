"""What the commands of the command line share: flags, settings, output, and how errors are told."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from controlplane.settings import Settings

FAILED, NOT_FOUND, REFUSED, UNREACHABLE, TIMED_OUT = 1, 3, 4, 5, 124


def connection(command: Callable[..., Any]) -> Callable[..., Any]:
    """The flags every command that talks to Kafka has."""
    command = click.option("--prefix", metavar="TEXT", help="Prefix of the control topics.")(command)
    return click.option("--bootstrap", metavar="HOST:PORT", help="Kafka's address.")(command)


def settings_of(flags: dict[str, Any]) -> "Settings":
    from controlplane.settings import Settings

    return Settings.load(flags, os.environ, Path.cwd())


def json_line(row: dict[str, Any]) -> None:
    import msgspec

    click.echo(msgspec.json.encode(row).decode())


def fail(message: str, code: int) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(code)


class errors:  # noqa: N801  used like a function
    """Turns what cannot be helped here into a message and an exit code."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is None or isinstance(error, SystemExit | click.ClickException | KeyboardInterrupt):
            return
        from schemas.errors import BadSetting, JobplaneError, KafkaSilent, KafkaUnreachable

        if isinstance(error, BadSetting):
            raise click.UsageError(error.message)
        if isinstance(error, KafkaUnreachable):
            fail(f"error ({error.code}): {error.message}", UNREACHABLE)
        if isinstance(error, JobplaneError):
            fail(f"error ({error.code}): {error.message}", FAILED)
        from processors.kafka import Doubt

        if isinstance(error, Doubt):
            fail(f"error ({KafkaSilent.code}): {error}", UNREACHABLE)
