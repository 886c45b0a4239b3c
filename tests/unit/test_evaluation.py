"""A batch through a step: what is written, counted, treated, and where it stops."""

from typing import Any

import pytest
from confluent_kafka import Message

from jobplane.processors.evaluation.batch import Evaluation, RecordBatch
from jobplane.processors.evaluation.dead_letters import DeadLetterWriter
from jobplane.processors.evaluation.place import Place, position
from jobplane.processors.evaluation.sink import into_sinks, keyed
from jobplane.processors.evaluation.verdict import TREATMENTS, RecordPolicy, Treatment
from jobplane.processors.kafka.cluster import Taken
from jobplane.schemas.failures import BadRecord, LateRecord, RecordFailure, RecordTooLarge, WithoutKey
from jobplane.schemas.options import OnError
from jobplane.sql.codegen.compile import Step, Wiring, compile_step
from jobplane.sql.plan.plan import plan
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse

WITHOUT = b'{"a":"no key"}'
LARGE = b'{"a": "%s"}' % (b"x" * 100)


def step(query: str) -> Step:
    statement = parse(f"CREATE JOB j AS INSERT INTO out {query}")
    assert isinstance(statement, statements.CreateJob)
    return compile_step(plan(statement.inserts[0]), Wiring("out", 1, {"s": "s"}, {"s": 0})).step


def messages(*values: bytes) -> list[Any]:
    return [Message("s", 0, offset, b"k", value, None, None, (1, 0)) for offset, value in enumerate(values)]


class Bench:
    """An evaluation whose records and dead letters stay here; the sink takes no value of 100 bytes."""

    def __init__(self, query: str, on_error: OnError, *, transaction: bool = True) -> None:
        self.out: list[bytes] = []
        self.letters: list[int] = []
        self.codes: list[str] = []
        self.left_out: dict[Place, RecordFailure] = {}
        self.policy = RecordPolicy(on_error, {"out": 100}, "letters")

        def produce(_: str, value: bytes, *__: Any) -> None:
            if value == WITHOUT:
                raise WithoutKey("no key")
            if len(value) > 100:
                raise RecordTooLarge("too large")
            self.out.append(value)

        self.evaluation = Evaluation(step(query), produce, self._never, None, self.policy, transaction, self.left_out)

    def run(self, messages: list[Any]) -> tuple[RecordBatch, RecordFailure | None]:
        """The batch, and the failure at which it stopped: at the first verdict to stop or to leave a record out."""
        batch = RecordBatch(messages)
        for verdict in self.evaluation.verdicts(batch):
            match verdict.treatment:
                case Treatment.STOP:
                    return batch, self.policy.at_record(verdict.failure, verdict.record)
                case Treatment.LEAVE_OUT:
                    self.left_out[position(verdict.record)] = verdict.failure
                    return batch, verdict.failure
                case Treatment.DEAD_LETTER:
                    self.letters.append(verdict.record.offset() or 0)
            self.codes.append(verdict.failure.code)
        return batch, None

    @staticmethod
    def _never(*_: Any) -> None:
        raise AssertionError("the queue is never full here")


@pytest.mark.parametrize(("on_error", "letters"), [(OnError.SKIP, []), (OnError.DEAD_LETTER, [1, 3, 4])])
def test_bad_records_are_passed_and_the_good_between_them_counted(on_error: OnError, letters: list[int]) -> None:
    bench = Bench("SELECT a FROM s", on_error)
    batch, culprit = bench.run(messages(b'{"a":0}', b"{", b'{"a":2}', LARGE, b"[", b'{"a":5}'))
    assert (batch.unread, culprit, batch.written) == ([], None, 3)
    assert bench.out == [b'{"a":0}', b'{"a":2}', b'{"a":5}']
    assert bench.codes == ["BAD_RECORD", "RECORD_TOO_LARGE", "BAD_RECORD"]
    assert bench.letters == letters


def test_it_stops_at_the_culprit() -> None:
    bench = Bench("SELECT a FROM s", OnError.FAIL)
    batch, culprit = bench.run(messages(b'{"a":0}', b"{", b'{"a":2}'))
    assert [one.offset() for one in batch.unread] == [1, 2]
    assert isinstance(culprit, BadRecord)
    assert batch.written == 1


def test_what_kafka_is_known_not_to_take_is_passed_in_its_place() -> None:
    bench = Bench("SELECT a FROM s", OnError.DEAD_LETTER)
    bench.left_out["s", 0, 1] = BadRecord("the broker said so")
    bench.left_out["s", 0, 4] = BadRecord("the broker said so")
    batch, _ = bench.run(messages(b'{"a":0}', b'{"a":1}', b"{", b'{"a":3}', b'{"a":4}'))
    assert (batch.unread, batch.written) == ([], 2)
    assert bench.letters == [1, 2, 4]


def test_a_dead_letter_that_is_too_large_stops_the_task() -> None:
    writer = DeadLetterWriter(lambda *_: None, lambda *_: None, "letters", 10, "j", "uid")
    with pytest.raises(RecordTooLarge, match="its dead letter is larger than the 10 bytes 'letters' takes") as raised:
        writer.write(messages(b"{")[0], BadRecord("no JSON"))
    assert raised.value.at == "s-0@0"


