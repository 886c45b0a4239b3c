"""Shows a listing where it goes: parts of a page on a terminal, tab-separated text elsewhere, or JSON."""

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
    """`ended` asks for the jobs that have ended too, `pages` for a pager: both on a terminal only.

    There an empty line is between two listings.
    """

    output: str
    ended: bool = False
    pages: bool = True
    _has_drawn: bool = False

    def show(self, listing: "Listing", where: str = "") -> None:
        """Prints it; notices and the summary go to standard error, after its statement's place where that is given."""
        if self.output == "json":
            json_line(listing.json_row())
            return
        if sys.stdout.isatty():
            self._draw(listing)
        else:
            from jobplane.controlplane.listings import tables

            click.echo(tables.text(listing), nl=False, color=True)  # click would take names' escapes away
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
