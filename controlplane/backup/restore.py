"""Restores a backup into new control topics, in one transaction: everything or nothing, while no decider runs.

References to offsets must be valid again:
- `commands` gets every record at its old offset, so uids, snapshot versions and the position keep their meaning, and no
  new command gets the offset of an old one. An offset that had no record (the end of a transaction) is filled with an
  empty record; it is before the position, where nobody reads.
- `reports` gets new offsets, and the position is adjusted: reports that were not judged will be judged.
- A checkpoint gets a new pointer to it in the offsets of its job's group, in the same transaction.
- Parts of snapshots are found by their keys, events by their seq: their offsets may change.
- Chunks of groups are named by offsets, in checkpoints and in parts of snapshots, which stay as they are: the first
  record of each state topic says where its chunks lie now (processors/state/restored.py).

1 check the file · 2 check that the topics are new and empty · 3 fence the decider's id · 4 write the records ·
5 write the pointers · 6 commit. A decider that starts meanwhile fences this transaction, which is then aborted.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from jobplane.controlplane.backup import file
from jobplane.controlplane.backup.file import BackupRecord, BackupTopic, Foot, Head
from jobplane.controlplane.backup.save import Watch, topic_ranges
from jobplane.controlplane.core.state import POSITION
from jobplane.controlplane.fetch import topics
from jobplane.controlplane.log import control_topics
from jobplane.controlplane.settings import Settings
from jobplane.controlplane.topics import CHECKPOINTS, COMMANDS, MAX_COMMAND_BYTES, REPORTS, STATE, TOPICS
from jobplane.processors.kafka.cluster import (
    Doubt,
    Fenced,
    Kafka,
    KafkaException,
    Message,
    TopicPartition,
    delivered_offset,
    insisting,
)
from jobplane.processors.kafka.control_topics import STATE_PARTITION, ControlTopics
from jobplane.processors.kafka.judging import judging
from jobplane.processors.kafka.transactions import TransactionalProducer
from jobplane.processors.state.chunks import UnknownState
from jobplane.processors.state.restored import KEY, decode_restored, encode_restored, restored_chunks
from jobplane.schemas.changed import replace
from jobplane.schemas.records.checkpoints import Checkpoint, Pointer
from jobplane.schemas.records.state import Job, Position, encode_key
from jobplane.schemas.setup_errors import BadBackup, NotEmpty, NotSetUp, StillWritten
from jobplane.schemas.shown import quantity
from jobplane.schemas.wire.codec import UnknownRecord, decode, encode

FLUSH_S = 600.0
FILLER = "jobplane-filler"
"""Header of a record on `commands` that only fills an offset."""


@dataclass(slots=True)
class RestorePlan:
    """What the restore must know before it writes the first record."""

    position: Position = field(default_factory=Position)
    reports: int = 0
    """The number of reports that were judged before the backup: the next report is judged first after the restore."""
    jobs: dict[str, Job] = field(default_factory=dict)
    chunks: dict[str, list[str]] = field(default_factory=dict)
    """The keys of the chunks in each state topic, in their order."""
    ids: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """All ids that each state topic has had."""

    @classmethod
    def of(cls, records: Iterable[BackupRecord], topics: Mapping[str, BackupTopic]) -> "RestorePlan":
        """Reads the plan from the records. Raises BadBackup if the state cannot be read."""
        plan, reports = cls(), list[int]()
        for name in topics.keys() - {topic.name for topic in TOPICS}:
            plan.chunks[name], plan.ids[name] = [], (topics[name].id,)
        for record in records:
            try:
                if record.topic in plan.chunks:
                    plan.add_chunk(record)
                elif record.topic == REPORTS:
                    reports.append(record.offset)
                elif record.topic == STATE and record.key == encode_key(POSITION):
                    plan.position = decode(record.value or b"", Position)
                elif record.topic == STATE and (record.key or b"").startswith(b'["job"'):
                    job = decode(record.value or b"", Job)
                    plan.jobs[job.uid] = job
            except (UnknownRecord, UnknownState) as unknown:
                raise BadBackup(
                    f"the state in the backup cannot be read ({unknown}); use the newest version"
                ) from unknown
        plan.reports = sum(offset < plan.position.reports for offset in reports)
        return plan

    def add_chunk(self, record: BackupRecord) -> None:
        """Raises UnknownState."""
        if is_of_restore(record):
            self.ids[record.topic] += decode_restored(record.value or b"").ids
        else:
            self.chunks[record.topic].append((record.key or b"").decode())

    def restored_value(self, record: BackupRecord) -> bytes | None:
        """The value to write for a record."""
        if record.topic == STATE and record.key == encode_key(POSITION):
            return encode(replace(self.position, reports=self.reports))
        return record.value

    def gap(self, offset: int, next_offset: int) -> int:
        """How many fillers to write before the command of `offset`, if the next write gets the offset `next_offset`."""
        return max(0, min(offset, self.position.commands) - next_offset)


def is_of_restore(record: BackupRecord) -> bool:
    """Whether the record of a state topic is not a chunk, but of a restore before."""
    return record.key == KEY.encode()


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """The result. `elsewhere` are live jobs whose source topic is another topic here: they stop with DATA_LOST."""

    head: Head
    foot: Foot
    elsewhere: tuple[str, ...]


def restore(kafka: Kafka, settings: Settings, path: Path, watch: Watch = lambda text: None) -> RestoreResult:
    """Restores a backup. Raises BadBackup, NotEmpty, StillWritten, TopicMisconfigured."""
    # 1
    head, foot = file.verify(path)
    plan = RestorePlan.of(file.read_records(path), head.topics)
    watch(f"{path}: {quantity(sum(foot.records.values()), 'record')} of '{head.prefix}', complete")
    # 2
    prefix = settings.prefix
    control_topics.ensure_topics(kafka, settings)
    if held := sorted(
        name for name, one in topic_ranges(kafka, prefix).items() if any(part.end for part in one.partitions)
    ):
        names = ", ".join(f"{prefix}{name}" for name in held)
        raise NotEmpty(
            f"there are records in {names}; choose another --prefix, or delete all topics of this prefix first"
        )
    _create_state_topics(kafka, prefix, plan)
    # 3
    limit = topics.max_transaction_ms(kafka)
    try:
        with judging():
            producer = TransactionalProducer(
                kafka,
                f"{prefix}decider",
                limit,
                f"{prefix}{COMMANDS}",
                lambda: None,
                message_max_bytes=MAX_COMMAND_BYTES,
                linger_ms=20,
            )
            elsewhere = _write_all(kafka, producer, prefix, path, plan, watch)
    except Fenced as fenced:
        raise StillWritten(
            f"a worker with the prefix '{prefix}' started during the restore, so nothing was restored; "
            "stop the worker, delete the topics of the prefix, then try again"
        ) from fenced
    return RestoreResult(head, foot, elsewhere)


def _write_all(
    kafka: Kafka, producer: TransactionalProducer, prefix: str, path: Path, plan: RestorePlan, watch: Watch
) -> tuple[str, ...]:
    producer.begin()
    try:
        # 4
        writing = _RestoreWriter(producer, prefix, plan, watch)
        for topic in plan.chunks:
            writing.say_where(topic)
        for record in file.read_records(path):
            if record.topic not in plan.chunks or not is_of_restore(record):
                writing.add(record)
        writing.end()
        # 5
        elsewhere = _commit_offsets(kafka, producer, prefix, plan, writing)
    except BaseException:
        with suppress(KafkaException):  # a fenced producer has nothing to abort
            producer.abort()
        raise
    # 6
    producer.commit()
    return elsewhere


def _create_state_topics(kafka: Kafka, prefix: str, plan: RestorePlan) -> None:
    """Raises TopicRefused, NotSetUp."""
    names = [f"{prefix}{topic}" for topic in plan.chunks]
    for name in names:
        ControlTopics(kafka, prefix).create_job_state(name)
    if names and insisting(lambda: len(kafka.topics(names)) == len(names) or None, lambda: None) is None:
        raise NotSetUp("not every broker knows the new topics yet; delete the topics of the prefix, then try again")


class _RestoreWriter:
    """Produces the records of a backup, and collects the new offsets of the checkpoints."""

    def __init__(self, producer: TransactionalProducer, prefix: str, plan: RestorePlan, watch: Watch) -> None:
        self._producer, self._prefix, self._plan, self._watch = producer, prefix, plan, watch
        self.checkpoints: list[tuple[Checkpoint, Pointer]] = []
        self._commands = 0
        self._chunks = dict.fromkeys(plan.chunks, 0)
        self._wrong: list[str] = []
        self._topic, self._count = "", 0

    def say_where(self, topic: str) -> None:
        """Writes the first record of a state topic."""
        restored = restored_chunks(self._plan.ids[topic], self._plan.chunks[topic])
        record = BackupRecord(topic, STATE_PARTITION, 0, 0, KEY.encode(), None, [])
        self._produce(record, encode_restored(restored), self._offset_check(topic, 0))

    def add(self, record: BackupRecord) -> None:
        if record.topic != self._topic:
            self._say()
            self._topic, self._count = record.topic, 0
        self._count += 1
        report: Callable[[object, Message], None] | None = None
        if record.topic == COMMANDS:
            self._fill(record.offset)
            expected, self._commands = self._commands, self._commands + 1
            if expected < self._plan.position.commands:
                report = self._offset_check(COMMANDS, expected)
        elif record.topic in self._chunks:
            self._chunks[record.topic] += 1
            report = self._offset_check(record.topic, self._chunks[record.topic])
        elif record.topic == CHECKPOINTS:
            report = self._pointer_collector(decode(record.value or b"", Checkpoint))
        self._produce(record, self._plan.restored_value(record), report)

    def end(self) -> None:
        """Waits until everything is acknowledged. Raises StillWritten if a record did not get the offset it needs."""
        self._fill(self._plan.position.commands)
        self._producer.flush(FLUSH_S, lambda: None)
        self._say()
        if self._wrong:
            raise StillWritten(
                f"{self._wrong[0]}: somebody wrote there during the restore, so nothing was restored; "
                "delete the topics of the prefix, then try again"
            )

    def _fill(self, offset: int) -> None:
        for _ in range(self._plan.gap(offset, self._commands)):
            self._produce(
                BackupRecord(COMMANDS, 0, 0, 0, None, None, [(FILLER, b"")]),
                None,
                self._offset_check(COMMANDS, self._commands),
            )
            self._commands += 1

    def _produce(
        self, record: BackupRecord, value: bytes | None, report: Callable[[object, Message], None] | None
    ) -> None:
        while True:
            try:
                self._producer.produce(
                    f"{self._prefix}{record.topic}",
                    value,
                    record.key,
                    record.partition,
                    on_delivery=report,
                    timestamp=max(0, record.time),
                    headers=list(record.headers),
                )
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:  # says only that the transaction has failed
                raise self._producer.cause() or error from error
            else:
                self._producer.poll(0)
                return

    def _offset_check(self, topic: str, expected: int) -> Callable[[object, Message], None]:
        def report(error: object, message: Message) -> None:
            if error is None and message.offset() != expected and not self._wrong:
                self._wrong.append(f"the record {expected} of '{topic}' was written at offset {message.offset()}")

        return report

    def _pointer_collector(self, checkpoint: Checkpoint) -> Callable[[object, Message], None]:
        def report(error: object, message: Message) -> None:
            if error is None:
                pointer = Pointer(checkpoint.layout, message.partition() or 0, delivered_offset(message))
                self.checkpoints.append((checkpoint, pointer))

        return report

    def _say(self) -> None:
        if self._topic:
            self._watch(f"{self._topic}: {quantity(self._count, 'record')}")


def _commit_offsets(
    kafka: Kafka, producer: TransactionalProducer, prefix: str, plan: RestorePlan, writing: _RestoreWriter
) -> tuple[str, ...]:
    """Commits each live job's group offsets, with the pointers; returns the jobs whose source does not exist here."""
    live = {uid: job for uid, job in plan.jobs.items() if not job.closed}
    here = kafka.topics({source.topic for job in live.values() for source in job.sources})
    elsewhere = sorted(
        job.name for job in live.values() if any(here.get(one.topic, ("",))[0] != one.topic_id for one in job.sources)
    )
    offsets: dict[str, list[TopicPartition]] = {}
    for checkpoint, pointer in writing.checkpoints:
        job = live.get(checkpoint.uid)
        if job is not None and job.layout == checkpoint.layout and job.name not in elsewhere:
            offsets.setdefault(job.uid, []).extend(
                TopicPartition(source.topic, at.partition, at.offset, str(pointer))
                for source in checkpoint.sources
                for at in source.offsets
            )
    for uid, places in offsets.items():
        consumer = kafka.consumer(f"{prefix}job.{uid}")
        try:
            producer.send_offsets(places, consumer)
        finally:
            consumer.close()
    if producer.suspect:
        raise Doubt(producer.suspect)
    return tuple(elsewhere)
