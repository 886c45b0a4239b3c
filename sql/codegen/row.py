"""The row at a seam of the generated code: which values it has, and the Python that reaches them.

Decoding makes a row, the operators on rows change it, encoding takes it. Whatever stands at a seam needs no more of the
other parts than this. A field that was decoded becomes a local where it is first named: one that is only handed
through, or that a filter saves, costs nothing.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC

from jobplane.schemas.formats.fields import Convert
from jobplane.schemas.formats.json.values import to_utc
from jobplane.schemas.types import datatypes as t
from jobplane.sql.analysis.record import PARTS
from jobplane.sql.codegen.expressions import Code
from jobplane.sql.plan.operators import ScannedField
from jobplane.sql.plan.usage import keys_of
from jobplane.sql.types.typed import Field, Typed


class Row:
    """`places` is Python for each field decoded, `conversions` what its value goes through, both by the field's key."""

    def __init__(
        self,
        code: Code,
        fields: Iterable[ScannedField],
        places: Mapping[str, str],
        conversions: Mapping[str, Convert | None],
    ) -> None:
        self.code = code
        self.fields = {field.key: field for field in fields}
        self._locals = {key: f"f{i}" for i, key in enumerate(self.fields)}
        self._places, self._conversions = places, conversions
        self._loaded: set[str] = set()
        code.locals |= {key: one for key, one in places.items() if one.startswith("r.") and one.count(".") == 1}

    def load(self, *trees: Typed) -> None:
        """Lines for the fields, and parts of the record, that the expressions name."""
        for key in [key for tree in trees for key in keys_of(tree)]:
            if key in self._loaded:
                continue
            self._loaded.add(key)
            if key in self.fields:
                self._load_field(self.fields[key])
            elif key in PARTS:
                part = PARTS[key]
                code = part.code
                for name, function in part.bound.items():
                    code = code.replace(name, self.code.function(name, function), 1)
                self.code.locals[key] = self.code.name_for(code)

    def is_plain(self, value: Typed) -> bool:
        """Whether a value is a field that stands in the decoded record as it is."""
        return (
            isinstance(value, Field)
            and value.key in self.fields
            and value.key in self.code.locals
            and not self._conversions[value.key]
        )

    def _load_field(self, field: ScannedField) -> None:
        local, place = self._locals[field.key], self._places[field.key]
        code, conversion = self.code, self._conversions[field.key]
        code.locals[field.key] = local
        code.line(f"{local} = {place}")
        if field.type == t.JSON:
            with code.block(f"if {local} == null:"):
                code.line(f"{local} = None")
        if conversion:
            other = ""
            if conversion is to_utc:
                code.bound["utc"], other = UTC, f" and {local}.tzinfo is not utc"
            with code.block(f"if {local} is not None{other}:"):
                with code.block("try:"):
                    code.line(f"{local} = {code.function('reader', conversion)}({local})")
                with code.block("except unreadable as error:"):
                    code.line(f"raise in_field({code.constant('.'.join(field.path))}, error) from None")
