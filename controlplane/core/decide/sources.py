"""The sources of a new job with their offsets, and its sinks, as they are at CREATE."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from jobplane.controlplane.core.decide.formats import add_inline_schemas, effective_mapping, source_mapping
from jobplane.controlplane.core.facts import Facts, check_reserved, quoted_list, topic_and_mapping, value_place
from jobplane.controlplane.core.state import State
from jobplane.schemas.errors import (
    BadOptionValue,
    Place,
    SinkIsSource,
    SnapshotMismatch,
    SnapshotNotFound,
)
from jobplane.schemas.options import DEAD_LETTER_TOPIC, DEAD_LETTERS, LATEST, Guarantee, JobOptions
from jobplane.schemas.records.offsets import SourceOffsets
from jobplane.schemas.records.snapshots import Restore, StateVersion
from jobplane.schemas.records.sources import Sink, Source, sources_by_topic
from jobplane.schemas.records.state import Snapshot
from jobplane.schemas.suggestions import did_you_mean
from jobplane.sql.plan.inserts import first_inserts
from jobplane.sql.plan.plan import source_names
from jobplane.sql.syntax import statements

Sources = tuple[Source, ...]
"""One for each name in the query, in its order; two sources may read the same topic."""
Sinks = tuple[Sink, ...]
"""One for each target in the statement, in its order; two sinks may write to the same topic."""


def resolve_topics(
    state: State, inserts: Sequence[statements.Insert], options: Mapping[str, str], facts: Facts, prefix: str
) -> tuple[Sources, Sinks]:
    """The sources and the sinks. Refuses topics that are reserved, missing, both source and sink, or not readable."""
    named = [(name, *topic_and_mapping(state, name)) for name in source_names(inserts)]
    written = [(insert, *topic_and_mapping(state, insert.target)) for insert in first_inserts(inserts).values()]
    for insert, topic, _ in written:
        check_reserved(topic, prefix, insert.target.place)
    for name, topic, _ in named:
        check_reserved(topic, prefix, name.place)
    topics_read = {topic for _, topic, _ in named}
    for insert, topic, _ in written:
        if topic in topics_read:
            raise SinkIsSource(_both_text(state, insert, topic), insert.target.place)
    sources = []
    for name, topic, mapping in named:
        read = facts.topic(topic, name.place)
        through = source_mapping(effective_mapping(mapping, topic, options), facts, name.place)
        sources.append(Source(topic, read.topic_id, read.earliest, mapping=through))
    sinks = []
    for insert, topic, mapping in written:
        place = insert.target.place
        there = facts.topic(topic, place)
        through = add_inline_schemas(effective_mapping(mapping, topic, options), place)
        sinks.append(Sink(topic, there.topic_id, len(there.earliest), through))
    return tuple(sources), tuple(sinks)


def _both_text(state: State, insert: statements.Insert, topic: str) -> str:
    """What is wrong with a topic that is read and written: by one INSERT, or by one of a set and another."""
    if any(topic_and_mapping(state, name)[0] == topic for name in source_names([insert])):
        return f"'{topic}' is both source and sink; a job that reads its own output never ends"
    return f"'{topic}' is both source and sink: another INSERT of the job reads it; write a job of its own for that one"


def check_dead_letters(
    given: Sequence[statements.Option], taken: Iterable[str], facts: Facts, prefix: str, otherwise: Place
) -> None:
    """Raises if dead letters cannot be written to the topic in the options: `taken` are the job's sources and sinks."""
    topic = next((option.value for option in given if option.name.text == DEAD_LETTER_TOPIC), "")
    if not topic:
        return
    place = value_place(given, DEAD_LETTER_TOPIC, otherwise)
    if topic != f"{prefix}{DEAD_LETTERS}":
        check_reserved(topic, prefix, place)
    if topic in taken:
        raise BadOptionValue(f"'{topic}' is a source or a sink of the job; dead letters need another topic", place)
    facts.topic(topic, place)


