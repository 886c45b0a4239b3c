"""What generated code calls where Python's own operator is not SQL's. NULL never comes here."""

import math
import re
from typing import NoReturn

from schemas.failures import BadRecord

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


def alike(a: Scalar, b: Scalar) -> bool:
    """True, or BadRecord when the two cannot be compared."""
    if _kind(a) != _kind(b):
        raise BadRecord(f"{_kind(a)} and {_kind(b)} cannot be compared")
    return True


def _kind(value: Scalar) -> str:
    return "a boolean" if isinstance(value, bool) else "a string" if isinstance(value, str) else "a number"


def out_of_range() -> NoReturn:
    raise BadRecord("a result is out of range: no number of JSON can hold it")


def bad_record(error: Exception) -> BadRecord:
    """The BadRecord for what Python or msgspec raised on a record."""
    match error:
        case ZeroDivisionError():
            return BadRecord("division by zero")
        case OverflowError():
            return BadRecord("a result is out of range: no number of JSON can hold it")
        case RecursionError():
            return BadRecord("the value is nested too deep to be read")
        case UnicodeError():
            return BadRecord("the record holds text that is not UTF-8")
    return BadRecord(_reworded(str(error)))


_OTHER_TYPE = re.compile(r"Expected `(?P<wanted>[^`]+)`, got `(?P<got>\w+)`(?: - at `\$\.?(?P<field>.*)`)?")
_RANGE = re.compile(r"Number out of range(?: - at `\$\.?(?P<field>.*)`)?")
_BOUND = re.compile(r"Expected `(?:int|float)` (?P<bound>[<>]= -?[\d.e+]+)(?: - at `\$\.?(?P<field>.*)`)?")
_WORDS = {
    "str": "a string", "int": "a number", "float": "a number", "bool": "true or false",
    "array": "an array", "object": "an object", "null": "null",
}  # fmt: skip


def _reworded(said: str) -> str:
    """What msgspec says of a value, as this project says it."""
    if other := _OTHER_TYPE.fullmatch(said):
        if (other["wanted"], other["got"]) == ("int | null", "float"):
            return f"field '{other['field']}' holds a number with a decimal point; its column takes whole numbers"
        wanted = dict.fromkeys(_WORDS.get(one, one) for one in other["wanted"].split(" | ") if one != "null")
        what = f"field '{other['field']}' holds" if other["field"] else "the value is"
        return f"{what} {_WORDS.get(other['got'], other['got'])}; the query needs {' or '.join(wanted)}"
    if bound := _BOUND.fullmatch(said):
        return f"field '{bound['field']}' holds a number out of range; its column takes numbers {bound['bound']}"
    if range_ := _RANGE.fullmatch(said):
        return f"field '{range_['field']}' holds a number out of range"
    return f"the value is not JSON: {said.removeprefix('JSON is malformed: ')}"
