"""Notes, while a query is analysed, constants that would make every record fail, with their places.

An expression that a record may not reach is not noted: after the first operand of AND, OR, COALESCE and IFNULL, and in
CASE after its first condition.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from jobplane.schemas.errors import Place, TypeMismatch
from jobplane.sql.types.typed import Apply, ApplyNullable, Typed


@dataclass(slots=True)
class Faults:
    _found: list[tuple[str, Place]] = field(default_factory=list)
    _asides: int = 0

    def note(self, made: Typed, place: Place) -> None:
        """Keeps why an expression has no value, where its constants tell so."""
        if not self._asides and isinstance(made, Apply | ApplyNullable) and made.fault:
            self._found.append((made.fault, place))

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Nothing is noted of what a record may not get to."""
        self._asides += 1
        yield
        self._asides -= 1

    def refuse(self) -> None:
        """Raises TypeMismatch for the first that was noted."""
        for message, place in self._found:
            raise TypeMismatch(message, place)
