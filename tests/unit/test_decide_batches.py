"""Commands that arrive in one batch: each may name what an earlier one has created, and facts are fetched before."""

import pytest

from jobplane.controlplane.core.decide import created_mappings, decide, needed_topics
from jobplane.controlplane.core.evolve import fold
from jobplane.controlplane.core.facts import Facts, TopicFacts
from jobplane.controlplane.core.request import parse_request
from jobplane.controlplane.core.state import State
from jobplane.controlplane.core.step import StepInput, encode_events
from jobplane.controlplane.topics import COMMANDS
from jobplane.schemas.records.events import Cause, CommandRefused, Outcome
from jobplane.schemas.wire.command_record import read_command
from tests.support.plane import PLANE, PREFIX, topic

TOPICS = {name: topic(1) for name in ("src", "new", "out", "letters", f"{PREFIX}dead-letters")}
MAPPING = "CREATE MAPPING m EXTERNAL NAME src TYPE Kafka"
SINCE = "CREATE JOB a OPTIONS (startFrom '2026-01-01T00:00:00Z') AS INSERT INTO out SELECT * FROM m"
JOB = "CREATE JOB a {}AS INSERT INTO out SELECT * FROM src"
RETRY = "CREATE JOB b OPTIONS (retryOf 'a') AS INSERT INTO out SELECT * FROM src"


def judged(texts: list[str]) -> list[Outcome]:
    """The outcomes, if nothing is known but the facts that the batch has asked for."""
    state, outcomes = State(), list[Outcome]()
    requests = [parse_request(read_command(at, 0, text.encode(), [], PREFIX)) for at, text in enumerate(texts)]
    created = created_mappings(requests)
    needed = [needed_topics(state, one, PREFIX, created) for one in requests]
    topics: dict[str, TopicFacts] = {name: TOPICS[name] for names, _ in needed for name in names if name in TOPICS}
    instants = {at: (42,) for _, some in needed for at in some if at[0] in TOPICS}
    for at, one in enumerate(requests):
        bodies = decide(state, one, Facts(PLANE, topics, instants=instants), PREFIX)
        assert isinstance(bodies[0], Outcome)
        outcomes.append(bodies[0])
        for event in encode_events(state, StepInput(Cause(COMMANDS, at, at + 1), 1, one), bodies):
            fold(state, event.event)
    return outcomes


@pytest.mark.parametrize(
    "texts",
    [
        [MAPPING, SINCE],
        [MAPPING, MAPPING.replace("CREATE", "CREATE OR REPLACE").replace("src", "new"), SINCE],
        [JOB.format(""), RETRY],
        [JOB.format("OPTIONS (deadLetterTopic 'letters') "), RETRY],
    ],
)
def test_what_an_earlier_one_has_created_is_known(texts: list[str]) -> None:
    assert [one for one in judged(texts) if isinstance(one, CommandRefused)] == []
