"""A schema registry in memory, for what needs none on a network: subjects, their schemas, and the rule BACKWARD."""

from dataclasses import dataclass, field

from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import parse

from jobplane.processors.kafka.answers import Doubt, RegistryDenied
from jobplane.schemas.errors import SchemaIncompatible
from jobplane.schemas.failures import BadRecord
from jobplane.schemas.records.mappings import AvroSchema


@dataclass(slots=True)
class Subjects:
    """Schemas have the numbers 1, 2, 3 …; the same text is the same number. `asked` counts what was asked."""

    versions: dict[str, list[AvroSchema]] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    silent: bool = False
    denied: tuple[str, ...] = ()
    asked: int = 0

    def schema(self, number: int) -> str:
        self._hear()
        for text, known in self.numbers.items():
            if known == number:
                return text
        raise BadRecord(f"the schema registry has no schema {number}")

    def latest(self, subject: str) -> AvroSchema | None:
        self._hear(subject)
        return self.versions[subject][-1] if subject in self.versions else None

    def register(self, subject: str, text: str) -> AvroSchema:
        self._hear(subject)
        found = self.versions.setdefault(subject, [])
        made = AvroSchema(text, self.numbers.setdefault(text, len(self.numbers) + 1))
        if found and made not in found and not _reads(text, found[-1].text):
            raise SchemaIncompatible(
                f"the registry does not take the schema for '{subject}': it does not read the last"
            )
        if made not in found:
            found.append(made)
        return made

    def _hear(self, subject: str = "") -> None:
        self.asked += 1
        if subject in self.denied:
            raise RegistryDenied(f"the schema registry http://registry has no place for subject '{subject}' (404)")
        if self.silent:
            raise Doubt("the schema registry http://registry does not answer: connection refused")


def _reads(reader: str, writer: str) -> bool:
    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]
    checked = checker.get_compatibility(parse(reader), parse(writer))
    return checked.compatibility is SchemaCompatibilityType.compatible
