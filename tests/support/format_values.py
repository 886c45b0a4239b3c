"""Values of every type, and a key or value in a format made and read as a job does it."""

import string
from collections.abc import Sequence
from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import strategies as st

from jobplane.schemas.formats.avro import types as avro_types
from jobplane.schemas.formats.avro.known_schemas import KnownSchemas
from jobplane.schemas.formats.fields import Convert, Format, FormatLayout, TypedField
from jobplane.schemas.formats.json.values import integer_bounds, row_class, to_real
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
SIMPLE: dict[str, st.SearchStrategy[Any]] = {
    "BOOLEAN": st.booleans(),
    **{one.name: st.integers(*integer_bounds(one)) for one in t.INTEGERS},
    "REAL": st.floats(allow_nan=False, allow_infinity=False, width=32).map(to_real),
    "DOUBLE": st.floats(allow_nan=False, allow_infinity=False),
    "VARCHAR": st.text(max_size=20),
    "VARBINARY": st.binary(max_size=20),
    "DATE": st.dates(),
    "TIME": st.times(),
    "TIMESTAMP": st.datetimes(),
    "TIMESTAMP WITH TIME ZONE": st.datetimes(timezones=st.just(UTC)),
    "INTERVAL DAY TO SECOND": st.timedeltas(timedelta(days=-100_000), timedelta(days=100_000)),
    "INTERVAL YEAR TO MONTH": st.integers(-10_000, 10_000),
    "JSON": JSON.filter(lambda one: one is not None).map(lambda one: msgspec.Raw(msgspec.json.encode(one))),
}
NAMES = st.text(string.ascii_lowercase, min_size=1, max_size=4)


def decimals(one: Type) -> st.SearchStrategy[Decimal]:
    precision, scale = one.size
    most = 10**precision - 1
    return st.integers(-most, most).map(lambda units: Decimal(units).scaleb(-scale))


def types(leaves: Sequence[str], *, nested: bool) -> st.SearchStrategy[Type]:
    simple: st.SearchStrategy[Type] = st.sampled_from([one for one in leaves if one != "DECIMAL"]).map(Type)
    sized = st.integers(1, 20).flatmap(lambda p: st.integers(0, p).map(lambda s: t.decimal(p, s)))
    leaf = simple | sized if "DECIMAL" in leaves else simple
    if not nested:
        return leaf
    fields = st.dictionaries(NAMES, leaf, min_size=1, max_size=3)
    rows = fields.map(lambda found: t.row(tuple(found), tuple(found.values())))
    return leaf | leaf.map(t.array) | leaf.map(lambda one: t.map_of(t.VARCHAR, one)) | rows | rows.map(t.array)


def values(one: Type) -> st.SearchStrategy[Any]:
    """Values that are not NULL; inside of others there may be NULLs."""
    inner = [values(argument) | st.none() for argument in one.arguments]
    match one.name:
        case "DECIMAL":
            return decimals(one)
        case "ARRAY":
            return st.lists(inner[0], max_size=3)
        case "MAP":
            return st.dictionaries(st.text(max_size=3), inner[1], max_size=3)
        case "ROW":
            return st.tuples(*inner).map(lambda found: row_class(one)(*found))
    return SIMPLE[one.name]


def records(leaves: Sequence[str], *, nested: bool) -> st.SearchStrategy[tuple[list[TypedField], list[Any]]]:
    """Fields, and a value or NULL for each."""
    columns = st.dictionaries(NAMES, types(leaves, nested=nested), min_size=1, max_size=4)
    return columns.flatmap(
        lambda found: st.tuples(
            st.just([TypedField((name,), one) for name, one in found.items()]),
            st.tuples(*(values(one) | st.none() for one in found.values())).map(list),
        )
    )


def layout_of(name: str, fields: Sequence[TypedField]) -> FormatLayout:
    if name != "avro":
        return FormatLayout(tuple(fields))
    return FormatLayout(tuple(fields), schema=avro_types.build_schema(fields, "R"))


def encoded(form: Format, fields: Sequence[TypedField], row: Sequence[Any], layout: FormatLayout) -> bytes:
    """As generated code does it: see jobplane.sql.codegen.branch."""
    writing = form.writing(fields, layout)
    ready = [_through(convert, value) for convert, value in zip(writing.conversions, row, strict=True)]
    names = [f"a{i}" for i in range(len(ready))]
    made = eval(writing.code.format(*names), dict(writing.bound) | dict(zip(names, ready, strict=True)))  # noqa: S307
    assert isinstance(made, bytes)
    return made


def decoded(
    form: Format,
    fields: Sequence[TypedField],
    data: bytes,
    layout: FormatLayout,
    schemas: KnownSchemas | None = None,
) -> list[Any]:
    reading = form.reading(fields, layout, (schemas or KnownSchemas()).text)
    row = reading.decode(data)
    found = [eval(place, {"r": row}) for place in reading.places]  # noqa: S307  # templates of our own
    found = [None if isinstance(one, msgspec.Raw) and bytes(one) == b"null" else one for one in found]
    return [_through(convert, value) for convert, value in zip(reading.conversions, found, strict=True)]


def _through(convert: Convert | None, value: Any) -> Any:
    return value if convert is None or value is None else convert(value)


def alike(one: Any) -> Any:
    """A value as it is compared: JSON by what it says, whatever its spacing."""
    if isinstance(one, msgspec.Raw):
        said = msgspec.json.decode(one)
        return None if said is None else ("JSON", said)
    if isinstance(one, list):
        return [alike(each) for each in one]
    if isinstance(one, dict):
        return {key: alike(each) for key, each in one.items()}
    if isinstance(one, msgspec.Struct):
        return [alike(getattr(one, name)) for name in one.__struct_fields__]
    return one
