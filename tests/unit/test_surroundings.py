"""When a task may rest: nothing to read, and nothing to judge."""

from dataclasses import replace

import pytest

from jobplane.processors.dormancy.surroundings import Surroundings
from jobplane.processors.pipeline import pipeline_of
from jobplane.processors.task.context import Rest
from jobplane.processors.task.restore import checkpoint_of
from tests.support.plane import Plane, topic

TOPICS = {"in": ("id-in", 4), "out": ("id-out", 4)}
FIRST = {("in", p): 0 for p in range(4)}
LAST = {("in", p): 100 for p in range(4)}
QUIET = Surroundings(TOPICS, FIRST, LAST)


def rest(at: int = 100) -> Rest:
    """Of task 1 of two: it owns the partitions 1 and 3."""
    plane = Plane({"in": topic(4, topic_id="id-in"), "out": topic(4, topic_id="id-out")})
    plane.command('CREATE JOB j OPTIONS (parallelism \'2\') AS INSERT INTO "out" SELECT * FROM "in"')
    task = next(one for one in plane.tasks.values() if one.task == 1)
    pipeline = pipeline_of(task)
    checkpoint = checkpoint_of(task, pipeline, dict.fromkeys(pipeline.starts, at))
    return Rest(task, pipeline, checkpoint, checkpoint.positions)


def test_a_task_that_has_read_everything_rests() -> None:
    assert rest().positions.keys() == {("in", 1), ("in", 3)}
    assert QUIET.let_rest(rest())


@pytest.mark.parametrize(
    "seen",
    [
        replace(QUIET, last=LAST | {("in", 3): 101}),
        replace(QUIET, last=LAST | {("in", 3): 99}),
        replace(QUIET, last={("in", 1): 100}),
        replace(QUIET, first=FIRST | {("in", 1): 101}),
        replace(QUIET, topics=TOPICS | {"in": ("id-other", 4)}),
        replace(QUIET, topics=TOPICS | {"out": ("id-other", 4)}),
        replace(QUIET, topics={"in": TOPICS["in"]}),
        replace(QUIET, topics={"out": TOPICS["out"]}),
        replace(QUIET, topics=TOPICS | {"in": ("id-in", 6)}),
    ],
    ids=["input", "cut-off", "unknown", "trimmed", "source-anew", "sink-anew", "no-sink", "no-source", "partitions"],
)
def test_a_task_with_something_to_read_or_to_judge_does_not(seen: Surroundings) -> None:
    assert not seen.let_rest(rest())


def test_what_happens_in_partitions_of_other_tasks_is_nothing_to_it() -> None:
    seen = replace(QUIET, last=LAST | {("in", 0): 500}, topics=TOPICS | {"in": ("id-in", 5)})
    assert seen.let_rest(rest())
