"""JSON documents: paths into them, and how values become them."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobplane.schemas.types.json_text import ENCODER
from jobplane.sql.functions import documents as f
from jobplane.sql.functions.signature import Json
from jobplane.sql.runtime.json_path import parse_path

ORDER = r"""
{"id": 12345678901234567890.10, "ok": true, "none": null, "who": {"name": "Ann \"A\" \u00e9\n", "": 0},
 "unit price" : [ 1.50 , 1e2 ], "items": [{"sku": "a", "n": 1}, {"sku": "b", "tags": ["x", "y"]}], "a\"b\\c": 5}
"""


def raw(text: str) -> Json:
    return Json(text.encode())


def said(value: Json | None) -> str | None:
    return None if value is None else bytes(value).decode()


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("$.id", "12345678901234567890.10"),
        ("$.ok", "true"),
        ("$.none", None),
        ("$.missing", None),
        ("$.missing.deeper[3]", None),
        ("$.who.name", 'Ann "A" é\n'),
        ('$.who.""', "0"),
        ('$."unit price"[0]', "1.50"),
        ('$."unit price"[last]', "1e2"),
        ('$."unit price"[2]', None),
        ("$.items[0].sku", "a"),
        ("$.items.n", "1"),  # into the objects of the array
        ("$.items.tags[last]", "y"),
        ("$.ok[0]", "true"),  # one value is an array of one
        ("$.ok[last][0]", "true"),
        ("$.ok[1]", None),
        ("$.ok.deeper", None),
        (r'$."a\"b\\c"', "5"),
        (" lax $ . items [ 1 ] . sku ", "b"),
    ],
)
def test_a_path_leads_to_a_value(where: str, value: str | None) -> None:
    assert f.json_value(f.parse_document(ORDER), where) == value
    assert f.text_json_value(ORDER, where) == value


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("$.who", r'{"name": "Ann \"A\" \u00e9\n", "": 0}'),
        ('$."unit price"', "[ 1.50 , 1e2 ]"),
        ("$.id", "12345678901234567890.10"),
        ("$.items[1].tags", '["x", "y"]'),
        ("$.none", None),
        ("$.missing", None),
        ("$", ORDER.strip()),
    ],
)
def test_a_path_leads_to_json(where: str, value: str | None) -> None:
    assert said(f.json_query(f.parse_document(ORDER), where)) == value
    assert said(f.text_json_query(ORDER, where)) == value


@pytest.mark.parametrize(
    ("where", "there"),
    [("$.none", True), ("$.missing", False), ("$.items.sku", True), ("$.items[2]", False), ("$", True)],
)
def test_a_path_leads_somewhere(where: str, there: bool) -> None:  # noqa: FBT001  # a parameter
    assert f.json_exists(f.parse_document(ORDER), where) is there
    assert f.text_json_exists(ORDER, where) is there


@pytest.mark.parametrize(
    "where",
    ["", "a", "$.", "$.a-b", "$x", "$[", "$[-1]", "$.*", "$[*]", "strict $.a", "$..a", '$."a', r'$."\q"', "$.1"],
)
def test_no_path(where: str) -> None:
    with pytest.raises(ValueError, match=r"is not a path|is not a name"):
        parse_path(where)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: parse_path("$.items[*].sku"), "'$.items[*].sku' is not a path from '[*].sku' on; one is"),
        (lambda: f.text_json_value(ORDER, "$.who"), "'$.who' leads to an object; JSON_QUERY gives it"),
        (lambda: f.text_json_value(ORDER, "$.items"), "'$.items' leads to an array; JSON_QUERY gives it"),
        (lambda: f.text_json_value(ORDER, "$.items.sku"), "'$.items.sku' leads to 2 values; choose one of them"),
        (lambda: f.text_json_query(ORDER, "$.items.sku"), "'$.items.sku' leads to 2 values; choose one of them"),
        (lambda: f.text_json_value("", "$"), "'' is not JSON"),
        (lambda: f.text_json_value("{'a': 1}", "$"), "\"{'a': 1}\" is not JSON: a name in double"),
        (lambda: f.text_json_exists("[1,]", "$"), "'[1,]' is not JSON: a comma before ]"),
        (lambda: f.parse_json("1 2"), "'1 2' is not JSON: something follows"),
        (lambda: f.parse_json("x" * 70), f"'{'x' * 58}… is not JSON"),
        (lambda: f.parse_json(r'"\udc00"'), "is not JSON: the value holds text that is not Unicode"),
        (lambda: f.json_object("a", 1, "b"), "JSON_OBJECT takes keys and values in turn; the key 'b' has no value"),
        (lambda: f.json_object(None, 1), "a key of JSON_OBJECT is text, not NULL"),
        (lambda: f.json_object(1, 1), "a key of JSON_OBJECT is text, not 1"),
        (lambda: f.json_object(raw("[1]"), 1), "a key of JSON_OBJECT is text, not [1]"),
    ],
)  # fmt: skip
def test_refused(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (f.json_object("a", 1, "b", None, "c", raw('{"x" : 1.50}')), '{"a":1,"b":null,"c":{"x" : 1.50}}'),
        (f.json_object("a", 1, "a", 2), '{"a":2}'),
        (f.json_object(raw(r'"k\"é"'), "v"), r'{"k\"é":"v"}'),
        (f.json_array(1, None, "é\n", True, Decimal("1.50"), raw("1e2")), '[1,null,"é\\n",true,1.50,1e2]'),
        (f.json_array(date(2026, 1, 31), datetime(2026, 1, 31, tzinfo=UTC)), '["2026-01-31","2026-01-31T00:00:00Z"]'),
        (f.json_array(b"hi", 10**20, [1, [2]], {"k": None}), '["aGk=",100000000000000000000,[1,[2]],{"k":null}]'),
        (f.to_json('"'), r'"\""'),
        (f.to_json(raw("[1,  2]")), "[1,  2]"),
        (f.parse_json(' {"a" : 1.50} '), '{"a" : 1.50}'),
        (f.parse_json("null"), None),
    ],
)  # fmt: skip
def test_documents_are_made(made: Json | None, text: str | None) -> None:
    assert said(made) == text


NAMES = st.text(st.characters(codec="utf-8"), max_size=5)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_what_an_object_was_made_of_is_found_in_it(members: dict[str, Any]) -> None:
    document = f.json_object("-", 0, *(one for member in members.items() for one in member))
    for name, value in members.items():
        where = f"$.{said(f.to_json(name))}"
        assert f.json_exists(document, where)
        assert said(f.json_query(document, where)) == (None if value is None else said(f.to_json(value)))
        assert said(f.text_json_query(bytes(document).decode(), where)) == said(f.json_query(document, where))


@given(st.lists(VALUES, min_size=1, max_size=4))
def test_what_an_array_was_made_of_is_found_in_it(values: list[Any]) -> None:
    document = f.json_array(*values)
    for i, value in enumerate(values):
        assert said(f.json_query(document, f"$[{i}]")) == (None if value is None else said(f.to_json(value)))


@given(NAMES)
def test_text_comes_back(text: str) -> None:
    assert f.json_value(f.json_array(text), "$[0]") == text


@given(
    VALUES.filter(lambda value: value is not None and not isinstance(value, str)),
    st.sampled_from(["$", "$[0]", "$.a", "$[last][0]"]),
)
def test_a_document_may_be_its_text(value: Any, path: str) -> None:
    """A string is a text of JSON, so a document that is one is left out here."""
    document, text = f.to_json(value), bytes(f.to_json(value)).decode()
    for function, of_text, arguments in (
        (f.json_value, f.text_json_value, (path,)),
        (f.json_query, f.text_json_query, (path,)),
        (f.json_exists, f.text_json_exists, (path,)),
        (f.json_array_length, f.text_json_array_length, ()),
        (f.json_keys, f.text_json_keys, ()),
        (f.parse_json_document, f.parse_json, ()),
    ):
        given_as = ((function, document), (function, f.to_json(text)), (of_text, text))
        assert len({outcome(each, one, *arguments) for each, one in given_as}) == 1


def outcome(function: Callable[..., Any], *arguments: Any) -> str:
    """What it gives, or why it gives nothing."""
    try:
        return repr(said(made) if isinstance(made := function(*arguments), Json) else made)
    except ValueError as error:
        return str(error)


@given(VALUES)
def test_json_is_parsed_as_it_stands(value: Any) -> None:
    text = ENCODER.encode(value)
    assert said(f.parse_json(f"\t{text.decode()}\n")) == (None if value is None else text.decode())
