"""Functions of JSON documents. A document is a JSON value or a text of JSON; a JSON null is NULL.

A string of JSON is a text of JSON as well: many producers put a document into a field as text. Numbers are never
converted: they come out of a document as they stand in it.
"""

from typing import Annotated, Any

import msgspec

from jobplane.schemas.failures import BadRecord
from jobplane.schemas.formats.json.second_look import decode_again
from jobplane.schemas.msgspec_types import json_decoder
from jobplane.schemas.shown import show_value
from jobplane.schemas.types.json_text import describe_malformed, json_text, text_of_json
from jobplane.sql.functions.signature import ConstantCheck, Json, are_constant, sql
from jobplane.sql.runtime.json_path import find_values, kind_of, parse_path

Path = Annotated[str, ConstantCheck(parse_path)]
_KINDS = {"{": "an object", "[": "an array"}
_elements = json_decoder(list[Json]).decode
_members = json_decoder(dict[str, Json]).decode
_document = json_decoder(Json).decode


def _decode(text: str) -> Json:
    try:
        return _document(text)
    except msgspec.DecodeError as error:
        return decode_again(_document, text.encode(), error)  # type: ignore[no-any-return]


def parse_document(text: str) -> Json:
    """Raises ValueError."""
    try:
        return _decode(text)
    except BadRecord as bad:
        raise ValueError(f"{show_value(text)} is not JSON: {bad.message}") from None
    except msgspec.DecodeError as error:
        raise ValueError(f"{show_value(text)} is not JSON: {describe_malformed(error)}") from None


def document_of(value: Json) -> Json:
    """The document in a JSON value: the value, or the JSON in its text. Raises ValueError for text that is not JSON."""
    return parse_document(text_of_json(value)) if kind_of(value) == '"' else value


@sql()
def json_value(document: Json, path: Path) -> str | None:
    """The string, number, true or false that a path such as '$.items[0].id' leads to, as text; NULL for none."""
    return _scalar_text(document_of(document), path)


@sql("JSON_VALUE")
def text_json_value(document: str, path: Path) -> str | None:
    """The string, number, true or false that a path leads to in a text of JSON, as text; NULL for none."""
    return _scalar_text(parse_document(document), path)


def _scalar_text(document: Json, path: str) -> str | None:
    one = _the_one(document, path)
    if one is None:
        return None
    kind = kind_of(one)
    if kind in _KINDS:
        raise ValueError(
            f"{show_value(path)} leads to {_KINDS[kind]}; JSON_QUERY gives it, JSON_VALUE gives what has no parts"
        )
    return text_of_json(one)


@sql()
def json_query(document: Json, path: Path) -> Json | None:
    """The object, array or other value that a path such as '$.items' leads to, unchanged; NULL for none."""
    return _the_one(document_of(document), path)


@sql("JSON_QUERY")
def text_json_query(document: str, path: Path) -> Json | None:
    """The object, array or other value that a path leads to in a text of JSON, unchanged; NULL for none."""
    return _the_one(parse_document(document), path)


@sql()
def json_exists(document: Json, path: Path) -> bool:
    """Whether a path such as '$.items[0]' leads anywhere; also to a null."""
    return bool(find_values(document_of(document), path))


@sql("JSON_EXISTS")
def text_json_exists(document: str, path: Path) -> bool:
    """Whether a path leads anywhere in a text of JSON; also to a null."""
    return bool(find_values(parse_document(document), path))


def _the_one(document: Json, path_text: str) -> Json | None:
    values = find_values(document, path_text)
    if len(values) > 1:
        raise ValueError(f"{show_value(path_text)} leads to {len(values)} values; choose one of them, as with [0]")
    return _present(values[0]) if values else None


def _unpaired(key: Any) -> str:
    """Why a last key refuses all: an array or a row is not quoted, it is not a key either."""
    said = show_value(key) if key is None or isinstance(key, str | int | Json) else "at the end"
    return f"JSON_OBJECT takes keys and values in turn; the key {said} has no value"


def _no_pairs(*pairs: Any) -> None:
    if len(pairs) % 2:
        raise ValueError(_unpaired(pairs[-1]))
    for key in pairs[::2]:
        if are_constant(key):
            _key(key)


@sql(refuses=_no_pairs)
def json_object(*pairs: object | None) -> Json:
    """An object of a key, its value, the next key, and so on; NULL becomes null, of equal keys the last counts."""
    if len(pairs) % 2:
        raise ValueError(_unpaired(pairs[-1]))
    return to_json({_key(key): value for key, value in zip(pairs[::2], pairs[1::2], strict=True)})


def _key(key: object) -> str:
    match key:
        case str():
            return key
        case Json() if kind_of(key) == '"':
            return text_of_json(key)
    raise ValueError(f"a key of JSON_OBJECT is text, not {'NULL' if key is None else show_value(key)}")


@sql()
def json_array(*values: object | None) -> Json:
    """An array of the values; NULL becomes null."""
    return to_json(list(values))


@sql()
def to_json(value: object) -> Json:
    """A value of any type as JSON."""
    return json_text(value)


@sql("PARSE_JSON")
def parse_json_document(document: Json) -> Json | None:
    """The value of a document, which may be a text of JSON; null is NULL."""
    return _present(document_of(document))


@sql()
def parse_json(text: str) -> Json | None:
    """The value in a text of JSON; null is NULL."""
    return _present(parse_document(text))


def _present(value: Json) -> Json | None:
    return None if kind_of(value) == "n" else value


@sql()
def json_array_length(document: Json) -> int | None:
    """The number of elements of a document that is an array; NULL for another value."""
    return _length(document_of(document))


@sql("JSON_ARRAY_LENGTH")
def text_json_array_length(document: str) -> int | None:
    """The number of elements of the array in a text of JSON; NULL for another value."""
    return _length(parse_document(document))


def _length(document: Json) -> int | None:
    return len(_elements(document)) if kind_of(document) == "[" else None


@sql()
def json_keys(document: Json) -> list[str] | None:
    """The names of the fields of a document that is an object, each once; NULL for another value."""
    return _names(document_of(document))


@sql("JSON_KEYS")
def text_json_keys(document: str) -> list[str] | None:
    """The names of the fields of the object in a text of JSON, each once; NULL for another value."""
    return _names(parse_document(document))


def _names(document: Json) -> list[str] | None:
    return list(_members(document)) if kind_of(document) == "{" else None
