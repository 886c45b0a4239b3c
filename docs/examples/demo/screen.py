"""The output: lines that stay, with the seconds since the start, and a line of progress that changes on a terminal."""

import time
from typing import Self

from rich.console import Console

PLAIN_EVERY_S = 2.0


class Screen:
    """Without a terminal there are plain lines only: no colours, no control characters."""

    def __init__(self) -> None:
        self._console = Console(markup=False, highlight=False, soft_wrap=True)
        self._status = self._console.status("", spinner="line")
        self._began = self._told = time.monotonic()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._status.stop()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def say(self, text: str) -> None:
        """Lines that stay."""
        margin = f"{self.seconds:5.1f} s  "
        self._console.print(margin + text.replace("\n", "\n" + " " * len(margin)))

    def progress(self, text: str) -> None:
        """A line that the next one replaces; without a terminal, one line every two seconds."""
        if self._console.is_terminal:
            self._status.update(text)
        elif time.monotonic() - self._told > PLAIN_EVERY_S:
            self._told = time.monotonic()
            self.say(text)
