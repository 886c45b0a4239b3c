"""`jobplane sql --dry-run`: tries each statement that can be tried, lists the others, and prints the counts."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from jobplane.controlplane.cli.screen.outcomes import print_refusal
from jobplane.controlplane.cli.screen.show import Display
from jobplane.controlplane.cli.terminal import internal_errors, json_line, warn
from jobplane.schemas.shown import to_one_line

if TYPE_CHECKING:
    from jobplane.controlplane.client.client import Client

TRIED, REFUSED, LEFT_OUT = "tried", "refused", "left out"


def try_all(client: "Client", statements: Sequence[tuple[str, str]], last: int, display: Display) -> int:
    """Tries the (place, statement) pairs in order; returns the exit code of the first refusal, else 0."""
    from jobplane.controlplane.query.dry_run import NotTried
    from jobplane.schemas.errors import Refused

    attempt = client.dry_run()
    several = len(statements) > 1
    code, counts = 0, Counter[str]()
    for where, text in statements:
        try:
            with internal_errors():
                listing = attempt.run(text, last)
        except NotTried as left:
            counts[LEFT_OUT] += 1
            if display.output == "json":
                json_line({"verdict": None, "left_out": str(left)})
            warn(f"{where}: left out: {to_one_line(left)}")
        except Refused as refused:
            counts[REFUSED] += 1
            refusal = print_refusal(where, text, refused, display.output)
            code = code or refusal
        else:
            counts[TRIED] += 1
            display.show(listing, where if several else "")
    if several or counts[LEFT_OUT]:
        totals = ", ".join(f"{counts[what]} {what}" for what in (TRIED, REFUSED, LEFT_OUT))
        click.echo(f"dry run: {totals}; nothing was written", err=True)
    return code
