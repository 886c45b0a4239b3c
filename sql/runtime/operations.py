"""What generated code calls where Python's own operator is not SQL's. NULL never comes here."""

import math
import re
from decimal import DecimalException
from typing import Any, NoReturn

import msgspec

from jobplane.schemas.failures import BadRecord, Unreadable
from jobplane.schemas.formats import JSON
from jobplane.schemas.types.datatypes import MAX_LENGTH
from jobplane.schemas.types.json_text import describe_malformed

OUT_OF_RANGE = "a result is out of range for a JSON number"
Number = int | float
Scalar = int | float | str | bool


def divide(a: Number, b: Number) -> Number:
    """Integers truncate toward zero. Raises ZeroDivisionError."""
    if type(a) is int and type(b) is int:
        quotient = abs(a) // abs(b)
        return quotient if (a < 0) is (b < 0) else -quotient
    return a / b


def remainder(a: Number, b: Number) -> Number:
    """Has the dividend's sign. Raises ZeroDivisionError."""
    if b == 0:
        raise ZeroDivisionError
    if type(a) is int and type(b) is int:
        rest = abs(a) % abs(b)
        return -rest if a < 0 else rest
    return math.fmod(a, b)


def check_alike(a: Scalar, b: Scalar) -> bool:
    """True, or BadRecord when the two cannot be compared."""
    if _kind(a) != _kind(b):
        raise BadRecord(f"{_kind(a)} and {_kind(b)} cannot be compared; CAST one of them")
    return True


def _kind(value: Scalar) -> str:
    return "a boolean" if isinstance(value, bool) else "a string" if isinstance(value, str) else "a number"


_KINDS = (
    (bool, "BOOLEAN"), (int, "BIGINT"), (float, "DOUBLE"), (str, "VARCHAR"), (list, "ARRAY"), (dict, "MAP")
)  # fmt: skip


def type_name(value: Any) -> str:
    """The result of TYPEOF for a value whose type differs from record to record."""
    if isinstance(value, msgspec.Raw):
        value = msgspec.json.decode(value)
    return next((name for kind, name in _KINDS if isinstance(value, kind)), "NULL")


def raise_out_of_range() -> NoReturn:
    raise BadRecord(OUT_OF_RANGE)


def concatenate(*values: Any) -> Any:
    """Texts, bytes or arrays, one after the other."""
    if sum(map(len, values)) > MAX_LENGTH:
        raise_too_long(*values)
    first = values[0]
    return [one for value in values for one in value] if isinstance(first, list) else type(first)().join(values)


def raise_too_long(*values: str | bytes | list[Any]) -> NoReturn:
    length = sum(map(len, values))
    raise BadRecord(f"|| would make a value of {length:,} characters or elements; at most {MAX_LENGTH:,} are allowed")


def weight(value: Any) -> int:
    """How many elements and characters a value has, with all in it; numbers, times and the like have none."""
    match value:
        case str() | bytes() | msgspec.Raw():
            return len(value)
        case list():
            return len(value) + sum(map(weight, value))
        case dict():
            return len(value) + sum(map(weight, value.values())) + sum(map(weight, value))
        case msgspec.Struct():
            return sum(map(weight, msgspec.structs.astuple(value)))
    return 0


def step_cost(value: Any) -> int:
    """The cost of a step of REDUCE: its value is copied, which is cheap, and has grown at one of its ends."""
    match value:
        case str() | bytes() | msgspec.Raw():
            return len(value) >> 5
        case list():
            return (len(value) >> 5) + weight(value[:1]) + weight(value[-1:])
        case dict():
            return (len(value) >> 5) + weight(next(reversed(value.values()), None))
        case msgspec.Struct():
            return sum(map(step_cost, msgspec.structs.astuple(value)))
    return 0


def raise_too_much() -> NoReturn:
    raise BadRecord("the lambdas do too much work for one record: let them see fewer elements, or do less with each")


def raise_null_key() -> NoReturn:
    raise BadRecord("a key of a MAP is NULL")


def check_bigint(value: int) -> int:
    """A BIGINT. Raises BadRecord where it has more than 64 bits."""
    if not -(2**63) <= value < 2**63:
        raise BadRecord(f"{value} is out of range for BIGINT")
    return value


