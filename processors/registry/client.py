"""The one door to the schema registry: confluent_kafka's client, and what its errors mean here.

What does not answer is Doubt: a task waits and says why, a verdict is refused for want of facts. Threads may share it.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from jobplane.processors.kafka.answers import Doubt, RegistryDenied
from jobplane.processors.registry.words import USER, no_answer, wrong_properties
from jobplane.schemas.errors import SchemaIncompatible
from jobplane.schemas.failures import BadRecord
from jobplane.schemas.records.mappings import AvroSchema
from jobplane.schemas.setup_errors import BadSetting

LOG = logging.getLogger("jobplane.registry")
TIMEOUT_S = 3.0
URL = "url"
T = TypeVar("T")
_OURS: Mapping[str, Any] = {
    "cache.capacity": 1000,
    "cache.latest.ttl.sec": 0,
    "max.retries": 0,
    "retries.max.wait.ms": 0,
    "retries.wait.ms": 0,
    "timeout": TIMEOUT_S,
}
"""Properties that are not to be set: whoever needs an answer asks again in its own time, and nothing waits longer."""
_TOKEN, _SOURCE, _CLUSTER = "bearer.auth.token", "bearer.auth.credentials.source", "bearer.auth.logical.cluster"
_UNKNOWN = frozenset({40401, 40402, 40403})
"""The registry's own codes for a subject, version or number that it has not; another 404 is not the registry's."""
_NOT_LET_IN = frozenset({401, 403})
_LATER = frozenset({408, 425, 429})
"""What a registry refuses now, and may take later."""
_LONGEST = 400
"""Characters shown of what the registry says."""


class Registry:
    """`properties` are those of confluent_kafka's SchemaRegistryClient, `url` among them. It connects when asked."""

    def __init__(self, properties: Mapping[str, str]) -> None:
        self._properties = dict(properties)
        self._client: Any = None
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """For people: without the password that may stand in it."""
        return USER.sub("//", self._properties[URL])

    def check(self) -> None:
        """Raises BadSetting where no client can be made of the properties. Asks the registry nothing."""
        try:
            self._connected()
        except (ValueError, TypeError, OSError) as bad:
            raise BadSetting(f"[registry] or JOBPLANE_REGISTRY_…: {wrong_properties(bad, self._properties)}") from None

    def close(self) -> None:
        """Lets go of its connections. A later call connects again."""
        with self._lock:
            if self._client is not None:
                self._client.close()
            self._client = None

    def schema(self, number: int) -> str:
        """The text of an Avro schema by its number. Raises BadRecord where there is none, Doubt."""

        def ask(client: Any) -> str:
            found = client.get_schema(number)
            alone = (found.schema_type or "AVRO") == "AVRO" and not found.references
            return _text(found.schema_str) if alone else ""

        text = self._asked(ask)
        if text is None:
            raise BadRecord(f"the schema registry has no schema {number}; the record was written with another registry")
        if not text:
            raise BadRecord(
                f"schema {number} of the registry is not an Avro schema without references to other schemas"
            )
        return text

    def latest(self, subject: str) -> AvroSchema | None:
        """The newest schema of a subject; None where there is none. Raises Doubt."""

        def ask(client: Any) -> AvroSchema:
            found = client.get_latest_version(subject)
            return AvroSchema(_text(found.schema.schema_str), int(found.schema_id))

        return self._asked(ask)

    def register(self, subject: str, text: str) -> AvroSchema:
        """Safe to repeat. Raises SchemaIncompatible, Doubt."""
        from confluent_kafka.schema_registry import Schema

        def ask(client: Any) -> int:
            client.clear_caches()  # it must not tell a number of before for a subject deleted meanwhile
            return int(client.register_schema(subject, Schema(text, "AVRO")))

        number = self._asked(ask, subject)
        if number is None:
            raise RegistryDenied(f"the schema registry {self.url} has no place for subject '{subject}' (404)")
        return AvroSchema(text, number)

    def _asked(self, ask: Callable[[Any], T], subject: str = "") -> T | None:
        """None where the registry knows no such thing. `subject` is what is to be registered in."""
        from confluent_kafka.schema_registry.error import OAuthTokenError, SchemaRegistryError
        from httpx2 import HTTPError, InvalidURL

        try:
            client = self._connected()
        except (ValueError, TypeError, OSError) as bad:
            wrong = wrong_properties(bad, self._properties)
            raise RegistryDenied(f"the settings of the schema registry are wrong: {wrong}") from None
        try:
            return ask(client)
        except SchemaRegistryError as error:
            status, said = error.http_status_code, _quoted(error)
            if status == 404 and error.error_code in _UNKNOWN:
                return None
            if subject and status in (409, 422):
                message = f"the registry does not take the schema for '{subject}'{said}"
                raise SchemaIncompatible(
                    f"{message}; give the columns types that fit, or use another subject"
                ) from None
            denied = status in _NOT_LET_IN or (400 <= status < 500 and status not in _LATER)
            raise (RegistryDenied if denied else Doubt)(self._refusal(status, said)) from None
        except OAuthTokenError as error:
            LOG.debug("no token for the schema registry: %s", error)
            remedy = "check the bearer.auth.… properties among the registry's settings"
            raise Doubt(f"there is no token for the schema registry {self.url}; {remedy}") from None
        except InvalidURL as error:
            LOG.debug("the schema registry's address: %s", error)
            raise RegistryDenied(f"'{self.url}' is not the address of a schema registry; check the url") from None
        except (HTTPError, OSError) as error:
            LOG.debug("the schema registry does not answer: %s", error)
            raise Doubt(f"the schema registry {self.url} does not answer: {no_answer(error, TIMEOUT_S)}") from None
        except (ValueError, TypeError, KeyError, AttributeError) as bad:
            LOG.debug("not a schema registry: %s: %s", type(bad).__name__, bad)
            raise RegistryDenied(f"{self.url} is not a schema registry; check the url") from None

    def _refusal(self, status: int, said: str) -> str:
        if status in _NOT_LET_IN:
            remedy = "check basic.auth.user.info, or the token or certificate, among the registry's settings"
            return f"the schema registry {self.url} does not let this worker in (HTTP {status}){said}; {remedy}"
        if status == 404:
            return f"there is no schema registry at {self.url} (HTTP {status}){said}; check the path in the url"
        what = "refuses" if status < 500 else "fails"
        return f"the schema registry {self.url} {what} (HTTP {status}){said}"

    def _connected(self) -> Any:
        from confluent_kafka.schema_registry import SchemaRegistryClient

        with self._lock:
            if self._client is None:
                self._client = SchemaRegistryClient(_complete(self._properties))
            return self._client


def registry_of(properties: Mapping[str, str]) -> Registry | None:
    """None where no registry is configured."""
    return Registry(properties) if properties.get(URL) else None


def _complete(properties: Mapping[str, str]) -> dict[str, Any]:
    """All properties of the client. Raises ValueError for one that is not to be set."""
    if wrong := sorted(_OURS.keys() & properties.keys()):
        raise ValueError(f"{', '.join(wrong)} cannot be set; leave it out")
    # A token alone is enough for most registries; the client asks for more.
    with_token = {_SOURCE: "STATIC_TOKEN", _CLUSTER: ""} if _TOKEN in properties else {}
    return {**_OURS, **with_token, **properties}


def _text(found: object) -> str:
    """Raises TypeError where the registry says nothing."""
    if not isinstance(found, str):
        raise TypeError("no schema in its answer")
    return found


def _quoted(error: Any) -> str:
    """What the registry says, as it says it; nothing where the client has only guessed."""
    said = str(error.error_message or "")[:_LONGEST]
    return f": {said}" if said and error.error_code != -1 else ""
