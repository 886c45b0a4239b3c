"""From statement back to text: one canonical form, on one line. `parse(render(x)) == x` for every statement."""

import re
from collections.abc import Sequence
from typing import assert_never

from schemas.names import name
from sql import nodes
from sql.render_expressions import expression, string

_JOB_HEAD = re.compile(
    r"""CREATE JOB (?:IF NOT EXISTS )?(?:\w+|"(?:[^"]|"")++")(?: OPTIONS \((?:'(?:[^']|'')*+'|[^')])*+\))?"""
    r" AS (?=INSERT|SINK)"
)


def insert_text(create: str) -> str:
    """The INSERT of a CREATE JOB in canonical form, without parsing it: there may be a thousand jobs."""
    head = _JOB_HEAD.match(create)
    return create[head.end() :] if head else create


def render(statement: nodes.Statement | nodes.Insert) -> str:
    match statement:
        case nodes.CreateJob(options=options, insert=insert):
            return " ".join(filter(None, (job_head(statement), option_list(options), "AS", render(insert))))
        case nodes.Insert():
            return f"{insert_head(statement)} {_query(statement.query)}"
        case nodes.DropJob(job, if_exists, snapshot):
            clause = f" WITH SNAPSHOT {name(snapshot.text)}" if snapshot else ""
            return f"DROP JOB {'IF EXISTS ' if if_exists else ''}{name(job.text)}{clause}"
        case nodes.AlterJob(job, nodes.NewOptions(options, resumes)):
            return f"ALTER JOB {name(job.text)} {option_list(options) or 'OPTIONS ()'}{' RESUME' if resumes else ''}"
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
        case nodes.Show(subject, as_of, like):
            return f"SHOW {subject}{f' LIKE {string(like.pattern)}' if like else ''}{_as_of(as_of)}"
        case nodes.ShowCreate(job):
            return f"SHOW CREATE JOB {name(job.text)}"
        case nodes.ShowHistory(job):
            return f"SHOW HISTORY FOR JOB {name(job.text)}"
        case nodes.Describe(kind, what):
            return f"DESCRIBE {kind} {name(what.text)}"
        case nodes.Explain(explained, nodes.ExplainMode.PLAN):
            return f"EXPLAIN {render(explained)}"
        case nodes.Explain(explained, mode):
            return f"EXPLAIN {mode} {render(explained)}"
    assert_never(statement)


def job_head(create: nodes.CreateJob) -> str:
    """CREATE JOB and its name."""
    return f"CREATE JOB {'IF NOT EXISTS ' if create.if_not_exists else ''}{name(create.name.text)}"


def insert_head(insert: nodes.Insert) -> str:
    """INSERT or SINK, INTO and the target with its columns."""
    listed = f" ({', '.join(name(column.text) for column in insert.columns)})" if insert.columns else ""
    return f"{insert.keyword} INTO {name(insert.target.text)}{listed}"


def _as_of(as_of: nodes.AsOfOffset | nodes.AsOfTime | None) -> str:
    match as_of:
        case nodes.AsOfOffset(offset):
            return f" AS OF OFFSET {offset}"
        case nodes.AsOfTime(text):
            return f" AS OF TIMESTAMP {string(text)}"
        case None:
            return ""


def option_list(options: Sequence[nodes.Option]) -> str:
    listed = ", ".join(f"{string(option.name.text)} = {string(option.value)}" for option in options)
    return f"OPTIONS ({listed})" if options else ""


def _mapping(mapping: nodes.CreateMapping) -> str:
    columns = ", ".join(map(mapped_column, mapping.columns))
    parts = (
        mapping_head(mapping),
        f"({columns})" if columns else "",
        f"TYPE {name(mapping.type.text)}",
        option_list(mapping.options),
    )
    return " ".join(filter(None, parts))


def mapping_head(mapping: nodes.CreateMapping) -> str:
    """CREATE MAPPING and what follows up to its columns."""
    replace = "OR REPLACE " if mapping.or_replace else ""
    exists = "IF NOT EXISTS " if mapping.if_not_exists else ""
    return f"CREATE {replace}MAPPING {exists}{name(mapping.name.text)}{external_clause(mapping.external)}"


def mapped_column(column: nodes.ColumnDefinition) -> str:
    return f"{name(column.name.text)} {column.type.text}{external_clause(column.external)}"


def external_clause(external: nodes.Name | None) -> str:
    return f" EXTERNAL NAME {name(external.text)}" if external else ""


def _query(query: nodes.Query) -> str:
    bound = ", ".join(f"{name(one.name.text)} AS ({_query(one.query)})" for one in query.bindings)
    return (f"WITH {bound} " if bound else "") + " UNION ALL ".join(map(_select, query.branches))


def _select(select: nodes.Select) -> str:
    items = ", ".join(map(select_item, select.items))
    where = f" WHERE {expression(select.where)}" if select.where else ""
    return f"SELECT {items} FROM {_source(select.source)}{''.join(map(unnest_clause, select.unnests))}{where}"


def _source(source: nodes.Table | nodes.Derived) -> str:
    text = name(source.name.text) if isinstance(source, nodes.Table) else f"({_query(source.query)})"
    return text + alias_clause(source.alias)


def unnest_clause(unnest: nodes.Unnest) -> str:
    ordinality = " WITH ORDINALITY" if unnest.ordinality else ""
    columns = f" ({', '.join(name(column.text) for column in unnest.columns)})" if unnest.columns else ""
    return f" CROSS JOIN UNNEST({expression(unnest.expression)}){ordinality}{alias_clause(unnest.alias)}{columns}"


def select_item(item: nodes.Star | nodes.Item) -> str:
    if isinstance(item, nodes.Star):
        return f"{name(item.source.text)}.*" if item.source else "*"
    return expression(item.expression) + alias_clause(item.alias)


def alias_clause(alias: nodes.Name | None) -> str:
    return f" AS {name(alias.text)}" if alias else ""
