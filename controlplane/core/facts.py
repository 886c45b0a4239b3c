"""What a decision looks up: facts fetched before, the job a command is about, the place of an option. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from jobplane.controlplane.core.state import State
from jobplane.schemas.errors import (
    FactsUnavailable,
    JobDropping,
    JobNotFound,
    NoRegistry,
    NotAuthorized,
    Place,
    RegistryRefused,
    SchemaIncompatible,
    TopicNotFound,
    TopicReserved,
)
from jobplane.schemas.names import is_topic_name
from jobplane.schemas.options import JobOptions
from jobplane.schemas.records import mappings
from jobplane.schemas.records.state import Job, Snapshot, Status, Target
from jobplane.schemas.shown import LONGEST, utc_text
from jobplane.schemas.suggestions import did_you_mean
from jobplane.sql.functions import BUILT_IN, FunctionCatalogue
from jobplane.sql.syntax import statements

LONGEST_CAUSE = 200
"""At most this many characters of a failure are quoted in another message."""
SEND_AGAIN = "send the command again; if it has a command id, use a new one"
"""A command that is repeated under the same id gets the first outcome again."""


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """A topic as Kafka describes it; `earliest` and `latest` are offsets by partition (latest: the high watermark)."""

    topic_id: str
    earliest: tuple[int, ...]
    latest: tuple[int, ...]


class NotFetched(Exception):
    """A decision needs an answer of the schema registry: the newest schema of a subject, or `text` registered in it."""

    def __init__(self, subject: str, text: str | None) -> None:
        super().__init__(subject)
        self.subject, self.text = subject, text


@dataclass(frozen=True, slots=True)
class Facts:
    """What the decisions on a batch need from outside, fetched before. `unavailable` says why facts are missing.

    `denied` says, by topic, why Kafka does not describe it; `registry_denied`, by subject and the text to register, why
    the schema registry will not.
    `instants` holds, by (topic, epoch milliseconds), each partition's first offset with a timestamp not before.
    `functions` are those that a query may call.
    """

    plane: str
    topics: Mapping[str, TopicFacts] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    max_transaction_ms: int = 900_000
    unavailable: str = ""
    denied: Mapping[str, str] = field(default_factory=dict)
    instants: Mapping[tuple[str, int], tuple[int, ...]] = field(default_factory=dict)
    subjects: Mapping[str, mappings.AvroSchema | None] = field(default_factory=dict)
    registered: Mapping[tuple[str, str], mappings.AvroSchema | SchemaIncompatible] = field(default_factory=dict)
    has_registry: bool = True
    registry_silent: str = ""
    registry_denied: Mapping[tuple[str, str | None], str] = field(default_factory=dict)
    functions: FunctionCatalogue = BUILT_IN

    def latest_schema(self, subject: str, place: Place) -> mappings.AvroSchema | None:
        """The newest schema of a subject; None if the registry has none. Raises NotFetched."""
        if subject not in self.subjects:
            self._check_registry(subject, None, place)
            raise NotFetched(subject, None)
        return self.subjects[subject]

    def registered_schema(self, subject: str, text: str, place: Place) -> mappings.AvroSchema:
        """A schema with its number in the registry. Raises NotFetched, SchemaIncompatible."""
        found = self.registered.get((subject, text))
        if found is None:
            self._check_registry(subject, text, place)
            raise NotFetched(subject, text)
        if isinstance(found, SchemaIncompatible):
            raise SchemaIncompatible(found.message, place)
        return found

    def _check_registry(self, subject: str, text: str | None, place: Place) -> None:
        """Raises NoRegistry, RegistryRefused, or FactsUnavailable if it did not answer."""
        if not self.has_registry:
            raise NoRegistry(
                "a topic in Avro needs a schema: give it as valueAvroSchema or keyAvroSchema in the mapping, "
                "or set JOBPLANE_REGISTRY_URL for all workers",
                place,
            )
        if why := self.registry_denied.get((subject, text)):
            raise RegistryRefused(why, place)
        if self.registry_silent:
            raise FactsUnavailable(f"{self.registry_silent}; {SEND_AGAIN}", place)

    def topic(self, topic: str, place: Place) -> TopicFacts:
        """Raises FactsUnavailable, NotAuthorized or TopicNotFound."""
        if not is_topic_name(topic):
            raise unknown_topic_error(topic, self.names, place)
        if self.unavailable:
            raise FactsUnavailable(f"topic '{topic}' cannot be looked up: {self.unavailable}; {SEND_AGAIN}", place)
        if topic in self.denied:
            raise NotAuthorized(f"topic '{topic}': {self.denied[topic]}", place)
        found = self.topics.get(topic)
        if found is None:
            raise unknown_topic_error(topic, self.names, place)
        return found


def topic_and_mapping(state: State, name: statements.Name) -> tuple[str, mappings.TopicMapping | None]:
    """The topic behind a name in a statement, and its mapping; a name without a mapping is that of a topic."""
    mapping = state.mappings.get(name.text)
    return mapping.topic if mapping else name.text, mapping


def unknown_topic_error(topic: str, names: Iterable[str], place: Place) -> TopicNotFound:
    """The error for a topic that does not exist. `names` are the topics that do."""
    if not is_topic_name(topic):
        shown = topic if len(topic) <= LONGEST else f"{topic[:LONGEST]}…"
        rule = "a topic name has at most 249 ASCII letters, digits, '.', '_' and '-', and is not '.' or '..'"
        return TopicNotFound(f"'{shown}' is not a topic name: {rule}", place)
    hint = did_you_mean(topic, names) or "; create it first"
    return TopicNotFound(f"no topic is called '{topic}'{hint}", place)


def check_reserved(topic: str, prefix: str, place: Place) -> None:
    """Raises TopicReserved for the control plane's own topics."""
    if topic.startswith(prefix):
        message = f"topic '{topic}' is reserved: names that begin with '{prefix}' are the control plane's own"
        raise TopicReserved(message, place)


