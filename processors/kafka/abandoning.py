"""Calls of the Kafka client that may never come back, whatever time they are given: waited for, then left behind.

What is left behind is a thread and a client, which only the end of the process clears. Any other client ends, with its
threads and connections, as soon as nobody holds it: nothing may be in a circle of references with it.
"""

import threading
from collections.abc import Callable
from typing import Any
from weakref import WeakMethod


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


def weakly(method: Callable[..., None]) -> Callable[..., None]:
    """The method of an object as a callback of the client that the object holds: it does not keep the object alive."""
    held = WeakMethod(method)

    def call(*arguments: Any) -> None:
        if (found := held()) is not None:
            found(*arguments)

    return call
