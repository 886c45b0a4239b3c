"""Functions that jobplane takes into its SQL: the annotations are all it needs. Nothing of jobplane is imported."""

import re

GOOD = frozenset({"good", "great", "happy", "love", "thanks"})
BAD = frozenset({"bad", "broken", "hate", "late", "sad"})


def sentiment(text: str) -> int:
    """How friendly a text is: the number of its good words less that of its bad ones."""
    words = re.findall(r"\w+", text.lower())
    return sum(word in GOOD for word in words) - sum(word in BAD for word in words)


def moving_average(values: list[float | None], width: int = 3) -> list[float | None]:
    """The means of each element and those before it, so many together; NULL where one of them is."""
    if width < 1:
        raise ValueError(f"a width of {width} holds no element")
    windows = (values[max(0, end - width) : end] for end in range(1, len(values) + 1))
    return [_mean(window) for window in windows]


def _mean(window: list[float | None]) -> float | None:
    known = [one for one in window if one is not None]
    return sum(known) / len(known) if len(known) == len(window) else None
