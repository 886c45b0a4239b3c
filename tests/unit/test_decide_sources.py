"""What is recorded of the sources of a new job: one for each name, each with its own topic's offsets."""

from dataclasses import replace

import pytest

from jobplane.controlplane.core.decide import decide, needed_topics
from jobplane.controlplane.core.facts import Facts, TopicFacts
from jobplane.controlplane.core.request import Request, parse_request
from jobplane.controlplane.core.state import State
from jobplane.schemas.records.events import JobCreated
from jobplane.schemas.records.mappings import TopicMapping
from jobplane.schemas.wire.command_record import read_command

MAPPED = TopicMapping("eu", "small", (), {}, "CREATE MAPPING eu EXTERNAL NAME small TYPE Kafka")
STATE = State([(("mapping", "eu"), MAPPED)])
INSTANT = 1_700_000_000_000
FACTS = Facts(
    "plane",
    {
        "large": TopicFacts("id-large", (1, 2, 3, 4), (11, 12, 13, 14)),
        "small": TopicFacts("id-small", (5, 6), (15, 16)),
        "out": TopicFacts("id-out", (0,), (9,)),
    },
    instants={("large", INSTANT): (7, 7, 7, 7), ("small", INSTANT): (8, 8)},
)


def request(options: str) -> Request:
    query = " UNION ALL ".join(f"SELECT * FROM {name}" for name in ("eu", "large", "small", "eu"))
    text = f"CREATE JOB a OPTIONS ({options}) AS INSERT INTO out {query}"
    return parse_request(read_command(0, 0, text.encode(), [], "jobplane."))


def created(options: str) -> JobCreated:
    (body,) = decide(STATE, request(options), FACTS, "jobplane.")
    assert isinstance(body, JobCreated)
    return body


def test_each_name_is_a_source_once_in_the_order_of_the_query() -> None:
    job = created("")
    assert [(one.name, one.topic, one.topic_id, one.mapping) for one in job.sources] == [
        ("eu", "small", "id-small", MAPPED),
        ("large", "large", "id-large", None),
        ("small", "small", "id-small", None),
    ]
    assert [one.start for one in job.sources] == [(5, 6), (1, 2, 3, 4), (5, 6)]
    assert [one.end for one in job.sources] == [(), (), ()]
    assert len(job.partitions) == 4, "as many tasks as the largest source has partitions"


def test_where_it_begins_and_ends_is_resolved_for_each_topic() -> None:
    latest = created("startFrom 'latest', stopAt 'latest'")
    assert [one.start for one in latest.sources] == [(15, 16), (11, 12, 13, 14), (15, 16)]
    assert [one.end for one in latest.sources] == [one.start for one in latest.sources]
    since = created("startFrom '2023-11-14T22:13:20Z'")
    assert [one.start for one in since.sources] == [(8, 8), (7, 7, 7, 7), (8, 8)]


def test_an_instant_before_1970_is_the_earliest_record() -> None:
    for text in ("1900-01-01T00:00:00Z", "1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.998Z", "0001-01-01"):
        assert [one.start for one in created(f"startFrom '{text}'").sources] == [(5, 6), (1, 2, 3, 4), (5, 6)]
        assert needed_topics(STATE, request(f"startFrom '{text}'"), "jobplane.", {})[1] == set()


def test_an_instant_later_than_all_records_is_told() -> None:
    ends = {("large", INSTANT): (11, 12, 13, 14), ("small", INSTANT): (15, 16)}
    (body,) = decide(STATE, request("startFrom '2023-11-14T22:13:20Z'"), replace(FACTS, instants=ends), "jobplane.")
    assert isinstance(body, JobCreated)
    (notice,) = body.notices
    assert notice == (
        "startFrom: no record is as new as '2023-11-14T22:13:20Z'; the job reads the records that arrive from now on, "
        "as with 'latest'"
    )
    assert created("startFrom '2023-11-14T22:13:20Z'").notices == ()


def test_an_instant_later_than_all_records_of_a_bounded_job_is_told() -> None:
    ends = {("large", INSTANT): (11, 12, 13, 14), ("small", INSTANT): (15, 16)}
    options = "startFrom '2023-11-14T22:13:20Z', stopAt 'latest'"
    (body,) = decide(STATE, request(options), replace(FACTS, instants=ends), "jobplane.")
    assert isinstance(body, JobCreated)
    assert body.notices == (
        (
            "startFrom: no record is as new as '2023-11-14T22:13:20Z', and none is read after stopAt 'latest': "
            "the job reads nothing and ends"
        ),
    )


@pytest.mark.parametrize(
    "text",
    [
        "2023-11-14T22:13:20Z",
        "2023-11-14 23:13:20+01:00",
        "20231114T221320Z",
        "2023-W46-2T22:13:20",
        "2023-11-14T22:13:20.000",
    ],
)
def test_instants_are_written_in_the_forms_of_iso_8601(text: str) -> None:
    assert needed_topics(STATE, request(f"startFrom '{text}'"), "jobplane.", {})[1] == {
        (topic, INSTANT) for topic in ("eu", "small", "large")
    }


def test_the_facts_of_all_topics_are_asked_for() -> None:
    topics, instants = needed_topics(STATE, request("startFrom '2023-11-14T22:13:20Z'"), "jobplane.", {})
    assert topics == {"eu", "small", "large", "out"}
    assert instants == {(topic, INSTANT) for topic in ("eu", "small", "large")}
