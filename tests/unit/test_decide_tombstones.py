"""Whether a job may forward tombstones is judged by its plan, also when an option of it is altered."""

from dataclasses import replace

import pytest

from jobplane.controlplane.core.outcome import answer_of
from jobplane.controlplane.query.dead_letters import retry_statement
from jobplane.schemas.records.plans import RecordedPlan
from jobplane.schemas.records.state import Job
from jobplane.schemas.records.tasks import Task
from tests.support.plane import Plane, topic

ALTER = "ALTER JOB j OPTIONS (tombstones 'forward')"


def suspended(query: str, options: str = "") -> Plane:
    plane = Plane({"src": topic(1), "out": topic(1), "jobplane.dead-letters": topic(1)})
    plane.command(f"CREATE JOB j {options} AS INSERT INTO out {query}")
    plane.command("ALTER JOB j SUSPEND")
    return plane


def job(plane: Plane) -> Job:
    return plane.state.jobs[plane.state.names["j"]]


def answer(plane: Plane, statement: str = ALTER) -> tuple[str, str]:
    reply = answer_of(plane.command(statement)[0], "j")
    assert reply is not None
    return reply.code, reply.message


def with_plan(plane: Plane, recorded: RecordedPlan | None) -> Plane:
    """The plane whose job has another plan."""
    one = job(plane)
    plane.state.jobs[one.uid] = replace(one, plan=recorded)
    return plane


IN_THE_WAY = (
    "bad-option-value",
    (
        "a record without a value cannot be forwarded: the query computes __key, __partition from the value; "
        "compute from __key alone, or leave tombstones 'skip'"
    ),
)


@pytest.mark.parametrize("recorded", [True, False])
def test_a_key_of_the_value_is_refused_whether_or_not_the_plan_was_recorded(*, recorded: bool) -> None:
    plane = suspended("SELECT id AS __key, part AS __partition, 1 AS one FROM src")
    assert answer(plane if recorded else with_plan(plane, None)) == IN_THE_WAY


def test_a_plan_of_a_later_version_is_not_judged() -> None:
    plane = suspended("SELECT id FROM src")
    recorded = job(plane).plan
    assert recorded is not None
    code, message = answer(with_plan(plane, replace(recorded, planner=99)))
    assert (code, message.partition(":")[0]) == ("bad-option-value", "the plan of the job's query cannot be read here")


def test_the_tasks_of_the_next_start_have_the_option() -> None:
    plane = suspended("SELECT id FROM src")
    assert answer(plane, f"{ALTER} RESUME") == ("", "")
    (task,) = plane.tasks.values()
    assert isinstance(task, Task)
    assert task.options == {"tombstones": "forward"}


def test_a_retry_treats_tombstones_as_its_job() -> None:
    plane = suspended("SELECT id FROM src", "OPTIONS (tombstones 'forward')")
    assert "'tombstones' = 'forward'" in retry_statement(job(plane))
    assert answer(plane, retry_statement(job(plane))) == ("", "")


def test_a_retry_of_a_query_with_a_key_of_the_value_is_refused() -> None:
    plane = suspended("SELECT id AS __key, part AS __partition, 1 AS one FROM src")
    options = "OPTIONS (retryOf 'j', tombstones 'forward')"
    assert answer(plane, job(plane).statement.replace("JOB j", f"JOB r {options}")) == IN_THE_WAY
