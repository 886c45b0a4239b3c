"""Functions for jobplane's SQL: jobplane needs only the annotations. The module imports nothing of jobplane."""

import re

GOOD = frozenset({"good", "great", "happy", "love", "thanks"})
BAD = frozenset({"bad", "broken", "hate", "late", "sad"})


def sentiment(text: str) -> int:
    """How friendly a text is: the number of good words minus the number of bad words."""
    words = re.findall(r"\w+", text.lower())
    return sum(word in GOOD for word in words) - sum(word in BAD for word in words)


def moving_average(values: list[float | None], width: int = 3) -> list[float | None]:
    """The mean of each element and those before it, over `width` elements; NULL if one of them is NULL."""
    if width < 1:
        raise ValueError(f"a width of {width} holds no element")
    windows = (values[max(0, end - width) : end] for end in range(1, len(values) + 1))
    return [_mean(window) for window in windows]


def _mean(window: list[float | None]) -> float | None:
    known = [one for one in window if one is not None]
    return sum(known) / len(known) if len(known) == len(window) else None
