"""Guards the pages of the web server: an exception becomes an error response, and the server continues."""

from collections.abc import Callable
from typing import Any

import msgspec

from jobplane.processors.guard import log_fault
from jobplane.processors.kafka.cluster import Doubt
from jobplane.schemas.errors import InternalError, JobplaneError
from jobplane.schemas.setup_errors import KafkaSilent

JSON = "application/json"
PageAnswer = tuple[int, str, bytes]
"""Status, content type, body."""
Page = Callable[[], PageAnswer]
"""The response of a path. Runs in a thread."""


def json_answer(value: Any, status: int = 200) -> PageAnswer:
    return status, JSON, msgspec.json.encode(value)


def guard_page(path: str, page: Page, count: Callable[[], None]) -> Page:
    """Wraps a page: an exception becomes `{"error": …, "code": …}` with 500, or 503 if Kafka does not answer.

    `count` is called for each fault.
    """

    def answer() -> PageAnswer:
        try:
            return page()
        except Doubt as doubt:
            return _error(KafkaSilent.code, str(doubt), 503)
        except JobplaneError as error:
            return _error(error.code, error.message, 500)
        except Exception as error:  # noqa: BLE001  # the guard of the web server, docs/decisions/0016
            count()
            fault = log_fault(error, f"page {path}")
            text = f"the page met a fault of jobplane ({fault}); the worker's log has more under this reference"
            return _error(InternalError.code, text, 500)

    return answer


def _error(code: str, message: str, status: int) -> PageAnswer:
    return json_answer({"error": message, "code": code}, status)