def letters_topic(job: Job, prefix: str) -> str:
    """The topic with a job's dead letters."""
    return JobOptions.of(job.options).letters_topic(prefix)


def require_live_job(state: State, name: statements.Name) -> Job:
    """The live job that a command is about. Raises JobNotFound, or JobDropping if it is ending."""
    job = state.live_job(name.text)
    if job is None:
        raise JobNotFound(explain_missing_job(state, name.text) + _advise_new_job(state, name.text), name.place)
    if job.target is Target.END:
        raise JobDropping(f"job '{name.text}' is ending ({job.status})", name.place)
    return job


def explain_missing_job(state: State, name: str) -> str:
    """The message if no live job has this name: it says how the newest job of that name ended, if there was one."""
    job = _last_ended_job(state, name)
    if job is None:
        return f"no live job is called '{name}'{did_you_mean(name, state.names)}"
    return f"no live job is called '{name}': {_describe_end(job)}"


def _advise_new_job(state: State, name: str) -> str:
    """The advice to create a job again after the last one has ended; empty if there was none."""
    job = _last_ended_job(state, name)
    if job is None:
        return ""
    snapshot = max((one for one in state.snapshots.values() if one.uid == job.uid), key=_version, default=None)
    there = f", with initialSnapshotName '{snapshot.name}' from its newest snapshot" if snapshot else ""
    return f"; CREATE JOB starts a new one{there}"


def _last_ended_job(state: State, name: str) -> Job | None:
    ended = next((one for one in map(state.jobs.__getitem__, reversed(state.ended)) if one.name == name), None)
    return state.jobs.get(state.closing.get(name, ""), ended)


def _describe_end(job: Job) -> str:
    when = f" at {utc_text(job.closed, 'seconds', ' ')} UTC" if job.closed else ""
    match job.status:
        case Status.COMPLETED | Status.COMPLETING if job.failure is None:
            return f"it has COMPLETED{when}"
        case Status.CANCELLED | Status.CANCELLING:
            return f"it was dropped (CANCELLED){when}"
        case _:
            why = str(job.failure) if job.failure else "no cause is known"
            return f"it FAILED{when} ({why if len(why) <= LONGEST_CAUSE else f'{why[:LONGEST_CAUSE]}…'})"


def _version(snapshot: Snapshot) -> int:
    return snapshot.version


def value_place(options: Sequence[statements.Option], option: str, otherwise: Place) -> Place:
    return next((one.value_place for one in options if one.name.text == option), otherwise)


def quoted_list(names: Iterable[str]) -> str:
    """`'a', 'b'` for people."""
    return ", ".join(f"'{name}'" for name in names)