def choose_offsets(
    state: State, create: statements.CreateJob, options: JobOptions, sources: Sources, facts: Facts
) -> tuple[Sources, Restore | None]:
    """The sources with the offsets at which the job begins and, if it is bounded, ends."""
    restore = None
    if options.initial_snapshot_name:
        if any(option.name.text == "startFrom" for option in create.options):
            message = "startFrom and initialSnapshotName cannot be used together: a snapshot says where to start"
            raise BadOptionValue(message, value_place(create.options, "startFrom", create.name.place))
        where = value_place(create.options, "initialSnapshotName", create.name.place)
        snapshot = _find_snapshot(state, options.initial_snapshot_name, sources, where)
        held = {one.topic: one for one in snapshot.sources}
        sources = tuple(_restore_offsets(source, held[source.topic], snapshot.name, where) for source in sources)
        if options.processing_guarantee is not Guarantee.NONE:  # it keeps no checkpoints: the offsets suffice
            states = (StateVersion(snapshot.uid, snapshot.version), *snapshot.states)
            restore = Restore(snapshot.name, snapshot.version, snapshot.parts, states)
    elif options.start_from == LATEST:
        sources = tuple(replace(source, start=facts.topics[source.topic].latest) for source in sources)
    elif (instant := options.start_instant) is not None:
        sources = tuple(replace(source, start=facts.instants[source.topic, instant]) for source in sources)
    if options.stop_at:
        sources = tuple(replace(source, end=facts.topics[source.topic].latest) for source in sources)
    return sources, restore


def future_start_notices(options: JobOptions, sources: Iterable[Source], facts: Facts) -> tuple[str, ...]:
    """The notice if the instant to start from is later than all existing records."""
    if options.start_instant is None:
        return ()
    known = [(source.start, facts.topics[source.topic]) for source in sources]
    if any(start != topic.latest for start, topic in known) or all(one.earliest == one.latest for _, one in known):
        return ()
    text = f"startFrom: no record is as new as '{options.start_from}'"
    if options.stop_at:
        return (f"{text}, and none is read after stopAt '{options.stop_at}': the job reads nothing and ends",)
    return (f"{text}; the job reads the records that arrive from now on, as with '{LATEST}'",)


def _find_snapshot(state: State, name: str, sources: Sequence[Source], place: Place) -> Snapshot:
    """The snapshot, which must hold offsets of exactly the topics that the job reads."""
    snapshot = state.snapshots.get(name)
    if snapshot is None:
        raise SnapshotNotFound(f"no snapshot is called '{name}'{did_you_mean(name, state.snapshots)}", place)
    held, read = [one.topic for one in snapshot.sources], sources_by_topic(sources)
    if missing := [topic for topic in read if topic not in held]:
        raise SnapshotMismatch(
            f"snapshot '{name}' holds offsets of {quoted_list(held)}, not of {quoted_list(missing)}", place
        )
    if unread := [topic for topic in held if topic not in read]:
        message = f"snapshot '{name}' also holds offsets of {quoted_list(unread)}, which the query does not read"
        raise SnapshotMismatch(message, place)
    return snapshot


def _restore_offsets(source: Source, held: SourceOffsets, snapshot: str, place: Place) -> Source:
    """The source with the snapshot's offsets; partitions without an offset in it begin at their oldest record."""
    if held.topic_id != source.topic_id:
        raise SnapshotMismatch(f"topic '{source.topic}' was deleted and recreated since snapshot '{snapshot}'", place)
    start, earliest = list(source.start), source.start
    for one in held.offsets:
        if one.partition >= len(start):
            raise SnapshotMismatch(f"topic '{source.topic}' has fewer partitions than snapshot '{snapshot}'", place)
        if earliest[one.partition] > one.offset:
            raise SnapshotMismatch(
                f"'{source.topic}' no longer holds offset {one.offset} of partition {one.partition} "
                f"(it begins at {earliest[one.partition]})",
                place,
            )
        start[one.partition] = one.offset
    return replace(source, start=tuple(start))
