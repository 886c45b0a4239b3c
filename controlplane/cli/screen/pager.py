"""Shows text on a terminal: through a pager if it is longer than the screen, else directly."""

import os
import sys

import click

_NO_PAGERS = frozenset({"", "cat"})
LESS_FLAGS = "-FRX"
"""Flags for `less` unless LESS is set: exit if the text fits, draw bold, leave the text on the screen."""


def show(text: str, height: int, *, pages: bool = True) -> None:
    """`height` is the screen's, in lines. PAGER names the pager; empty or `cat`, it turns paging off.

    Ctrl-C ends only the pager. If the pager is missing, the text is printed.
    """
    if not pages or not is_paged(text, height):
        click.echo(text, nl=False)
        return
    os.environ.setdefault("LESS", LESS_FLAGS)
    click.echo_via_pager(text.removesuffix("\n"))  # echo_via_pager adds a newline


def is_paged(text: str, height: int) -> bool:
    """Whether a person reads it who can turn pages."""
    if text.count("\n") < height or os.environ.get("PAGER", "less").strip() in _NO_PAGERS:
        return False
    return sys.stdin.isatty() and sys.stdout.isatty()
