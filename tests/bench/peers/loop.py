"""A plain loop over confluent-kafka, exactly once, as one would write it by hand: records one by one, json.

Arguments: bootstrap, source, sink, group, copy or filter, milliseconds between commits.
"""

import json
import sys
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

PARTITIONS = 4


def changed(work: str, value: bytes) -> bytes | None:
    if work == "copy":
        return value
    row = json.loads(value)
    if not row["amount"] > 50:
        return None
    return json.dumps({"id": row["id"], "user": row["user"], "doubled": row["amount"] * 2}).encode()


def main(bootstrap: str, source: str, sink: str, group: str, work: str, interval: str) -> None:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "queued.min.messages": 1_000_000,
            "queued.max.messages.kbytes": 131_072,
            "fetch.queue.backoff.ms": 2,
        }
    )
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "transactional.id": group,
            "linger.ms": 5,
            "batch.size": 262_144,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    consumer.assign([TopicPartition(source, p, OFFSET_BEGINNING) for p in range(PARTITIONS)])
    producer.init_transactions()
    began, offsets = 0.0, dict[int, int]()
    while True:
        message = consumer.poll(0.02)
        if message is not None:
            if not began:
                producer.begin_transaction()
                began = time.monotonic()
            value = changed(work, message.value() or b"")
            offsets[message.partition() or 0] = (message.offset() or 0) + 1
            while value is not None:
                try:
                    producer.produce(sink, value, message.key())
                    break
                except BufferError:
                    producer.poll(0.01)
        producer.poll(0)
        if began and time.monotonic() - began >= int(interval) / 1000:
            places = [TopicPartition(source, p, offset) for p, offset in offsets.items()]
            producer.send_offsets_to_transaction(places, consumer.consumer_group_metadata())
            producer.commit_transaction()
            began = 0.0


if __name__ == "__main__":
    main(*sys.argv[1:])
