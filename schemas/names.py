"""How names are written: bare where that is legal, else in double quotes; and which a topic can have."""

import re

_WORD_LIST = """
    AND AS BETWEEN CASE CAST CREATE CROSS DISTINCT DROP EXCEPT EXISTS FALSE FROM FULL GROUP HAVING IN INNER INSERT
    INTERSECT INTO IS JOIN LEFT LIKE LIMIT NATURAL NOT NULL ON OR ORDER OUTER RIGHT SELECT TRUE UNION VALUES WHERE WITH
"""
RESERVED = frozenset(_WORD_LIST.split())
"""Words that are names only in double quotes. All other words of the language are legal bare names."""
_TOPIC = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,249}")
"""By Kafka's rule."""
_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def quote_name(text: str) -> str:
    """A name as it must be written."""
    if _BARE.fullmatch(text) and text.upper() not in RESERVED:
        return text
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


def is_topic_name(text: str) -> bool:
    """Whether Kafka can have a topic of this name."""
    return _TOPIC.fullmatch(text) is not None
