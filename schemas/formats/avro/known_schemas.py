"""The schemas of a registry that are known, by their numbers. A number never changes its meaning.

A format that needs an unknown schema raises UnknownWriter; its caller fetches and learns the schema, then calls again.
"""

from dataclasses import dataclass, field

from jobplane.schemas.failures import Unreadable
from jobplane.schemas.formats import AVRO
from jobplane.schemas.formats.avro import types

MAGIC = 0
HEADER = 5
"""Bytes before a record: 0, then the number of the writer's schema, big-endian."""
MANY_SCHEMAS = 1_000_000
"""Registries number schemas from 1 on; of this many no registry is known."""


class UnknownSchema(Exception):
    """`id` is the number of a schema to be learned."""

    def __init__(self, id: int) -> None:  # noqa: A002  # the registry's own word
        super().__init__(f"schema {id} of the registry is not known yet")
        self.id = id


@dataclass(slots=True, eq=False)
class KnownSchemas:
    """The texts of schemas by number. Whoever reads records owns one; queries that share it fetch each schema once."""

    _texts: dict[int, str] = field(default_factory=dict)

    def learn(self, number: int, text: str) -> None:
        """Raises ValueError if the text is not the schema of a record."""
        types.parse_schema(text)
        self._texts[number] = text

    def is_known(self, number: int) -> bool:
        return number in self._texts

    def text(self, number: int) -> str:
        """Raises UnknownWriter."""
        try:
            return self._texts[number]
        except KeyError:
            raise UnknownWriter(number, self) from None


class UnknownWriter(UnknownSchema):
    """A record was written by a schema that is not known yet: `schemas` must learn the schema before the next try."""

    def __init__(self, id: int, schemas: KnownSchemas) -> None:  # noqa: A002  # the registry's own word
        super().__init__(id)
        self.schemas = schemas


def number_in_frame(data: bytes) -> int:
    """The number of the schema where bytes seem to begin with a registry's frame; 0 where they do not."""
    number = int.from_bytes(data[1:HEADER], "big") if len(data) > HEADER and data[0] == MAGIC else 0
    return number if number < MANY_SCHEMAS else 0


def number_of(data: bytes) -> int:
    """The number of the writer's schema of a record with a header. Raises Unreadable."""
    if len(data) < HEADER or data[0] != MAGIC:
        message = "the bytes do not begin with 00 and the number of a schema, as a registry's clients write it"
        raise Unreadable(message, AVRO)
    return int.from_bytes(data[1:HEADER], "big")
