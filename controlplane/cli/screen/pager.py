"""Shows text on a terminal: through a pager where it is longer than the screen, as it is elsewhere."""

import os
import sys

import click

_NO_PAGERS = frozenset({"", "cat"})
LESS_FLAGS = "-FRX"
"""What `less` is told unless LESS says something else: to end where all fits, to know bold, to leave the text there."""


def show(text: str, height: int, *, pages: bool = True) -> None:
    """`height` is the screen's, in lines. PAGER names the pager; empty or `cat`, it turns paging off.

    Ctrl-C and the end of the pager end it and nothing else. Where the pager is missing, the text is printed.
    """
    if not pages or not is_paged(text, height):
        click.echo(text, nl=False)
        return
    os.environ.setdefault("LESS", LESS_FLAGS)
    click.echo_via_pager(text.removesuffix("\n"))  # it adds one


def is_paged(text: str, height: int) -> bool:
    """Whether a person reads it who can turn pages."""
    if text.count("\n") < height or os.environ.get("PAGER", "less").strip() in _NO_PAGERS:
        return False
    return sys.stdin.isatty() and sys.stdout.isatty()
