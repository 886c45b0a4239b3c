"""A task's producer never has a queue that is full without a batch in it that may leave."""

import pytest

from jobplane.processors.task.runner import producer_settings


@pytest.mark.parametrize("partitions", [1, 3, 4, 5, 50, 1000])
@pytest.mark.parametrize("limits", [(1_048_588,), (100_000, 1_048_588), (10_485_760, 50_000)])
def test_one_batch_is_full_when_the_queue_is(partitions: int, limits: tuple[int, ...]) -> None:
    settings = producer_settings(limits, partitions, 1_000)
    queue = settings["queue_buffering_max_kbytes"] * 1000
    assert partitions * settings["batch_size"] <= queue
    assert partitions * settings["batch_num_messages"] <= settings["queue_buffering_max_messages"]
    assert settings["batch_size"] <= min(limits), "a batch is no larger than its topic takes"
    assert queue >= settings["message_max_bytes"] // 1000 * 1000 == max(limits) // 1000 * 1000
