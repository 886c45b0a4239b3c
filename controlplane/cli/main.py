"""The command line. Data on stdout, all else on stderr.

Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 refused, 5 Kafka unreachable, 124 timed out waiting,
130 interrupted.
A command imports what it needs and no more: people wait for it.
"""

import atexit
import gc
from typing import Any

import click

from jobplane.controlplane.cli.command_group import CommandGroup
from jobplane.controlplane.cli.flags import PORT, WholeNumber
from jobplane.controlplane.cli.terminal import (
    FAILED,
    NOT_FOUND,
    REFUSED,
    TIMED_OUT,
    UNREACHABLE,
    connection_options,
    errors,
    examples,
    say,
    settings_of,
)

__all__ = ["FAILED", "NOT_FOUND", "REFUSED", "TIMED_OUT", "UNREACHABLE", "main"]

MODULES = {
    "dead_letters": ("deadletters",),
    "infer": ("infer",),
    "log": ("events", "replay", "backup", "restore"),
    "sql": ("sql", "emit", "outcome"),
    "topic": ("topic",),
}
"""The commands of each module of this package; `worker` and `dev` are below."""
SERVERS = frozenset({"worker", "dev"})


@click.group(
    cls=CommandGroup,
    modules=MODULES,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples("jobplane dev", 'jobplane sql "SHOW JOBS"', "jobplane help sql"),
)
@click.version_option(package_name="jobplane", prog_name="jobplane")
@click.pass_context
def main(context: click.Context) -> None:
    """SQL job control on Apache Kafka: commands in, exactly-once jobs out.

    Settings: flag, else JOBPLANE_* environment, else jobplane.toml, else default.
    """
    if context.invoked_subcommand not in SERVERS:
        gc.set_threshold(100_000)  # most commands end before they have left so much behind
    atexit.register(gc.freeze)  # else Python looks through everything that is loaded, several times, before it ends


@main.command(
    epilog=examples("jobplane worker", "jobplane worker --bootstrap kafka-1:9092,kafka-2:9092 --web-port 0 --hosts 2")
)
@click.option("--web-host", metavar="ADDRESS", help="Address of the web server.  [default: 127.0.0.1]")
@click.option(
    "--web-port", type=PORT, metavar="PORT", help="Port of the web server, 0 picks a free one.  [default: 6066]"
)
@click.option("--hosts", type=WholeNumber(0), metavar="N", help="Task hosts; 0: one per core.  [default: 0]")
@click.option(
    "--loglevel", type=click.Choice(["debug", "info", "warning", "error"]), default="warning", show_default=True
)
@click.option("-q", "--quiet", is_flag=True, help="Do not print the steps of the start; warnings are still printed.")
@connection_options
def worker(loglevel: str, quiet: bool, **flags: Any) -> None:
    """Run one worker until SIGINT or SIGTERM.

    The worker prints the steps of its start on standard error.
    """
    with errors():
        settings = settings_of(flags)
        from jobplane.controlplane.extras import require_extra

        require_extra("worker", "jobplane worker")
        from jobplane.controlplane.worker.worker import run

        run(settings, loglevel, quiet=quiet)


@main.command(epilog=examples("jobplane dev", "jobplane dev --port 0 --web-port 0 --workers 2 --data /tmp/jobplane"))
@click.option(
    "--port", type=PORT, metavar="PORT", default=9092, show_default=True, help="Kafka's port; 0 picks a free one."
)
@click.option(
    "--data", metavar="FOLDER", help="Folder for the data of the broker and the workers.  [default: .jobplane]"
)
@click.option("--workers", type=WholeNumber(1, 16), default=1, show_default=True, help="Number of workers, at most 16.")
@click.option("--web-port", type=PORT, metavar="PORT", help="Port of the first worker's web server.  [default: 6066]")
@click.option("--hosts", type=WholeNumber(0), metavar="N", help="Task hosts per worker; 0: one per core.  [default: 0]")
@click.option("--prefix", metavar="TEXT", help="Prefix of the control topics.  [default: jobplane.]")
@click.option("-q", "--quiet", is_flag=True, help="Print only the line `ready`, and errors.")
def dev(port: int, workers: int, quiet: bool, **flags: Any) -> None:
    """Run a real single-node Kafka and workers, in the foreground.

    Prints the line `ready <bootstrap> <web address>` on standard output when it serves commands. Prints the steps of
    the start, and commands to try next, on standard error. Ctrl-C stops everything; jobs continue at the next start.
    """
    with errors():
        settings = settings_of(flags)
        from jobplane.controlplane.extras import require_extra

        require_extra("dev", "jobplane dev")
        from jobplane.controlplane.embedded.dev import run

        run(settings, port, workers, (lambda text: None) if quiet else say)


if __name__ == "__main__":
    main()
