"""Nothing from outside stops the log: what nobody foresees ends one command, one task or one page, and no more."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from jobplane.controlplane.client.client import Client
from jobplane.controlplane.core.facts import Facts
from jobplane.controlplane.core.state import State
from jobplane.controlplane.core.step import EncodedEvent, StepInput, encode_events, judge
from jobplane.controlplane.decider.decider import Decider, DeciderMetrics, End
from jobplane.controlplane.decider.judge import Judge
from jobplane.controlplane.fetch.groups import Groups
from jobplane.controlplane.log import control_topics
from jobplane.controlplane.topics import COMMANDS
from jobplane.processors.kafka.cluster import Kafka
from jobplane.processors.protocol.steps import Step
from jobplane.schemas.changed import replace
from jobplane.schemas.records.events import JobCreated
from jobplane.schemas.records.state import Status
from tests.support.broker import KafkaBroker
from tests.support.system import System, system, until

STUCK = (
    "CREATE JOB x1 AS INSERT INTO {out} SELECT ROW(id, NULL) AS r FROM {src}",
    "CREATE JOB x2 AS INSERT INTO {out} SELECT INTERVAL '1' DAY * INTERVAL '1' DAY AS d FROM {src}",
    "CREATE JOB x3 AS INSERT INTO {out} SELECT ABS(ARRAY_DISTINCT(x)) AS d FROM {src}",
    """CREATE MAPPING m1 EXTERNAL NAME {src} TYPE Kafka OPTIONS (valueFormat 'avro', valueAvroSchema
       '{{"type": "record", "name": "R", "fields": [{{"name": "x", "type":
       {{"type": "bytes", "logicalType": "decimal", "precision": null}}}}]}}')""",
    """CREATE MAPPING m2 EXTERNAL NAME {src} TYPE Kafka OPTIONS (valueFormat 'avro', valueAvroSchema
       '{{"type": "record", "name": null, "fields": []}}')""",
)
"""Each of these ended the workers of an earlier version, and every worker that met it on the log afterwards."""


def test_a_plane_that_an_earlier_version_was_stuck_on_goes_on(broker: KafkaBroker, prefix: str, tmp_path: Path) -> None:
    with system(broker.bootstrap, prefix, tmp_path, hosts=1) as plane:
        worker = plane.worker()
        source, sink = plane.topic("in"), plane.topic("out")
        names = {"src": f'"{source}"', "out": f'"{sink}"'}
        plane.done(f'CREATE JOB before AS INSERT INTO "{sink}" SELECT * FROM "{source}"')
        worker.stop()  # the position of `state` is before what follows, as where a worker has died of it
        client = Client(plane.settings)
        sent = [client.emit(one.format(**names)) for one in STUCK]
        sent.append(client.emit(f'CREATE JOB after AS INSERT INTO "{sink}" SELECT id FROM "{source}"'))
        worker = plane.worker()
        plane.done("ALTER JOB before SUSPEND")
        outcomes = Counter(event.cause.offset for event in plane.events() if event.cause.topic == COMMANDS)
        assert [outcomes[one.offset] for one in sent] == [1] * len(sent)
        assert client.wait(sent[-1]).status == Status.RUNNING
        for one in sent[:-1]:
            reply = client.wait(one).reply
            assert reply is not None
            assert reply.verdict in ("refused", "accepted")
        assert worker.ready


def test_a_name_that_no_topic_can_have_is_one_commands_trouble(
    broker: KafkaBroker, prefix: str, tmp_path: Path
) -> None:
    with system(broker.bootstrap, prefix, tmp_path, hosts=1) as plane:
        worker = plane.worker()
        source, sink = plane.topic("in"), plane.topic("out")
        worker.stop()  # what follows is judged in one batch
        client = Client(plane.settings)
        odd = [
            client.emit(f'CREATE JOB odd AS INSERT INTO "{name}" SELECT id FROM "{source}"')
            for name in ("no topic!", "a/b", "ümlaut", "n" * 250, "..", "a\nb", "a\0b")
        ]
        good = client.emit(f'CREATE JOB good AS INSERT INTO "{sink}" SELECT id FROM "{source}"')
        plane.worker()
        assert client.wait(good).status == Status.RUNNING
        for one in odd:
            reply = client.wait(one).reply
            assert reply is not None
            assert reply.code == "topic-not-found", reply


