"""Types that a schema writes inside of another's braces: their values are converted like those of others."""

from datetime import date
from typing import Any

import pytest

from jobplane.schemas.formats.avro.resolution import _convert

DATE = {"type": "int", "logicalType": "date"}


@pytest.mark.parametrize(
    "schema",
    [DATE, {"type": DATE}, ["null", {"type": DATE}], {"type": ["null", DATE]}, {"type": {"type": ["null", DATE]}}],
)
def test_braces_round_a_type_change_nothing(schema: Any) -> None:
    convert = _convert(schema, {})
    assert convert is not None
    assert convert(5) == date(1970, 1, 6)


def test_a_union_in_a_union_of_braces_is_left_alone() -> None:
    assert _convert([{"type": []}, "null"], {}) is None
