"""The listings of `topic list` and `topic describe`, from Kafka's answers and the state. Pure."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from jobplane.controlplane.core.state import State
from jobplane.controlplane.fetch.windows import Range
from jobplane.controlplane.listings.rows import Listing, Row
from jobplane.processors.kafka.cluster import Replicas
from jobplane.processors.kafka.questions import At
from jobplane.schemas.formats import JSON_FLAT, VALUE_FORMAT

LIST_COLUMNS = ("name", "partitions", "offsets", "format", "read_by", "written_by", "mappings")
PARTITION_COLUMNS = ("partition", "first", "end", "offsets", "leader", "replicas", "in_sync")


def matching_names(names: Iterable[str], pattern: str, prefix: str, *, control: bool) -> list[str]:
    """The names that match a shell pattern; topics of the control plane and of Kafka only with `control`."""
    return sorted(
        name
        for name in names
        if (control or not name.startswith((prefix, "__"))) and (not pattern or fnmatchcase(name, pattern))
    )


def listing(state: State, ranges: Mapping[At, Range], names: Iterable[str]) -> Listing:
    """A row for each topic. `offsets` is the number of offsets between beginning and end, over all partitions."""
    sizes: dict[str, list[int]] = {name: [] for name in names}
    for (topic, _), (first, end) in ranges.items():
        if topic in sizes:
            sizes[topic].append(end - first)
    rows = [
        {
            "name": name,
            "partitions": len(parts),
            "offsets": sum(parts),
            "format": formats(state, name),
            "read_by": readers(state, name),
            "written_by": writers(state, name),
            "mappings": mappings(state, name),
        }
        for name, parts in sizes.items()
    ]
    return Listing(LIST_COLUMNS, rows)


def description(
    state: State, topic: str, ranges: Mapping[At, Range], replicas: Mapping[int, Replicas], settings: Mapping[str, str]
) -> Listing:
    """A row for each partition; `about` has the jobs that use the topic, and the topic's own settings."""
    rows = [_partition(p, ranges[topic, p], replicas.get(p)) for p in sorted(p for name, p in ranges if name == topic)]
    about: Row = {
        "name": topic,
        "partitions": len(rows),
        "offsets": sum(row["offsets"] for row in rows),
        "format": formats(state, topic),
        "read_by": readers(state, topic),
        "written_by": writers(state, topic),
        "mappings": mappings(state, topic),
        "settings": dict(sorted(settings.items())),
    }
    return Listing(PARTITION_COLUMNS, rows, about)


def _partition(partition: int, held: Range, where: Replicas | None) -> Row:
    first, end = held
    row: Row = {"partition": partition, "first": first, "end": end, "offsets": end - first}
    known = {"leader": where.leader, "replicas": list(where.all), "in_sync": list(where.in_sync)} if where else {}
    return row | known


def readers(state: State, topic: str) -> list[str]:
    """The live jobs that read a topic."""
    jobs = (state.jobs[uid] for uid in state.names.values())
    return sorted(job.name for job in jobs if any(source.topic == topic for source in job.sources))


def writers(state: State, topic: str) -> list[str]:
    """The live jobs that write to a topic."""
    jobs = (state.jobs[uid] for uid in state.names.values())
    return sorted(job.name for job in jobs if any(sink.topic == topic for sink in job.sinks))


def mappings(state: State, topic: str) -> list[str]:
    return sorted(one.name for one in state.mappings.values() if one.topic == topic)


def formats(state: State, topic: str) -> list[str]:
    """The value formats of the topic's mappings."""
    over = (one for one in state.mappings.values() if one.topic == topic)
    return sorted({one.options.get(VALUE_FORMAT, JSON_FLAT) for one in over})