def test_a_refused_record_is_left_out_once_and_its_dead_letter_never() -> None:
    policy, (message,) = RecordPolicy(OnError.DEAD_LETTER, {"out": 100}, "letters"), messages(b"{}")
    refusal = BadRecord("the broker said so")
    assert policy.verdict_on_refusal(refusal, message, None, ()).treatment is Treatment.LEAVE_OUT
    assert policy.verdict_on_refusal(refusal, message, None, [("s", 0, 0)]).treatment is Treatment.STOP
    stopped = policy.verdict_on_refusal(refusal, message, ("s", 0, 0), ())
    assert (stopped.treatment, stopped.failure.at) == (Treatment.STOP, "s-0@0")
    assert stopped.failure.message.startswith("'letters' does not take its dead letter: the broker said so; ALTER JOB")
    fail = RecordPolicy(OnError.FAIL, {"out": 100}, "letters")
    assert fail.verdict_on_refusal(refusal, message, None, ()).treatment is Treatment.STOP


SEVERAL = "SELECT p FROM s CROSS JOIN UNNEST(a) AS t (p)"
GIVEN = (b'{"a":["0"]}', b'{"a":["1","%s"]}' % (b"x" * 100), b'{"a":["2"]}')


def test_where_some_of_a_record_is_in_the_transaction_it_is_left_out_in_a_new_session() -> None:
    bench = Bench(SEVERAL, OnError.SKIP)
    _, left_out = bench.run(messages(*GIVEN))
    assert (isinstance(left_out, RecordTooLarge), list(bench.left_out)) == (True, [("s", 0, 1)])
    bench.out.clear()
    batch, culprit = bench.run(messages(*GIVEN))
    assert (batch.unread, culprit, batch.written) == ([], None, 2)
    assert bench.codes == ["RECORD_TOO_LARGE"]
    assert bench.out == [b'{"p":"0"}', b'{"p":"2"}']


def test_without_a_transaction_what_was_written_of_it_stays() -> None:
    bench = Bench(SEVERAL, OnError.SKIP, transaction=False)
    batch, culprit = bench.run(messages(*GIVEN))
    assert (batch.unread, culprit) == ([], None)
    assert bench.out == [b'{"p":"0"}', b'{"p":"1"}', b'{"p":"2"}']


@pytest.mark.parametrize("on_error", [OnError.FAIL, OnError.SKIP, OnError.DEAD_LETTER])
def test_a_record_without_a_key_is_to_blame_at_once(on_error: OnError) -> None:
    bench = Bench("SELECT a FROM s", on_error)
    batch, culprit = bench.run(messages(b'{"a":0}', WITHOUT, b'{"a":2}'))
    if on_error is OnError.FAIL:
        assert (len(batch.unread), batch.written, str(culprit)) == (2, 1, "no key")
        assert getattr(culprit, "at", "") == "s-0@1"
    else:
        assert (batch.unread, batch.written, bench.codes) == ([], 2, ["BAD_RECORD"])
        assert bench.letters == ([1] if on_error is OnError.DEAD_LETTER else [])


def test_one_without_a_key_among_several_of_a_message_needs_a_new_session() -> None:
    query, message = "SELECT a FROM s CROSS JOIN UNNEST(list) AS a", b'{"list":["x","no key"]}'
    bench = Bench(query, OnError.FAIL)
    _, left_out = bench.run(messages(b'{"list":["x"]}', message))
    assert (str(left_out), list(bench.left_out)) == ("no key", [("s", 0, 1)])
    again, culprit = bench.run(messages(b'{"list":["x"]}', message))
    assert (len(again.unread), again.written, str(culprit)) == (1, 1, "no key")
    assert getattr(culprit, "at", "") == "s-0@1"


def test_of_several_sinks_each_takes_what_it_takes_and_what_is_refused_says_which() -> None:
    took: list[str] = []
    produce = into_sinks(
        lambda topic, *_: took.append(topic), {"a": Taken(10, keyed=False), "b": Taken(5, keyed=True)}, 10
    )
    produce("a", b"12345678", None)
    produce("b", b"1234", b"k")
    policy, (message,) = RecordPolicy(OnError.SKIP, {"a": 10, "b": 5}), messages(b"{}")
    for topic, value, key, said in (
        ("a", b"12345678901", b"", "the record is larger than the 10 bytes 'a' takes; raise max.message.bytes"),
        ("b", b"123456", b"k", "the record is larger than the 5 bytes 'b' takes; raise max.message.bytes"),
        ("b", b"1", None, "'b' is compacted and takes only records with a key"),
    ):
        with pytest.raises((RecordTooLarge, WithoutKey)) as refused:
            produce(topic, value, key)
        assert policy.verdict(refused.value, message).failure.message.startswith(said)
    assert took == ["a", "b"]
    of_kafka = policy.verdict_on_refusal(RecordTooLarge("Kafka said so"), message, None, ()).failure.message
    assert "larger than one of the topics takes that it gives a record to (bytes: 'a' 10, 'b' 5)" in of_kafka


def test_keyed_stops_records_without_a_key() -> None:
    taken: list[tuple[Any, ...]] = []
    produce = keyed(lambda *record: taken.append(record), "out")
    produce("out", b"v", b"", 3)
    with pytest.raises(WithoutKey, match="'out' is compacted and takes only records with a key"):
        produce("out", b"v", None, 3)
    assert taken == [("out", b"v", b"", 3)]


@pytest.mark.parametrize("on_late", OnError)
def test_a_late_record_goes_the_way_of_on_late(on_late: OnError) -> None:
    policy, (message,) = RecordPolicy(OnError.FAIL, {"out": 100}, "letters", on_late), messages(b"{}")
    late = LateRecord("2026-01-31T08:31:00Z", "2026-01-31T08:31:05Z", "PT5S", "s-0")
    verdict = policy.verdict(late, message)
    assert (verdict.treatment, verdict.failure.code) == (TREATMENTS[on_late], "LATE")
    assert policy.verdict(BadRecord("no JSON"), message).treatment is Treatment.STOP
