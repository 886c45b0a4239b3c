"""Answers that the client library left unset: each is asked again, and none is taken at its word."""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from jobplane.processors.kafka import questions
from jobplane.processors.kafka.answers import (
    Doubt,
    NoAnswer,
    OutOfRange,
    bounds_answer,
    brokers_answer,
    offset_answer,
    setting_answer,
    topic_answer,
)
from jobplane.processors.kafka.judging import judged
from jobplane.processors.kafka.questions import Questions, setting_of


@pytest.mark.parametrize("unset", [-1001, -1, None, "7"])
def test_an_offset_below_zero_is_not_an_answer(unset: object) -> None:
    with pytest.raises(NoAnswer, match="t-0"):
        offset_answer("t-0", unset)


def test_an_offset_of_zero_is_one_and_so_is_none_since() -> None:
    assert offset_answer("t-0", 0) == 0
    assert offset_answer("t-0", -1, least=-1) == -1
    with pytest.raises(NoAnswer):
        offset_answer("t-0", -1001, least=-1)


@pytest.mark.parametrize("unset", [None, (-1001, -1001), (0, -1001), (-1001, 5)])
def test_bounds_are_both_known_or_not_an_answer(unset: tuple[int, int] | None) -> None:
    with pytest.raises(NoAnswer):
        bounds_answer("t-0", unset)
    assert bounds_answer("t-0", (3, 9)) == (3, 9)


@pytest.mark.parametrize(
    ("topic_id", "partitions"), [(None, [1]), ("", [1]), ("AAAAAAAAAAAAAAAAAAAAAA", [1]), ("x", []), ("x", None)]
)
def test_a_topic_without_id_or_partitions_is_not_known_yet(topic_id: object, partitions: list[int] | None) -> None:
    with pytest.raises(NoAnswer):
        topic_answer("t", topic_id, partitions)
    assert topic_answer("t", "x", [0, 1]) == ("x", 2)


def test_settings_and_brokers() -> None:
    assert setting_answer("a", "1") == "1"
    assert brokers_answer((1,)) == (1,)
    for unset in (lambda: setting_answer("a", None), lambda: brokers_answer(()), lambda: setting_of({}, "t", "a")):
        with pytest.raises(NoAnswer):
            unset()


def test_a_client_that_misses_an_offset_proves_nothing() -> None:
    """Only the broker's first and last offsets decide whether data was lost."""
    for code in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
        assert isinstance(judged(KafkaException(KafkaError(code))), OutOfRange)


class Client:
    """An admin client whose answers are made: for each call the next mapping of offsets, or of errors."""

    def __init__(self, answers: Iterator[Mapping[int, int | Exception | None]]) -> None:
        self._answers = answers
        self.asked: list[set[int]] = []

    def list_offsets(self, wanted: Mapping[TopicPartition, Any], **_: Any) -> dict[TopicPartition, Future[Any]]:
        self.asked.append({at.partition for at in wanted})
        answers, futures = next(self._answers), {}
        for at in wanted:
            futures[at] = future = Future[Any]()
            answer = answers[at.partition]
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(SimpleNamespace(offset=answer))
        return futures


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "AGAIN_S", 0.0)


def made(*answers: Mapping[int, int | Exception | None]) -> tuple[Questions, list[Client]]:
    """Questions whose clients give these answers, and the clients as they come into being."""
    told, clients = iter(answers), list[Client]()

    def create() -> Any:
        clients.append(Client(told))
        return clients[-1]

    return Questions(create), clients


PLACES = [("t", 0), ("t", 1)]


def test_what_is_not_answered_is_asked_again_of_the_same_client_and_only_that() -> None:
    asked, clients = made({0: 4, 1: -1001}, {1: None}, {1: 7})
    assert asked.last_offsets(PLACES, lambda: None) == {("t", 0): 4, ("t", 1): 7}
    assert [client.asked for client in clients] == [[{0, 1}, {1}, {1}]]


def test_after_an_error_a_new_client_is_asked() -> None:
    stale = KafkaException(KafkaError(KafkaError.FENCED_LEADER_EPOCH))
    asked, clients = made({0: stale, 1: 1}, {0: 2})
    assert asked.first_offsets(PLACES, lambda: None) == {("t", 0): 2, ("t", 1): 1}
    assert [client.asked for client in clients] == [[{0, 1}], [{0}]]


def test_what_is_never_answered_is_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "CALL_S", 0.0)
    asked, _ = made({0: -1001, 1: 1}, {0: -1001}, {0: -1001})
    with pytest.raises(Doubt, match="t-0: the client answered offset -1001"):
        asked.last_offsets(PLACES, lambda: None)


def test_a_partition_that_the_broker_does_not_know_is_doubt() -> None:
    unknown = KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
    asked, _ = made({0: unknown, 1: 1})
    with pytest.raises(Doubt, match="t-0: the broker does not know it"):
        asked.first_offsets(PLACES, lambda: None)


def test_an_instant_that_no_record_is_after_is_an_answer() -> None:
    asked, _ = made({0: -1, 1: -1001}, {1: 3})
    assert asked.offsets_since(PLACES, 1) == {("t", 0): -1, ("t", 1): 3}
