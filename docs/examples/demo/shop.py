"""A shop that sells: orders as JSON, keyed by user, about 5,000 a second, each acknowledged by Kafka once and in order.

Every user's orders are numbered from 1 without a gap, so that whoever reads them can see whether all are there.
"""

import json
import random
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from jobplane.processors.kafka.cluster import Kafka, KafkaError, Message

TICK_S = 0.02
DELIVERY_S = 15.0
USERS = 2_000
PRODUCTS = {
    "espresso cup": 8.5, "coffee grinder": 74.0, "kettle": 39.9, "french press": 27.5, "beans, 1 kg": 18.9,
    "milk jug": 16.0, "scale": 32.0, "espresso machine": 649.0, "filter papers": 4.2, "moka pot": 34.5,
}  # fmt: skip
CITIES = ("Berlin", "Hamburg", "Köln", "Leipzig", "München", "Wien", "Zürich", "Łódź", "Århus", "Gent")


class Shop:
    """Sells from its creation until `close`. `sent` counts what Kafka has acknowledged; `error` says why it refused."""

    def __init__(self, kafka: Kafka, topic: str, rate: int) -> None:
        self.sent, self.error = 0, ""
        self._topic, self._rate = topic, rate
        self._orders_of: Counter[str] = Counter()
        self._random = random.Random(7)  # noqa: S311  each run should have the same orders
        self._producer = kafka.producer(linger_ms=5, partitioner="murmur2_random")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sell, name="shop", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops selling and waits until Kafka has acknowledged the orders sent."""
        self._stop.set()
        self._thread.join()

    def _sell(self) -> None:
        began, number = time.monotonic(), 0
        while not self._stop.is_set():
            due = (time.monotonic() - began) * self._rate
            while number < due:
                number += 1
                self._order(number)
            self._producer.poll(TICK_S)
        left = self._producer.flush(DELIVERY_S)
        if left and not self.error:
            self.error = f"{left} orders were not acknowledged within {DELIVERY_S:g} s"

    def _order(self, number: int) -> None:
        user = f"user-{min(int(self._random.paretovariate(0.8)), USERS):04}"
        product, price = self._random.choice(tuple(PRODUCTS.items()))
        self._orders_of[user] += 1
        now = time.time()
        order: dict[str, Any] = {
            "id": number,
            "user": user,
            "order_of_user": self._orders_of[user],
            "product": product,
            "amount": round(price * self._random.randint(1, 4) * self._random.uniform(0.8, 1.0), 2),
            "city": self._random.choice(CITIES),
            "ordered_at": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds"),
        }
        value = json.dumps(order, ensure_ascii=False).encode()
        self._producer.produce(self._topic, value, user, on_delivery=self._delivered, timestamp=int(now * 1000))

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is None:
            self.sent += 1
        else:
            self.error = self.error or f"an order was not acknowledged: {error}"
