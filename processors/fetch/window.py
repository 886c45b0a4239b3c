"""The messages of one partition that not all of its readers have taken. No thread, no clock and no client.

Each reader takes every message from its position on, once, in the order of offsets. A window that is full waits for its
slowest readers. Readers that do not keep up with the others are put off: they are no readers any more, and read on
elsewhere from the position that they have reached.
"""

from bisect import bisect_left
from typing import Any

from jobplane.processors.kafka.cluster import Message

MOST_MESSAGES = 20_000
MOST_BYTES = 8 * 2**20
"""A window with so many messages, or so many bytes of values, is full."""
PATIENCE_S, TURN_S = 1.0, 0.05
"""How long a full window waits for all to take what it holds, and how much longer for each reader: they take turns."""


class Window:
    """`begin` and `end` are offsets: the window holds all messages between them, and `end` is fetched next."""

    def __init__(self, begin: int) -> None:
        self.begin = self.end = begin
        self._messages: list[Message] = []
        self._bytes = 0
        self._positions: dict[object, int] = {}
        self._full_since: float | None = None
        self._full_end = begin

    def __contains__(self, reader: object) -> bool:
        return reader in self._positions

    def __len__(self) -> int:
        """The number of readers."""
        return len(self._positions)

    def holds(self, position: int) -> bool:
        """Whether a reader at this position finds all that it needs. It may be ahead, but not by more than a window."""
        return self.begin <= position <= self.end + MOST_MESSAGES

    def join(self, reader: object, position: int) -> None:
        self._positions[reader] = position

    def leave(self, reader: object) -> None:
        self._positions.pop(reader, None)
        self._drop()

    @property
    def room(self) -> int:
        """How many messages may be fetched; 0 if the window is full."""
        return MOST_MESSAGES - len(self._messages) if self._bytes < MOST_BYTES else 0

    def add(self, messages: list[Message], end: int) -> None:
        """Adds what was fetched. `end` is the next offset to fetch: past the messages, and past markers after them."""
        self._messages += messages
        self._bytes += sum(map(len, messages))
        self.end = max(self.end, end)

    def take(self, reader: object, most: int) -> tuple[list[Message], int]:
        """The next messages of a reader, and its position after them. After all messages that is the window's end."""
        first = self._first(self._positions[reader])
        taken = self._messages[first : first + most]
        if first + len(taken) == len(self._messages):
            self._positions[reader] = max(self._positions[reader], self.end)
        elif taken:
            self._positions[reader] = _offset(taken[-1]) + 1
        position = self._positions[reader]
        self._drop()
        return taken, position

    def put_off(self, now: float) -> bool:
        """To be called when a reader has nothing to take and the window is full. Whether readers were put off.

        Those that have not taken in time what the window held are put off; if they are the most, the others are.
        """
        since = self._full_since
        if since is None or min(self._positions.values()) >= self._full_end:
            since, self._full_end = now, self.end
        self._full_since = since
        if now - since <= PATIENCE_S + TURN_S * len(self._positions):
            return False
        slow = {reader for reader, position in self._positions.items() if position < self._full_end}
        away = slow if 2 * len(slow) <= len(self._positions) else self._positions.keys() - slow
        for reader in away:
            del self._positions[reader]
        self._full_since = None
        self._drop()
        return True

    def _first(self, position: int) -> int:
        return bisect_left(self._messages, position, key=_offset)

    def _drop(self) -> None:
        """Drops what all readers have taken."""
        lowest = min((*self._positions.values(), self.end))
        if lowest > self.begin:
            count = self._first(lowest)
            self._bytes -= sum(map(len, self._messages[:count]))
            del self._messages[:count]
            self.begin = lowest


def _offset(message: Message) -> int:
    offset: Any = message.offset()
    return int(offset)
