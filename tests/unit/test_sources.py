"""Several sources of one task: each topic is read once, and its partitions are divided by their numbers."""

from collections.abc import Callable
from operator import length_hint
from typing import Any

import pytest
from confluent_kafka import Message

from jobplane.processors.pipeline import Pipeline, pipeline_of
from jobplane.processors.task.restore import carried_over, checkpoint_of
from jobplane.schemas.failures import BadRecord, CheckpointLost
from jobplane.schemas.options import JobOptions
from jobplane.schemas.records.checkpoints import Checkpoint
from jobplane.schemas.records.layouts import FormerLayout, LayoutTask
from jobplane.schemas.records.mappings import TopicMapping
from jobplane.schemas.records.offsets import PartitionOffset, SourceOffsets
from jobplane.schemas.records.sources import Sink, Source, sources_by_topic
from jobplane.schemas.records.state import Phase
from jobplane.schemas.records.tasks import Task, checkpoint_key
from jobplane.schemas.wire.codec import decode, encode
from jobplane.sql.codegen.compile import CompiledStep, Wiring
from jobplane.sql.codegen.groups import CompiledGroups, compile_groups
from jobplane.sql.plan.graph import Plan

MAPPED = TopicMapping("eu", "small", (), {}, "CREATE MAPPING eu EXTERNAL NAME small TYPE Kafka")
LARGE = Source("large", "id-large", (10, 11, 12, 13))
SMALL = Source("small", "id-small", (20, 21))
SOURCES = (SMALL, LARGE, Source("small", "id-small", (20, 21), mapping=MAPPED))


def task(index: int, tasks: int, layout: int = 0, former: tuple[FormerLayout, ...] = (), query: str = "") -> Task:
    return Task(
        uid="u-1",
        job="a",
        task=index,
        tasks=tasks,
        partition=index,
        layout=layout,
        generation=1,
        run=True,
        started=False,
        phase=Phase.WAITING,
        attempt=0,
        statement=f"CREATE JOB a AS INSERT INTO out {query}",
        options={},
        sources=SOURCES,
        sink=Sink("out", "id-out", 2),
        restore=None,
        snapshots=(),
        former=former,
    )


def usual(*_: object) -> tuple[int, int]:
    return 0, 0


def grown(*_: object) -> tuple[int, int]:
    return 1, 0


def pipeline(*sources: Source) -> Pipeline:
    def compiled(is_grown: bool) -> CompiledStep:  # noqa: FBT001
        return CompiledStep(grown if is_grown else usual, "")

    def groups() -> CompiledGroups:
        return compile_groups(Plan((), ()), Wiring("out", 2, {}, {}))

    by_topic = sources_by_topic(sources or SOURCES)
    return Pipeline(by_topic, (Sink("out", "id-out", 2),), JobOptions(), compiled, lambda: Plan((), ()), groups)


def test_a_topic_is_read_once_whatever_the_query_calls_it() -> None:
    assert [source.name for source in SOURCES] == ["small", "large", "eu"]
    assert list(sources_by_topic(SOURCES).values()) == [SMALL, LARGE]


def test_positions_are_by_topic_and_partition() -> None:
    assert pipeline().starts == {
        **{("small", p): 20 + p for p in range(2)},
        **{("large", p): 10 + p for p in range(4)},
    }
    assert pipeline().ends == {}
    bounded = pipeline(LARGE, Source("small", "id-small", (0, 0), (5, 6)))
    assert bounded.ends == {("small", 0): 5, ("small", 1): 6}


def test_a_checkpoint_names_every_topic_though_its_task_may_own_nothing_of_one() -> None:
    checkpoint = checkpoint_of(task(3, 4), pipeline(), pipeline().starts, 7, 2)
    assert checkpoint.sources == (
        SourceOffsets("small", "id-small", ()),
        SourceOffsets("large", "id-large", (PartitionOffset(3, 13),)),
    )
    assert decode(encode(checkpoint), Checkpoint) == checkpoint
    assert checkpoint.positions == {("large", 3): 13}
    assert checkpoint_of(task(0, 1), pipeline(), pipeline().starts).positions == pipeline().starts