def field_error(name: str, error: Exception) -> BadRecord:
    """The error of a field's value, with the field's name; the entire key or value has no name."""
    if isinstance(error, msgspec.ValidationError):
        return BadRecord(reword(str(error), name))
    return BadRecord(f"field '{name}': {error}" if name else str(error))


def bad_record(error: Exception) -> BadRecord:
    """The BadRecord for what Python or msgspec raised on a record."""
    match error:
        case ZeroDivisionError():
            return BadRecord("division by zero")
        case OverflowError() | DecimalException():
            return BadRecord(OUT_OF_RANGE)
        case RecursionError():
            return BadRecord("the value is nested too deep to be read")
        case UnicodeError():
            return BadRecord("the record holds text that is not UTF-8")
        case msgspec.ValidationError():
            said = reword(str(error))
            if said == _AN_ARRAY:
                return BadRecord(f"{said}: {_ITS_ELEMENTS}")
            return Unreadable(said, JSON) if _NO_OBJECT.fullmatch(said) else BadRecord(said)
        case msgspec.DecodeError():
            return Unreadable(f"the value is not JSON: {describe_malformed(error)}", JSON)
    return BadRecord(str(error))


_AN_ARRAY = "the value is an array; the query needs an object"
_ITS_ELEMENTS = "with valueFormat 'json', UNNEST(CAST(this AS ARRAY<ROW(…)>)) AS one gives its elements"
_NO_OBJECT = re.compile("the value is a (?:string|number); the query needs an object")
"""It may be JSON that was encoded twice, or a line of CSV."""
_AT = re.compile(r" - at (?:`key` in )?`\$\.?(?P<path>.*)`$")
_INDEX = re.compile(r"\[(\d+)\]")
"""Elements are counted from 1 in SQL."""
_OTHER_TYPE = re.compile(r"Expected `(?P<wanted>[^`]+)`, got `(?P<got>\w+)`")
_BOUND = re.compile(r"Expected `(?:int|float)` (?P<bound>[<>]= -?[\d.e+]+)")
_WORDS = {
    "str": "a string", "int": "a number", "float": "a number", "decimal": "a number", "bool": "true or false",
    "array": "an array", "object": "an object", "null": "null", "date": "a DATE", "time": "a TIME",
    "datetime": "a TIMESTAMP", "duration": "an INTERVAL", "bytes": "base64 text",
}  # fmt: skip
_PHRASES = {
    "Number out of range": "holds a number out of range",
    "Invalid RFC3339 encoded datetime": "is not a TIMESTAMP, which is written like 2026-01-31T08:30:00",
    "Invalid RFC3339 encoded date": "is not a DATE, which is written like 2026-01-31",
    "Invalid RFC3339 encoded time": "is not a TIME, which is written like 08:30:00",
    "Invalid ISO8601 duration": "is not an INTERVAL, which is written like P1DT2H",
    "Invalid base64 encoded string": "is not base64 text, which is how JSON holds bytes",
    "Expected `datetime` with no timezone component": "has a time zone, and a TIMESTAMP has none",
    "Expected `time` with no timezone component": "has a time zone, and a TIME has none",
    "Expected `datetime` with a timezone component": "has no time zone, and a TIMESTAMP WITH TIME ZONE needs one",
    "Invalid decimal string": "is not a number",
}


def reword(said: str, name: str = "") -> str:
    """A message of msgspec in our words. `name` is the field of the value; empty for the record itself."""
    at = _AT.search(said)
    path = _INDEX.sub(lambda index: f"[{int(index[1]) + 1}]", at["path"]) if at else ""
    said = said[: at.start()] if at else said
    field = f"{name}{'' if path.startswith('[') or not (name and path) else '.'}{path}"
    what = f"field '{field}'" if field else "the value"
    if other := _OTHER_TYPE.fullmatch(said):
        if (other["wanted"], other["got"]) == ("int | null", "float"):
            return f"{what} holds a number with a decimal point; its column takes whole numbers"
        wanted = dict.fromkeys(_WORDS.get(one, one) for one in other["wanted"].split(" | ") if one != "null")
        verb = "holds" if field else "is"
        return f"{what} {verb} {_WORDS.get(other['got'], other['got'])}; the query needs {' or '.join(wanted)}"
    if bound := _BOUND.fullmatch(said):
        return f"{what} holds a number out of range; its column takes numbers {bound['bound']}"
    return f"{what} {_PHRASES.get(said, 'cannot be read as what the query needs')}"
