"""What is said where a control plane is not there: how to start it, or the prefix of one that is. Pure."""

from collections.abc import Collection

from jobplane.controlplane.topics import COMMANDS, EVENTS
from jobplane.schemas.setup_errors import NotSetUp

SEPARATORS = (".", "_", "-")
SHOWN = 3
"""Prefixes that are named; a Kafka that many share may have many."""


def not_set_up_error(topic: str, prefix: str, bootstrap: str, names: Collection[str]) -> NotSetUp:
    """`topic` is a control topic that is missing, `names` are all the topics there are."""
    dotted = prefix if prefix.endswith(SEPARATORS) else f"{prefix}."
    start = f"jobplane worker --bootstrap {bootstrap} --prefix {dotted}"
    message = (
        f"{_missing_topic_text(topic, bootstrap)}: no worker was started with the prefix '{prefix}' so far; the "
        f"first worker makes the control topics: {start}"
    )
    if f"{prefix}." in prefixes(names):
        return NotSetUp(
            f"{_missing_topic_text(topic, bootstrap)}: "
            f"the prefix '{prefix}' has no dot at its end; did you mean '{prefix}.'?"
        )
    if others := prefixes(names):
        listed = ", ".join(f"'{one}'" for one in others[:SHOWN])
        message += f"; or did you mean another control plane's --prefix: {listed}{' …' if len(others) > SHOWN else ''}?"
    return NotSetUp(message)


def missing_dot_warning(prefix: str) -> str:
    """What is to be said of a prefix that runs into the names behind it; empty where nothing is."""
    if prefix.endswith(SEPARATORS):
        return ""
    topics = f"topics are called '{prefix}{COMMANDS}', and every topic that begins with '{prefix}' is reserved"
    return f"the prefix '{prefix}' has no dot at its end: {topics}; usually it is '{prefix}.'"


def _missing_topic_text(topic: str, bootstrap: str) -> str:
    return f"there is no topic '{topic}' at {bootstrap}"


def prefixes(names: Collection[str]) -> list[str]:
    """The prefixes of which there are both commands and events."""
    found = (name.removesuffix(COMMANDS) for name in names if name.endswith(COMMANDS))
    return sorted(prefix for prefix in found if prefix and f"{prefix}{EVENTS}" in names)
