"""What all commands share: flags, settings, output and error messages."""

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
"""Environment variable; if it is set, an internal error prints its traceback."""


_EXAMPLE = 73
"""Characters per line of an example: 80, less the indent and the `\\` at the end."""


def connection_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the flags of every command that talks to Kafka."""
    command = click.option("--prefix", metavar="TEXT", help="Prefix of the control topics.  [default: jobplane.]")(
        command
    )
    return click.option("--bootstrap", metavar="HOST:PORT", help="Kafka's address.  [default: 127.0.0.1:9092]")(command)


def issuer_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the flag of commands that send statements; it is also a setting."""
    text = "Who or what sends the statement; stored with its outcome.  [default: user@host]"
    return click.option("--issued-by", metavar="TEXT", help=text)(command)


def examples(*lines: str) -> str:
    """The examples at the end of a command's help, long lines split. For click's `epilog`."""
    shown = [part for line in lines for part in _split_example(line)]
    return "\b\nExamples:\n" + "\n".join(f"  {part}" for part in shown)  # click does not wrap what follows \b


def _split_example(line: str) -> list[str]:
    """Splits a command that is too long for a line of help after a `\\`, as a shell accepts it."""
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
    """The shell command that continues waiting for a command, with the connection flags given."""
    return command_with(["outcome", str(command)], flags)


def command_with(words: list[str], flags: dict[str, Any]) -> str:
    """A shell command of jobplane, with the connection flags given."""
    given = [word for name in ("bootstrap", "prefix") if (value := flags.get(name)) for word in (f"--{name}", value)]
    return shlex.join(["jobplane", *words, *given])


def json_line(row: dict[str, Any]) -> None:
    import msgspec

    click.echo(msgspec.json.encode(row).decode())


def fail(message: str, code: int) -> NoReturn:
    warn(message)
    sys.exit(code)


def say(text: str) -> None:
    """Prints progress on standard error."""
    click.echo(text, err=True)


def warn(message: str) -> None:
    """Prints a message on standard error, with control characters shown as `\\x1b`."""
    click.echo(to_printable(message), err=True)


class internal_errors:  # noqa: N801  used like a function
    """Turns an unexpected exception in the client into InternalError.

    Prints the traceback if the environment has JOBPLANE_TRACEBACK=1.
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
    from jobplane.processors.guard import fault_of, format_traceback
    from jobplane.schemas.errors import InternalError

    if os.environ.get(TRACEBACK):
        click.echo(format_traceback(error), err=True)
    return InternalError(
        f"the command met a fault of jobplane ({fault_of(error)}); set {TRACEBACK}=1 to see where, and report it"
    )


class progress:  # noqa: N801  used like a function
    """A status line while the command waits, first with the text `first`; nothing if stderr is not a terminal."""

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
    """Turns every exception that is left into a message and an exit code."""

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
    """Exits with the message of an OSError, such as a missing file or a full disk; `further` is appended."""
    with suppress(OSError, ValueError):  # standard output keeps what it could not write, and would try again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    fail(f"error: {_os_error_text(error)}{further}", FAILED)


@contextmanager
def ignore_closed_output() -> Iterator[None]:
    """Continues with the next statements if the reader of standard output has closed it."""
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class exit_with_reader:  # noqa: N801  used like a function
    """Ends a listing with exit code 0 on Ctrl-C, or when the reader of standard output closes it."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, KeyboardInterrupt | BrokenPipeError):
            if isinstance(error, BrokenPipeError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)


def _os_error_text(error: OSError) -> str:
    """The message of an OSError, without its number."""
    if not error.strerror:
        return str(error)
    file = f"'{error.filename}': " if error.filename else ""
    return f"{file}{error.strerror[:1].lower()}{error.strerror[1:]}"
