"""From statement back to text: one canonical form, on one line. `parse(render(x)) == x` for every statement."""

import re
from collections.abc import Sequence
from typing import assert_never

from sql import nodes
from sql.grammar import RESERVED

_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

OR, AND, NOT, PREDICATE, SUM, PRODUCT, SIGN, PRIMARY = range(8)
"""How tight a form binds: an operand that binds looser than its place needs stands in parentheses."""


def render(statement: nodes.Statement | nodes.Insert) -> str:
    match statement:
        case nodes.CreateJob(job, if_not_exists, options, insert):
            exists = "IF NOT EXISTS " if if_not_exists else ""
            return " ".join(
                filter(None, (f"CREATE JOB {exists}{name(job.text)}", _options(options), "AS", render(insert)))
            )
        case nodes.Insert(keyword, target, columns, query):
            listed = f" ({', '.join(name(column.text) for column in columns)})" if columns else ""
            return f"{keyword} INTO {name(target.text)}{listed} {_query(query)}"
        case nodes.DropJob(job, if_exists, snapshot):
            clause = f" WITH SNAPSHOT {name(snapshot.text)}" if snapshot else ""
            return f"DROP JOB {'IF EXISTS ' if if_exists else ''}{name(job.text)}{clause}"
        case nodes.AlterJob(job, nodes.NewOptions(options, resumes)):
            return f"ALTER JOB {name(job.text)} {_options(options) or 'OPTIONS ()'}{' RESUME' if resumes else ''}"
        case nodes.AlterJob(job, action):
            return f"ALTER JOB {name(job.text)} {action}"
        case nodes.CreateMapping() as mapping:
            return _mapping(mapping)
        case nodes.DropMapping(mapping, if_exists):
            return f"DROP MAPPING {'IF EXISTS ' if if_exists else ''}{name(mapping.text)}"
        case nodes.CreateSnapshot(snapshot, job, or_replace):
            replace = "OR REPLACE " if or_replace else ""
            return f"CREATE {replace}SNAPSHOT {name(snapshot.text)} FOR JOB {name(job.text)}"
        case nodes.DropSnapshot(snapshot, if_exists):
            return f"DROP SNAPSHOT {'IF EXISTS ' if if_exists else ''}{name(snapshot.text)}"
        case nodes.Show(subject, as_of):
            return f"SHOW {subject}{_as_of(as_of)}"
        case nodes.ShowCreate(job):
            return f"SHOW CREATE JOB {name(job.text)}"
        case nodes.ShowHistory(job):
            return f"SHOW HISTORY FOR JOB {name(job.text)}"
        case nodes.Describe(kind, what):
            return f"DESCRIBE {kind} {name(what.text)}"
    assert_never(statement)


def _as_of(as_of: nodes.AsOfOffset | nodes.AsOfTime | None) -> str:
    match as_of:
        case nodes.AsOfOffset(offset):
            return f" AS OF OFFSET {offset}"
        case nodes.AsOfTime(text):
            return f" AS OF TIMESTAMP {_string(text)}"
        case None:
            return ""


def _options(options: Sequence[nodes.Option]) -> str:
    listed = ", ".join(f"{_string(option.name.text)} = {_string(option.value)}" for option in options)
    return f"OPTIONS ({listed})" if options else ""


def _mapping(mapping: nodes.CreateMapping) -> str:
    replace = "OR REPLACE " if mapping.or_replace else ""
    exists = "IF NOT EXISTS " if mapping.if_not_exists else ""
    columns = ", ".join(
        f"{name(column.name.text)} {column.type.text}{_external(column.external)}" for column in mapping.columns
    )
    parts = (
        f"CREATE {replace}MAPPING {exists}{name(mapping.name.text)}{_external(mapping.external)}",
        f"({columns})" if columns else "",
        f"TYPE {name(mapping.type.text)}",
        _options(mapping.options),
    )
    return " ".join(filter(None, parts))


def _external(external: nodes.Name | None) -> str:
    return f" EXTERNAL NAME {name(external.text)}" if external else ""


def name(text: str) -> str:
    """A name as it must be written: bare where that is legal, else in double quotes."""
    if _BARE.fullmatch(text) and text.upper() not in RESERVED:
        return text
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


def _string(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def _query(query: nodes.Query) -> str:
    items = ", ".join(_item(item) for item in query.items)
    where = f" WHERE {expression(query.where)}" if query.where else ""
    return f"SELECT {items} FROM {name(query.source.text)}{where}"


def _item(item: nodes.Star | nodes.Item) -> str:
    if isinstance(item, nodes.Star):
        return "*"
    alias = f" AS {name(item.alias.text)}" if item.alias else ""
    return expression(item.expression) + alias


def expression(tree: nodes.Expression, needed: int = OR) -> str:
    """The text of an expression for a place where everything looser than `needed` needs parentheses."""
    text, level = _form(tree)
    return text if level >= needed else f"({text})"


def _form(tree: nodes.Expression) -> tuple[str, int]:
    match tree:
        case nodes.Column(column):
            return name(column), PRIMARY
        case nodes.Number(value):
            return str(value), PRIMARY
        case nodes.String(text):
            return _string(text), PRIMARY
        case nodes.Boolean(truth):
            return str(truth).upper(), PRIMARY
        case nodes.Null():
            return "NULL", PRIMARY
        case nodes.Sign(sign, operand):
            return sign + expression(operand, PRIMARY), SIGN
        case nodes.Arithmetic(first, rest):
            level = SUM if rest[0][0] in "+-" else PRODUCT
            parts = [expression(first, level + 1)]
            for operator, operand in rest:
                parts += operator, expression(operand, level + 1)
            return " ".join(parts), level
        case nodes.Comparison(operator, left, right):
            return f"{expression(left, SUM)} {operator} {expression(right, SUM)}", PREDICATE
        case nodes.IsNull(operand, negated):
            return f"{expression(operand, SUM)} IS {'NOT ' if negated else ''}NULL", PREDICATE
        case nodes.Not(operand):
            return f"NOT {expression(operand, PREDICATE)}", NOT
        case nodes.And(operands):
            return " AND ".join([expression(operand, NOT) for operand in operands]), AND
        case nodes.Or(operands):
            return " OR ".join([expression(operand, AND) for operand in operands]), OR
    assert_never(tree)
