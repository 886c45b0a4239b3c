"""What a verdict says of what is not there, or cannot be known."""

from collections.abc import Collection

import pytest

from jobplane.controlplane.core.facts import Facts, explain_missing_job
from jobplane.controlplane.core.setup_advice import missing_dot_warning, not_set_up_error
from jobplane.controlplane.fetch.topics import describe_topics
from jobplane.schemas.errors import FactsUnavailable, NotAuthorized, Place, RegistryRefused, TopicNotFound
from jobplane.schemas.failures import KafkaRefused
from jobplane.schemas.records.events import CommandRefused
from jobplane.schemas.records.failure import Failure
from jobplane.schemas.records.reports import Report, ReportKind
from tests.support.plane import Plane, topic

PLACE = Place(1, 9)
ANEW = "CREATE JOB starts a new one"


@pytest.fixture
def plane() -> Plane:
    plane = Plane({name: topic(1) for name in ("src", "out")})
    plane.command("CREATE JOB a OPTIONS (suspendOnFailure 'false') AS INSERT INTO out SELECT * FROM src")
    return plane


def reported(plane: Plane, said: ReportKind, failure: Failure | None = None) -> None:
    job = plane.state.jobs[plane.state.names["a"]]
    plane.report(Report(job.uid, 0, job.generation, 1, said, "w", failure))


def refused(plane: Plane, text: str) -> str:
    (body,) = (event.body for event in plane.command(text))
    assert isinstance(body, CommandRefused)
    assert body.code == "job-not-found"
    return body.message


def test_no_job_was_ever_called_so(plane: Plane) -> None:
    assert refused(plane, "DROP JOB A") == "no live job is called 'A'; did you mean 'a'?"


def test_a_job_that_was_dropped(plane: Plane) -> None:
    reported(plane, ReportKind.RUNNING)
    plane.command("DROP JOB a")
    assert explain_missing_job(plane.state, "a") == "no live job is called 'a': it was dropped (CANCELLED)"
    job = next(iter(plane.state.jobs.values()))
    plane.report(Report(job.uid, 0, job.generation, 1, ReportKind.STOPPED, "w"))
    assert refused(plane, "ALTER JOB a RESUME") == (
        f"no live job is called 'a': it was dropped (CANCELLED) at 1970-01-01 00:16:40 UTC; {ANEW}"
    )


def test_a_job_that_has_failed(plane: Plane) -> None:
    reported(plane, ReportKind.FAILED, Failure("BAD_RECORD", "x" * 300, "src-0@7"))
    message = refused(plane, "CREATE SNAPSHOT s FOR JOB a")
    assert message.startswith("no live job is called 'a': it FAILED at 1970-01-01 00:16:40 UTC (BAD_RECORD: xxx")
    assert message.endswith(f"xxx…); {ANEW}")


def test_a_job_that_has_completed(plane: Plane) -> None:
    reported(plane, ReportKind.COMPLETED)
    assert refused(plane, "DROP JOB a").startswith("no live job is called 'a': it has COMPLETED at 1970-01-01")


def test_the_newest_of_a_name_counts(plane: Plane) -> None:
    reported(plane, ReportKind.COMPLETED)
    plane.command("CREATE JOB a AS INSERT INTO out SELECT * FROM src")
    plane.command("DROP JOB a")
    assert "it was dropped" in refused(plane, "DROP JOB a")


@pytest.mark.parametrize(
    ("facts", "name", "expected", "message"),
    [
        (Facts("p", unavailable="x"), "a b", TopicNotFound, "'a b' is not a topic name"),
        (Facts("p"), "x" * 250, TopicNotFound, f"'{'x' * 60}…' is not a topic name"),
        (Facts("p", denied={"a": "not allowed"}), "a", NotAuthorized, "topic 'a': not allowed"),
        (
            Facts("p", unavailable="x"),
            "a",
            FactsUnavailable,
            "topic 'a' cannot be looked up: x; send the command again; if it has",
        ),
    ],
)
def test_what_never_goes_well_is_told_from_what_may(
    facts: Facts, name: str, expected: type[TopicNotFound], message: str
) -> None:
    with pytest.raises(expected) as error:
        facts.topic(name, PLACE)
    assert error.value.message.startswith(message)
    assert error.value.place == PLACE


def test_what_a_registry_denies_is_not_asked_again() -> None:
    facts = Facts("p", registry_denied={("s", None): "no entry"}, registry_silent="x")
    with pytest.raises(RegistryRefused, match="no entry"):
        facts.latest_schema("s", PLACE)


def test_a_prefix_without_its_dot_is_told() -> None:
    said = not_set_up_error(
        "foocommands", "foo", "kafka:9092", ("foo.commands", "foo.events", "bar.commands", "bar.events")
    )
    assert said.message == (
        "there is no topic 'foocommands' at kafka:9092: the prefix 'foo' has no dot at its end; did you mean 'foo.'?"
    )


def test_the_first_worker_is_started_with_a_dot_behind_the_prefix() -> None:
    assert "--prefix foo." in not_set_up_error("foocommands", "foo", "kafka:9092", ()).message
    assert "--prefix foo_" in not_set_up_error("foo_commands", "foo_", "kafka:9092", ()).message


def test_a_worker_says_what_topics_a_prefix_without_its_dot_has() -> None:
    assert missing_dot_warning("shop") == (
        "the prefix 'shop' has no dot at its end: topics are called 'shopcommands', and every topic that begins with "
        "'shop' is reserved; usually it is 'shop.'"
    )
    assert [missing_dot_warning(one) for one in ("shop.", "shop-", "shop_")] == ["", "", ""]


class Guarded:
    """What Kafka tells of topics where an ACL hides one of them."""

    def topics(self, names: Collection[str]) -> dict[str, tuple[str, int]]:
        if "secret" in names:
            raise KafkaRefused("not allowed")
        return dict.fromkeys(names, ("id", 1))


def test_what_kafka_hides_of_one_topic_is_no_matter_for_the_others() -> None:
    found, denied = describe_topics(Guarded(), ["a", "secret", "b"])
    assert (list(found), denied) == (["a", "b"], {"secret": "not allowed"})
    assert describe_topics(Guarded(), []) == ({}, {})
