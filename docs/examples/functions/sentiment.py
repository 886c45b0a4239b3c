"""Functions and an aggregate for jobplane's SQL: jobplane needs only the annotations.

The module imports nothing of jobplane.
"""

import re

GOOD = frozenset({"good", "great", "happy", "love", "thanks"})
BAD = frozenset({"bad", "broken", "hate", "late", "sad"})


def sentiment(text: str) -> int:
    """How friendly a text is: the number of good words minus the number of bad words."""
    words = re.findall(r"\w+", text.lower())
    return sum(word in GOOD for word in words) - sum(word in BAD for word in words)


class Approval:
    """The share of friendly texts among those that are friendly or unfriendly; NULL where there are none."""

    def init(self) -> tuple[int, int]:
        """No friendly text, of none."""
        return 0, 0

    def add(self, state: tuple[int, int], text: str) -> tuple[int, int]:
        """The state with one more text."""
        mood = sentiment(text)
        return state[0] + (mood > 0), state[1] + (mood != 0)

    def merge(self, state: tuple[int, int], later: tuple[int, int]) -> tuple[int, int]:
        """What both have together."""
        return state[0] + later[0], state[1] + later[1]

    def result(self, state: tuple[int, int]) -> float | None:
        """The value in the row of the group."""
        friendly, count = state
        return friendly / count if count else None


def moving_average(values: list[float | None], width: int = 3) -> list[float | None]:
    """The mean of each element and those before it, over `width` elements; NULL if one of them is NULL."""
    if width < 1:
        raise ValueError(f"a width of {width} holds no element")
    windows = (values[max(0, end - width) : end] for end in range(1, len(values) + 1))
    return [_mean(window) for window in windows]


def _mean(window: list[float | None]) -> float | None:
    known = [one for one in window if one is not None]
    return sum(known) / len(known) if len(known) == len(window) else None
