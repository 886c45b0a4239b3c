"""Prints a listing: drawn on a terminal, as tab-separated text elsewhere, or as JSON."""

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from jobplane.controlplane.cli.terminal import json_line, warn
from jobplane.schemas.shown import to_one_line

if TYPE_CHECKING:
    from jobplane.controlplane.listings.rows import Listing


@dataclass(slots=True)
class Display:
    """On a terminal only: `ended` shows jobs that have ended too, `pages` uses a pager.

    On a terminal an empty line separates two listings.
    """

    output: str
    ended: bool = False
    pages: bool = True
    _has_drawn: bool = False

    def show(self, listing: "Listing", where: str = "") -> None:
        """Prints the listing; prints notices and the summary on standard error, with the prefix `where` if given."""
        if self.output == "json":
            json_line(listing.json_row())
            return
        if sys.stdout.isatty():
            self._draw(listing)
        else:
            from jobplane.controlplane.listings import tables

            click.echo(
                tables.text(listing), nl=False, color=True
            )  # without color=True click removes escape sequences that are part of names
        for notice in listing.notices:
            warn(f"{where}: notice: {to_one_line(notice)}" if where else f"notice: {to_one_line(notice)}")
        if listing.summary:
            warn(f"{where}: {to_one_line(listing.summary)}" if where else to_one_line(listing.summary))

    def _draw(self, listing: "Listing") -> None:
        from rich.console import Console

        from jobplane.controlplane.cli.screen import drawing, pager
        from jobplane.controlplane.listings.page import page

        console = Console()
        text = drawing.draw(page(listing, round(time.time() * 1000), ended=self.ended), console)
        text = f"\n{text}" if self._has_drawn else text
        self._has_drawn = True
        pager.show(text, console.height, pages=self.pages)