def test_a_command_whose_events_cannot_be_folded_is_found_and_refused(
    broker: KafkaBroker, prefix: str, tmp_path: Path
) -> None:
    def odd(state: State, given: StepInput, facts: Facts, own: str) -> tuple[EncodedEvent, ...]:
        """The verdicts, but with tasks in a partition that `tasks` has not."""
        bodies = [one.event.body for one in judge(state, given, facts, own)]
        unfoldable = [replace(one, partitions=(99,)) if isinstance(one, JobCreated) else one for one in bodies]
        return encode_events(state, given, unfoldable)

    plane = System(broker.bootstrap, prefix, tmp_path)
    kafka, tally, stop = Kafka(broker.bootstrap), DeciderMetrics(), threading.Event()
    control_topics.ensure_topics(kafka, plane.settings)
    client = Client(plane.settings)
    create = f'CREATE JOB {{}} AS INSERT INTO "{plane.topic("out")}" SELECT * FROM "{plane.topic("in")}"'
    texts = ["DROP MAPPING IF EXISTS m1", create.format("a"), "DROP MAPPING IF EXISTS m2", create.format("b"), "SHOW"]
    sent = [client.emit(text) for text in texts]
    ended: list[End] = []
    with closing(Groups(plane.settings)) as groups:
        decider = Decider(kafka, prefix, tally, stop, groups, judge=Judge(prefix, tally.fault, odd))
        thread = threading.Thread(target=lambda: ended.append(decider.run()))
        thread.start()
        try:
            replies = [client.wait(one).reply for one in sent]
        finally:
            stop.set()
            thread.join(20)
    assert ended == [End.STOPPED]
    assert [reply and reply.verdict for reply in replies] == ["unchanged", "refused", "unchanged", "refused", "refused"]
    assert [reply and reply.code for reply in replies] == ["", "internal-error", "", "internal-error", "syntax"]
    assert tally.faults == {"decider": 3}  # all at once, then either culprit alone
    seqs = [event.seq for event in plane.events()]
    assert seqs == list(range(1, len(texts) + 1))
    assert all(not isinstance(event.body, JobCreated) for event in plane.events())
    assert client.jobs() == []


@pytest.fixture(scope="module")
def few(broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("few")
    environment = {"JOBPLANE_HOST_MODULE": "tests.support.faulty_host", "FAULT_FOLDER": str(folder)}
    with system(broker.bootstrap, "few.", folder, hosts=1, environment=environment) as made:
        made.worker()
        yield made


@pytest.fixture(scope="module")
def faulty(broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("faulty")
    environment = {"JOBPLANE_HOST_MODULE": "tests.support.faulty_host", "FAULT_FOLDER": str(folder)}
    with system(broker.bootstrap, "faulty.", folder, hosts=1, environment=environment) as made:
        made.worker()
        yield made


@pytest.mark.parametrize(
    "step", [Step.FENCE, Step.READ, Step.ASSIGN, Step.EVALUATE, Step.FLUSH, Step.COMMIT, Step.REPORT], ids=str
)
def test_a_fault_in_a_task_suspends_its_job_and_leaves_its_host(faulty: System, step: Step) -> None:
    (worker,) = faulty.workers
    hosts = worker.host_pids()
    source, sink = faulty.topic(f"in-{step}"), faulty.topic(f"out-{step}")
    faulty.produce(source, [(b"%d" % i, json.dumps({"id": i}).encode()) for i in range(2_000)])
    name = f"fault_{step}"
    faulty.sql(f'CREATE JOB {name} AS INSERT INTO "{sink}" SELECT id FROM "{source}"')
    until(lambda: faulty.jobs()[name]["status"] == Status.SUSPENDED, 30, "the job is suspended")
    failure = faulty.jobs()[name]["failure"]
    assert failure.startswith("INTERNAL_ERROR: the task met a fault of jobplane (KeyError, reference "), failure
    reference = failure.partition("reference ")[2][:8]
    log = worker.log.read_text()
    assert f"unforeseen error (KeyError, reference {reference})" in log
    assert f"KeyError: '{name}'" in log
    assert "HOST_DIED" not in failure
    assert worker.host_pids() == hosts
    assert 'jobplane_internal_errors_total{where="task"}' in worker.get("/metrics")[1]
    faulty.done(f"ALTER JOB {name} RESUME")
    found = faulty.await_values(sink, 2_000)
    assert sorted(json.loads(value or b"")["id"] for value in found) == list(range(2_000))
    faulty.done(f"DROP JOB {name}")


@pytest.mark.parametrize("step", [Step.FENCE, Step.READ, Step.COMMIT, Step.POLL, Step.EVALUATE, Step.REPORT], ids=str)
def test_a_fault_where_a_task_has_no_clients_leaves_it_to_its_own(few: System, step: Step) -> None:
    """Tasks that rest, and those with few records, go another way: what fails there is done again the usual way."""
    source, sink = few.topic(f"few-{step}"), few.topic(f"few-out-{step}")
    few.done(f'CREATE JOB fault_{step} AS INSERT INTO "{sink}" SELECT id FROM "{source}"')
    for i in range(5):
        few.produce(source, [(b"%d" % i, b'{"id": %d}' % i)])
        few.await_values(sink, i + 1)
    assert sorted(json.loads(value or b"")["id"] for value in few.values(sink)) == list(range(5))
    assert (few.folder / f"fault_{step}").exists()
    assert f"KeyError: 'fault_{step}'" in few.workers[0].log.read_text()
    few.done(f"DROP JOB fault_{step}")
