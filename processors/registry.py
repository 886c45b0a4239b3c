"""The one door to the schema registry: confluent_kafka's client, and what its errors mean here.

What does not answer is Doubt: a task waits and says why, a verdict is refused for want of facts. Threads may share it.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from processors.kafka import Doubt
from schemas.errors import SchemaIncompatible
from schemas.failures import BadRecord
from schemas.values import AvroSchema

TIMEOUT_S = 3.0
URL = "url"
T = TypeVar("T")


class Registry:
    """`properties` are those of confluent_kafka's SchemaRegistryClient, `url` among them. It connects when asked."""

    def __init__(self, properties: Mapping[str, str]) -> None:
        self._properties = dict(properties)
        self._client: Any = None
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return self._properties[URL]

    def schema(self, number: int) -> str:
        """The text of an Avro schema by its number. Raises BadRecord where there is none, Doubt."""
        found = self._asked(lambda client: client.get_schema(number))
        if found is None:
            raise BadRecord(f"the schema registry has no schema {number}; the record was written with another registry")
        if (found.schema_type or "AVRO") != "AVRO" or found.references:
            raise BadRecord(f"schema {number} of the registry is no Avro schema that stands alone")
        return str(found.schema_str)

    def latest(self, subject: str) -> AvroSchema | None:
        """The newest schema of a subject; None where there is none. Raises Doubt."""
        found = self._asked(lambda client: client.get_latest_version(subject))
        return AvroSchema(str(found.schema.schema_str), int(found.schema_id)) if found is not None else None

    def register(self, subject: str, text: str) -> AvroSchema:
        """Safe to repeat. Raises SchemaIncompatible, Doubt."""
        from confluent_kafka.schema_registry import Schema

        number: int | None = self._asked(lambda client: client.register_schema(subject, Schema(text, "AVRO")), subject)
        return AvroSchema(text, number or 0)

    def _asked(self, ask: Callable[[Any], T], subject: str = "") -> T | None:
        """None where the registry knows no such thing."""
        from confluent_kafka.schema_registry.error import OAuthTokenError, SchemaRegistryError
        from httpx2 import HTTPError, InvalidURL

        try:
            return ask(self._connected())
        except SchemaRegistryError as error:
            status = error.http_status_code
            if status == 404 and not subject:
                return None
            if status in (409, 422):
                message = f"the registry does not take the schema for '{subject}': {error.error_message}"
                raise SchemaIncompatible(
                    f"{message}; give the columns types that fit, or use another subject"
                ) from None
            what = "refuses" if status < 500 else "fails"
            raise Doubt(f"the schema registry {self.url} {what} ({status}): {error.error_message}") from None
        except (HTTPError, InvalidURL, OSError, OAuthTokenError) as error:
            said = str(error) or type(error).__name__
            raise Doubt(f"the schema registry {self.url} does not answer: {said}") from None

    def _connected(self) -> Any:
        from confluent_kafka.schema_registry import SchemaRegistryClient

        with self._lock:
            if self._client is None:
                settings: dict[str, Any] = {"max.retries": 0, "timeout": TIMEOUT_S, "cache.latest.ttl.sec": 0}
                try:
                    self._client = SchemaRegistryClient({**settings, **self._properties})
                except (ValueError, TypeError) as bad:
                    raise Doubt(f"the settings of the schema registry are wrong: {bad}") from None
            return self._client


def registry_of(properties: Mapping[str, str]) -> Registry | None:
    """None where no registry is configured."""
    return Registry(properties) if properties.get(URL) else None
