"""Calls of the Kafka client that may never come back, whatever time they are given: waited for, then left behind.

What is left behind is a thread and a client, which only the end of the process clears.
"""

import threading
from collections.abc import Callable


def returns(call: Callable[[], object], seconds: float) -> bool:
    """Whether a call came back in time. Raises what it raised in time; its result is dropped."""
    raised: list[Exception] = []

    def run() -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001  # handed to the thread that waits
            raised.append(error)

    thread = threading.Thread(target=run, name="may-not-return", daemon=True)
    thread.start()
    thread.join(seconds)
    if raised:
        raise raised[0]
    return not thread.is_alive()
