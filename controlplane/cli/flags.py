"""Types of flag values, with our own messages for wrong values."""

import math
from typing import Any

import click

from jobplane.controlplane.ports import LAST_PORT


class WholeNumber(click.ParamType):
    """A whole number from `least` to `most`."""

    name = "n"

    def __init__(self, least: int = 1, most: int | None = None) -> None:
        self.least, self.most = least, most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Called by click, which prints the flag's name before the message."""
        try:
            number = int(value)
        except ValueError:
            self.fail(f"'{value}' is not a whole number", param, ctx)
        if number < self.least or (self.most is not None and number > self.most):
            bounds = f"at least {self.least}" if self.most is None else f"between {self.least} and {self.most}"
            self.fail(f"the value must be {bounds}, not {number}", param, ctx)
        return number


class Seconds(click.ParamType):
    """A duration in seconds, at least 0.1."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Called by click, which prints the flag's name before the message."""
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if math.isnan(number):
            self.fail(f"'{value}' is not a number of seconds", param, ctx)
        if number < LEAST:
            self.fail(f"the value must be at least {LEAST:g}, not {value}", param, ctx)
        return number


LEAST = 0.1
PORT = WholeNumber(0, LAST_PORT)
output_option = click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
