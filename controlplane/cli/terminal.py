"""What the commands of the command line share: flags, settings, output, and how errors are told."""

import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from jobplane.schemas.blame import ExitCode
from jobplane.schemas.shown import to_one_line, to_printable

if TYPE_CHECKING:
    from jobplane.controlplane.settings import Settings
    from jobplane.schemas.errors import InternalError

FAILED, NOT_FOUND, REFUSED = ExitCode.FAILED, ExitCode.NOT_FOUND, ExitCode.REFUSED
UNREACHABLE, TIMED_OUT, INTERRUPTED = ExitCode.UNREACHABLE, ExitCode.TIMED_OUT, ExitCode.INTERRUPTED
TRACEBACK = "JOBPLANE_TRACEBACK"
"""Set in the environment, it shows where a fault of jobplane was met."""


_EXAMPLE = 73
"""Characters of a line of an example: 80 without those around it, and `\\` at its end."""


def connection_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The flags every command that talks to Kafka has."""
    command = click.option("--prefix", metavar="TEXT", help="Prefix of the control topics.  [default: jobplane.]")(
        command
    )
    return click.option("--bootstrap", metavar="HOST:PORT", help="Kafka's address.  [default: 127.0.0.1:9092]")(command)


def issuer_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The flag of commands that send statements; it is a setting."""
    text = "Who or what sends the statement; stored with its outcome.  [default: user@host]"
    return click.option("--issued-by", metavar="TEXT", help=text)(command)


def examples(*lines: str) -> str:
    """The end of a command's help: what people may type, a long line in two. Given to click as `epilog`."""
    shown = [part for line in lines for part in _split_example(line)]
    return "\b\nExamples:\n" + "\n".join(f"  {part}" for part in shown)  # click does not wrap what follows \b


def _split_example(line: str) -> list[str]:
    """A command that is too long for a line of help goes on in the next, as a shell takes it: after a `\\`."""
    words = shlex.shlex(line)  # without posix=True it leaves quotes where they are
    words.whitespace_split, words.commenters = True, ""
    parts = [""]
    for word in words:
        if parts[-1] and len(parts[-1]) + len(word) > _EXAMPLE:
            parts[-1] += "\\"
            parts.append("  ")
        parts[-1] += f"{word} "
    return [part.rstrip() for part in parts]


def settings_of(flags: dict[str, Any]) -> "Settings":
    from jobplane.controlplane.settings import Settings

    return Settings.load(flags, os.environ, Path.cwd())


def outcome_command(command: str | int, flags: dict[str, Any]) -> str:
    """What goes on waiting for a command, with the flags that this one was given."""
    return command_with(["outcome", str(command)], flags)


def command_with(words: list[str], flags: dict[str, Any]) -> str:
    """A command of jobplane, with the flags of the connection that this one was given."""
    given = [word for name in ("bootstrap", "prefix") if (value := flags.get(name)) for word in (f"--{name}", value)]
    return shlex.join(["jobplane", *words, *given])


def json_line(row: dict[str, Any]) -> None:
    import msgspec

    click.echo(msgspec.json.encode(row).decode())


def fail(message: str, code: int) -> NoReturn:
    warn(message)
    sys.exit(code)


def warn(message: str) -> None:
    """A message on standard error; what a terminal would obey is shown as `\\x1b`."""
    click.echo(to_printable(message), err=True)


class internal_errors:  # noqa: N801  used like a function
    """The guard of what the client plans, tries and reads by itself: an error that nobody foresaw is an InternalError.

    The traceback is printed where the environment says JOBPLANE_TRACEBACK=1.
    """

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, Exception) and not _is_foreseen(error):
            raise _internal_error(error) from error


def _is_foreseen(error: Exception) -> bool:
    from jobplane.processors.kafka.cluster import Doubt, KafkaException
    from jobplane.schemas.errors import JobplaneError

    ways_out = (click.ClickException, click.exceptions.Exit, click.Abort)
    return isinstance(error, (JobplaneError, Doubt, KafkaException, OSError, *ways_out))


def _internal_error(error: Exception) -> "InternalError":
    from jobplane.processors.guard import fault_of, told
    from jobplane.schemas.errors import InternalError

    if os.environ.get(TRACEBACK):
        click.echo(told(error), err=True)
    return InternalError(
        f"the command met a fault of jobplane ({fault_of(error)}); set {TRACEBACK}=1 to see where, and report it"
    )


class progress:  # noqa: N801  used like a function
    """A status line on a terminal's stderr while something is awaited, which begins with `first`; silent elsewhere."""

    def __init__(self, first: str = "waiting for the outcome") -> None:
        self._first = first

    def __enter__(self) -> Callable[[str], None]:
        self._status: Any = None
        if sys.stderr.isatty():
            from rich.console import Console

            self._status = Console(stderr=True).status(self._first)
            self._status.start()
        return lambda text: self._status.update(text or "waiting") if self._status else None

    def __exit__(self, *_: object) -> None:
        if self._status:
            self._status.stop()


class errors:  # noqa: N801  used like a function
    """Turns what cannot be helped here into a message and an exit code: the last guard of the command line."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if not isinstance(error, Exception) or isinstance(error, click.ClickException | BrokenPipeError):
            return
        from jobplane.processors.kafka.cluster import Doubt, KafkaException, judged
        from jobplane.schemas.errors import JobplaneError
        from jobplane.schemas.setup_errors import BadSetting, KafkaSilent

        if isinstance(error, KafkaException):
            error = judged(error)
        if not _is_foreseen(error):
            error = _internal_error(error)
        if isinstance(error, BadSetting):
            raise click.UsageError(to_one_line(error.message))
        if isinstance(error, JobplaneError):
            fail(f"error ({error.code}): {to_one_line(error.message)}", error.exit_code)
        if isinstance(error, Doubt):
            fail(f"error ({KafkaSilent.code}): {to_one_line(error)}", KafkaSilent.exit_code)
        if isinstance(error, OSError):
            fail_with_os_error(error)


def fail_with_os_error(error: OSError, further: str = "") -> NoReturn:
    """Ends with what a file, a port or a full disk does not do. `further` follows it."""
    with suppress(OSError, ValueError):  # standard output holds what it could not write, and tries again at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    fail(f"error: {_os_error_text(error)}{further}", FAILED)


@contextmanager
def ignore_closed_output() -> Iterator[None]:
    """A reader of standard output that has gone away does not keep the statements after from being run."""
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class exit_with_reader:  # noqa: N801  used like a function
    """Ctrl-C and a reader that has gone away are how a listing ends, not errors."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, KeyboardInterrupt | BrokenPipeError):
            if isinstance(error, BrokenPipeError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)


def _os_error_text(error: OSError) -> str:
    """What a file or port does not do, without Python's number for it."""
    if not error.strerror:
        return str(error)
    named = f"'{error.filename}': " if error.filename else ""
    return f"{named}{error.strerror[:1].lower()}{error.strerror[1:]}"
