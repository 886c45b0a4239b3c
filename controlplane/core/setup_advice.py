"""The advice if there is no control plane under a prefix: how to start one, or which prefix was meant. Pure."""

from collections.abc import Collection

from jobplane.controlplane.topics import COMMANDS, EVENTS
from jobplane.schemas.setup_errors import NotSetUp

SEPARATORS = (".", "_", "-")
SHOWN = 3
"""At most this many prefixes are listed; a shared Kafka may have many."""


def not_set_up_error(topic: str, prefix: str, bootstrap: str, names: Collection[str]) -> NotSetUp:
    """`topic` is a control topic that is missing, `names` are all topics of the Kafka cluster."""
    dotted = prefix if prefix.endswith(SEPARATORS) else f"{prefix}."
    start = f"jobplane worker --bootstrap {bootstrap} --prefix {dotted}"
    message = (
        f"{_missing_topic_text(topic, bootstrap)}: no worker has been started with the prefix '{prefix}'; the "
        f"first worker creates the control topics: {start}"
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
    """The warning about a prefix without a separator at its end; empty if it has one."""
    if prefix.endswith(SEPARATORS):
        return ""
    topics = f"topics are called '{prefix}{COMMANDS}', and every topic that begins with '{prefix}' is reserved"
    return f"the prefix '{prefix}' has no dot at its end: {topics}; usually it is '{prefix}.'"


def _missing_topic_text(topic: str, bootstrap: str) -> str:
    return f"there is no topic '{topic}' at {bootstrap}"


def prefixes(names: Collection[str]) -> list[str]:
    """The prefixes that have both a topic of commands and one of events."""
    found = (name.removesuffix(COMMANDS) for name in names if name.endswith(COMMANDS))
    return sorted(prefix for prefix in found if prefix and f"{prefix}{EVENTS}" in names)