@pytest.mark.parametrize(
    ("partition", "step"),
    [(("small", 1), usual), (("large", 3), usual), (("large", 9), usual), (("small", 2), grown)],
)
def test_only_partitions_added_to_a_mirrored_topic_need_another_step(partition: tuple[str, int], step: object) -> None:
    """`small` has as many partitions as the sink had; `large` never kept its numbers."""
    assert pipeline().step_for([("small", 0), partition]) is step


def former(number: int, tasks: int, *, started: bool = True) -> FormerLayout:
    return FormerLayout(number, tuple(LayoutTask(i, started) for i in range(tasks)))


def test_each_partition_goes_on_where_the_last_layout_that_read_it_left_it() -> None:
    """Three layouts: of four tasks, of one that never ran, of two. The next has three."""
    kept = {
        checkpoint_key("u-1", layout, index): checkpoint_of(
            *(task(index, tasks, layout), pipeline()),
            {at: offset + moved for at, offset in pipeline().starts.items()},
            state=b"%d of %d" % (index, layout),
        )
        for layout, tasks, moved in ((0, 4, 100), (2, 2, 200))
        for index in range(tasks)
    }

    def find(layout: int, index: int, partition: int) -> Checkpoint | None:
        assert partition == index
        return kept.get(checkpoint_key("u-1", layout, index))

    new = task(0, 3, 3, (former(2, 2), former(1, 1, started=False), former(0, 4)))
    positions, states = carried_over(new, pipeline().starts, find)
    assert states == [b"0 of 0", b"1 of 0", b"2 of 0", b"3 of 0", b"0 of 2", b"1 of 2"], "a later one counts"
    carried = checkpoint_of(new, pipeline(), positions)
    assert carried.positions == {("small", 0): 220, ("large", 0): 210, ("large", 3): 213}
    del kept["u-1/2/1"]
    with pytest.raises(CheckpointLost, match="u-1/2/1"):
        carried_over(new, pipeline().starts, find)


def test_a_checkpoint_of_a_layout_before_that_lacks_a_partition_is_no_place_to_go_on_from() -> None:
    new = task(0, 2, 1, (former(0, 1),))
    lacking = Checkpoint("u-1", 0, 0, 1, 1, (SourceOffsets("small", "id-small", (PartitionOffset(0, 1),)),))
    with pytest.raises(CheckpointLost, match="small-1"):
        carried_over(new, pipeline().starts, lambda *_: lacking)


def message(topic: str, partition: int, value: bytes) -> "Message[bytes, bytes]":
    return Message(topic, partition, 0, b"key", value, None, None, (1, 1234))


def written(step: Callable[..., tuple[int, int]], *messages: "Message[bytes, bytes]") -> list[tuple[Any, ...]]:
    """(value, partition) of what is produced."""
    found: list[tuple[Any, ...]] = []
    step(iter(messages), lambda *record: found.append((record[1], record[3])), None)
    return found


def test_records_of_all_topics_mixed_go_each_its_way() -> None:
    """A copy keeps the partition where its own topic is mirrored; the mapping and its topic are two names of one."""
    query = "SELECT * FROM small UNION ALL SELECT * FROM large UNION ALL SELECT * FROM eu"
    made = pipeline_of(task(0, 1, query=query))
    mixed = [message("small", 1, b"1"), message("large", 1, b"2"), message("small", 0, b"3"), message("small", 2, b"4")]
    assert written(made.step, *mixed[:3]) == [(b"1", 1), (b"1", 1), (b"2", -1), (b"3", 0), (b"3", 0)]
    assert written(made.step_for([("small", 2)]), *mixed[2:]) == [(b"3", 0), (b"3", 0), (b"4", -1), (b"4", -1)]


def test_the_sink_s_partitions_bound_what_a_query_may_choose() -> None:
    query = "SELECT id, p AS __partition FROM small UNION ALL SELECT id, p AS __partition FROM large"
    step = pipeline_of(task(0, 1, query=query)).step
    assert written(step, message("large", 0, b'{"id":1,"p":1}')) == [(b'{"id":1}', 1)]
    rows = iter([message("small", 0, b'{"p":1}'), message("large", 3, b'{"p":2}'), message("small", 0, b'{"p":0}')])
    with pytest.raises(BadRecord, match="__partition"):
        step(rows, lambda *_: None, None)  # type: ignore[arg-type]  # never full
    assert length_hint(rows) == 1, "the second is to blame"
