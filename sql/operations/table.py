"""The operations that need nothing but their arguments, by the names under which plans record them.

A name here is kept for ever and keeps its meaning: jobs created by any version before name their operations by it. What
should mean something else gets another name.
"""

import operator as python
from datetime import date, datetime, time, timedelta
from typing import Any

from jobplane.schemas.formats.json.values import to_real
from jobplane.schemas.types.decimals import EXACT, product, remainder
from jobplane.schemas.types.json_text import json_text, null_to_none
from jobplane.sql.functions.patterns import like
from jobplane.sql.functions.temporal import add_interval, add_months
from jobplane.sql.operations.casts import at_midnight
from jobplane.sql.operations.equality import differing, exactly
from jobplane.sql.operations.template import Template, call_template
from jobplane.sql.runtime import operations, record_parts
from jobplane.sql.runtime.nested import item, json_item

_ANY_DAY = date(2000, 1, 1)
_COMPARED = {
    "equal": ("==", python.eq),
    "unequal": ("!=", python.ne),
    "less": ("<", python.lt),
    "less-or-equal": ("<=", python.le),
    "greater": (">", python.gt),
    "greater-or-equal": (">=", python.ge),
}
COMPARISONS = frozenset(_COMPARED)
"""Comparisons by Python's own operator."""


def _shifted(value: time, by: timedelta) -> time:
    """Past midnight the next day's time."""
    return (datetime.combine(_ANY_DAY, value) + by).time()


def _exact(function: Any) -> Template:
    return Template("exact({}, {})", {"exact": function})


TABLE: dict[str, Template] = {
    # numbers and intervals
    "negate": Template("(-{})", carries=True),
    "negate-bigint": Template("(-{})", check="whole", carries=True),
    "negate-decimal": call_template(EXACT.minus, 1),
    "add": Template("({} + {})", carries=True),
    "add-bigint": Template("({} + {})", check="whole", carries=True),
    "add-double": Template("({} + {})", check="finite", carries=True),
    "add-decimal": _exact(EXACT.add),
    "subtract": Template("({} - {})", carries=True),
    "subtract-bigint": Template("({} - {})", check="whole", carries=True),
    "subtract-double": Template("({} - {})", check="finite", carries=True),
    "subtract-decimal": _exact(EXACT.subtract),
    "multiply-bigint": Template("({} * {})", check="whole", carries=True),
    "multiply-double": Template("({} * {})", check="finite", carries=True),
    "multiply-decimal": _exact(product),
    "multiply-interval": Template("({} * {})", carries=True),
    "multiply-months": Template("int({} * {})", {"int": int}, check="whole"),
    "divide-bigint": call_template(operations.divide, 2, check="whole"),
    "divide-number": call_template(operations.divide, 2, check="finite"),
    "divide-double": Template("({} / {})", check="finite"),
    "divide-interval": Template("({} / {})"),
    "divide-months": Template("int({} / {})", {"int": int}, check="whole"),
    "remainder": call_template(operations.remainder, 2),
    "remainder-decimal": _exact(remainder),
    "decimal-to-double": Template("float({})", {"float": float}),
    # moments
    "at-midnight": call_template(at_midnight, 1),
    "add-interval": Template("moved({}, +{})", {"moved": add_interval}),
    "subtract-interval": Template("moved({}, -{})", {"moved": add_interval}),
    "add-months": Template("add_months({}, +{})", {"add_months": add_months}),
    "subtract-months": Template("add_months({}, -{})", {"add_months": add_months}),
    "add-to-time": Template("shifted({}, +{})", {"shifted": _shifted}),
    "subtract-from-time": Template("shifted({}, -{})", {"shifted": _shifted}),
    # comparisons
    **{name: Template(f"({{0}} {sign} {{1}})") for name, (sign, _) in _COMPARED.items()},
    **{
        f"{name}-scalar": Template(f"(alike({{0}}, {{1}}) and {{0}} {sign} {{1}})", {"alike": operations.check_alike})
        for name, (sign, _) in _COMPARED.items()
    },
    **{
        f"{name}-number-decimal": Template("exactly({}, {})", {"exactly": exactly(function)})
        for name, (_, function) in _COMPARED.items()
    },
    "differ": Template("differ({}, {})", {"differ": differing(python.eq)}),
    "between": Template("({1} <= {0} <= {2})"),
    "nearest-double": call_template(float, 1),
    "nearest-real": call_template(lambda value: to_real(float(value)), 1),
    # truth
    "not": Template("(not {})"),
    "is-true": Template("({} is True)"),
    "is-not-true": Template("({} is not True)"),
    "is-false": Template("({} is False)"),
    "is-not-false": Template("({} is not False)"),
    # texts
    "like": call_template(like, 2),
    "like-escape": call_template(like, 3),
    "type-name": Template("type_name({})", {"type_name": operations.type_name}),
    # values in values
    "item": Template("item({}, {})", {"item": item}, gives_null=True),
    "item-json": Template("present(item({}, {}))", {"item": item, "present": null_to_none}, gives_null=True),
    "item-of-json": Template("item({}, {})", {"item": json_item}, gives_null=True),
    "value": Template("{}.get({})", gives_null=True),
    "value-json": Template("present({}.get({}))", {"present": null_to_none}, gives_null=True),
    "json-text": call_template(json_text, 1),
    # parts of the record
    "header": Template("header({}, {})", {"header": record_parts.header_text}, gives_null=True),
    "key-of-text": call_template(str.encode, 1),
    "key-of-json": call_template(record_parts.key_of_json, 1),
    "milliseconds": Template("milliseconds({})", {"milliseconds": record_parts.milliseconds}),
    "header-list": Template("header_list({})", {"header_list": record_parts.header_list}),
}
