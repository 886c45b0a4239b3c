"""The line that says what became of a statement."""

import pytest

from jobplane.controlplane.core.outcome import answer_of
from jobplane.controlplane.core.subject import outcome_line, subject_of
from jobplane.sql.syntax.parser import parse
from tests.support.plane import Plane, topic

CREATE = "CREATE JOB {}a AS INSERT INTO out SELECT * FROM src"


@pytest.mark.parametrize(
    ("sql", "line"),
    [
        (CREATE.format(""), "accepted job a NOT_RUNNING"),
        (CREATE.format("IF NOT EXISTS "), "unchanged job a NOT_RUNNING: job 'a' exists"),
        ("ALTER JOB a SUSPEND", "accepted job a SUSPENDING"),
        ("ALTER JOB a OPTIONS (metricsEnabled 'false')", "accepted job a SUSPENDING"),
        ("CREATE SNAPSHOT monday FOR JOB a", "accepted snapshot monday of job a"),
        ("DROP SNAPSHOT IF EXISTS monday", "unchanged snapshot monday: no snapshot is called 'monday'"),
        ('CREATE MAPPING "my map" EXTERNAL NAME src TYPE Kafka', 'accepted mapping "my map"'),
        ("DROP MAPPING IF EXISTS other", "unchanged mapping other: no mapping is called 'other'"),
        ("DROP JOB IF EXISTS nobody", "unchanged job nobody: no live job is called 'nobody'"),
        ("DROP JOB a", "accepted job a CANCELLING"),
    ],
)
def test_a_line_says_verdict_kind_name_and_status(world: Plane, sql: str, line: str) -> None:
    event = world.command(sql)[0]
    reply = answer_of(event, "a")
    assert reply is not None
    assert outcome_line(reply, subject_of(parse(sql)), getattr(event.body, "status", "")) == line


@pytest.fixture(scope="module")
def world() -> Plane:
    return Plane({"src": topic(2), "out": topic(2)})


def test_a_command_whose_text_is_gone_still_names_its_job(world: Plane) -> None:
    reply = answer_of(world.command("DROP JOB IF EXISTS nobody")[0], "big")
    assert reply is not None
    assert outcome_line(reply, None, "RUNNING").startswith("unchanged job big RUNNING: ")


def test_what_only_reads_speaks_of_nothing() -> None:
    assert subject_of(parse("SHOW JOBS")) is None
