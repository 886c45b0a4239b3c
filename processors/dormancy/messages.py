"""Records as the compiled query reads and writes them, without the client that else carries them."""

from dataclasses import dataclass

CREATE_TIME = 1
Headers = list[tuple[str, bytes | None]]


class FetchedMessage:
    """A record that was read, with the calls of `Message` that tell of it."""

    __slots__ = ("_at", "_headers", "_key", "_timestamp", "_value")

    def __init__(
        self,
        at: tuple[str, int, int],
        key: bytes | None,
        value: bytes | None,
        headers: Headers,
        timestamp: tuple[int, int],
    ) -> None:
        """`at` is topic, partition and offset; `timestamp` its type and epoch milliseconds."""
        self._at, self._key, self._value, self._headers, self._timestamp = at, key, value, headers, timestamp

    def topic(self) -> str:
        return self._at[0]

    def partition(self) -> int:
        return self._at[1]

    def offset(self) -> int:
        return self._at[2]

    def key(self) -> bytes | None:
        return self._key

    def value(self) -> bytes | None:
        return self._value

    def headers(self) -> Headers | None:
        return self._headers or None

    def timestamp(self) -> tuple[int, int]:
        return self._timestamp


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record that is to be written; `offset` is that of its source, for messages."""

    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp: int
    offset: int = -1
