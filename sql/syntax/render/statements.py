"""From statement back to text: one canonical form, on one line. `parse(render(x)) == x` for every statement."""

from collections.abc import Sequence
from typing import assert_never

from jobplane.schemas.names import quote_name
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.render.expressions import render_expression, string_literal


def render(statement: statements.Statement | statements.Insert) -> str:
    match statement:
        case statements.CreateJob(options=options, inserts=inserts):
            return " ".join(filter(None, (job_head(statement), option_list(options), "AS", _inserts(inserts))))
        case statements.Insert():
            return f"{insert_head(statement)} {_query(statement.query)}{emit_clause(statement.emit)}"
        case statements.DropJob(job, if_exists, snapshot):
            clause = f" WITH SNAPSHOT {quote_name(snapshot.text)}" if snapshot else ""
            return f"DROP JOB {'IF EXISTS ' if if_exists else ''}{quote_name(job.text)}{clause}"
        case statements.AlterJob(job, statements.NewOptions(options, resumes)):
            return (
                f"ALTER JOB {quote_name(job.text)} {option_list(options) or 'OPTIONS ()'}{' RESUME' if resumes else ''}"
            )
        case statements.AlterJob(job, action):
            return f"ALTER JOB {quote_name(job.text)} {action}"
        case statements.CreateMapping() as mapping:
            return _mapping(mapping)
        case statements.DropMapping(mapping, if_exists):
            return f"DROP MAPPING {'IF EXISTS ' if if_exists else ''}{quote_name(mapping.text)}"
        case statements.CreateSnapshot(snapshot, job, or_replace):
            replace = "OR REPLACE " if or_replace else ""
            return f"CREATE {replace}SNAPSHOT {quote_name(snapshot.text)} FOR JOB {quote_name(job.text)}"
        case statements.DropSnapshot(snapshot, if_exists):
            return f"DROP SNAPSHOT {'IF EXISTS ' if if_exists else ''}{quote_name(snapshot.text)}"
        case statements.Show(subject, as_of, like):
            return f"SHOW {subject}{f' LIKE {string_literal(like.pattern)}' if like else ''}{_as_of(as_of)}"
        case statements.ShowCreate(job):
            return f"SHOW CREATE JOB {quote_name(job.text)}"
        case statements.ShowHistory(job):
            return f"SHOW HISTORY FOR JOB {quote_name(job.text)}"
        case statements.Describe(kind, what):
            return f"DESCRIBE {kind} {quote_name(what.text)}"
        case statements.Explain(explained, statements.ExplainMode.PLAN):
            return f"EXPLAIN {render(explained)}"
        case statements.Explain(explained, mode):
            return f"EXPLAIN {mode} {render(explained)}"
    assert_never(statement)


def job_head(create: statements.CreateJob) -> str:
    """CREATE JOB and its name."""
    return f"CREATE JOB {'IF NOT EXISTS ' if create.if_not_exists else ''}{quote_name(create.name.text)}"


def _inserts(inserts: Sequence[statements.Insert]) -> str:
    listed = "; ".join(map(render, inserts))
    return f"BEGIN {listed}; END" if len(inserts) > 1 else listed


def insert_head(insert: statements.Insert) -> str:
    """INSERT or SINK, INTO and the target with its columns."""
    listed = f" ({', '.join(quote_name(column.text) for column in insert.columns)})" if insert.columns else ""
    return f"{insert.keyword} INTO {quote_name(insert.target.text)}{listed}"


def _as_of(as_of: statements.AsOfOffset | statements.AsOfTime | None) -> str:
    match as_of:
        case statements.AsOfOffset(offset):
            return f" AS OF OFFSET {offset}"
        case statements.AsOfTime(text):
            return f" AS OF TIMESTAMP {string_literal(text)}"
        case None:
            return ""


def option_list(options: Sequence[statements.Option]) -> str:
    listed = ", ".join(f"{string_literal(option.name.text)} = {string_literal(option.value)}" for option in options)
    return f"OPTIONS ({listed})" if options else ""


def _mapping(mapping: statements.CreateMapping) -> str:
    mapped = ", ".join(mapped_parts(mapping))
    parts = (
        mapping_head(mapping),
        f"({mapped})" if mapped else "",
        f"TYPE {quote_name(mapping.type.text)}",
        option_list(mapping.options),
    )
    return " ".join(filter(None, parts))


def mapping_head(mapping: statements.CreateMapping) -> str:
    """CREATE MAPPING and what follows up to its columns."""
    replace = "OR REPLACE " if mapping.or_replace else ""
    exists = "IF NOT EXISTS " if mapping.if_not_exists else ""
    return f"CREATE {replace}MAPPING {exists}{quote_name(mapping.name.text)}{external_clause(mapping.external)}"


def mapped_parts(mapping: statements.CreateMapping) -> list[str]:
    """The columns, and the watermark behind them."""
    columns = [_mapped_column(one) for one in mapping.columns]
    return [*columns, _watermark(mapping.watermark)] if mapping.watermark else columns


def _watermark(watermark: statements.WatermarkDefinition) -> str:
    idle = f" IDLE AFTER {render_expression(watermark.idle)}" if watermark.idle else ""
    return f"WATERMARK FOR {quote_name(watermark.column.text)} AS {render_expression(watermark.expression)}{idle}"


def _mapped_column(column: statements.ColumnDefinition) -> str:
    return f"{quote_name(column.name.text)} {column.type.text}{external_clause(column.external)}"


def external_clause(external: statements.Name | None) -> str:
    return f" EXTERNAL NAME {quote_name(external.text)}" if external else ""


def _query(query: statements.Query) -> str:
    bound = ", ".join(f"{quote_name(one.name.text)} AS ({_query(one.query)})" for one in query.bindings)
    return (f"WITH {bound} " if bound else "") + " UNION ALL ".join(map(_select, query.branches))


def _select(select: statements.Select) -> str:
    items = ", ".join(map(select_item, select.items))
    clauses = "".join(f" {one}" for one in select_clauses(select))
    unnests = "".join(map(unnest_clause, select.unnests))
    return f"{select_word(select)} {items} FROM {_source(select.source)}{unnests}{clauses}"


def select_word(select: statements.Select) -> str:
    return "SELECT DISTINCT" if select.distinct else "SELECT"


def select_clauses(select: statements.Select) -> list[str]:
    """WHERE, GROUP BY and HAVING."""
    return [
        *([f"WHERE {render_expression(select.where)}"] if select.where else []),
        *([f"GROUP BY {', '.join(map(render_expression, select.group))}"] if select.group else []),
        *([f"HAVING {render_expression(select.having)}"] if select.having else []),
    ]


def emit_clause(emit: statements.Emit | None) -> str:
    return f" EMIT {emit.mode}" if emit else ""


def _source(source: statements.Source) -> str:
    match source:
        case statements.Table(name):
            text = quote_name(name.text)
        case statements.Derived(query):
            text = f"({_query(query)})"
        case statements.Windowed() | statements.Ordered():
            inner = _source(source.source)
            of_function = isinstance(source.source, statements.Windowed | statements.Ordered)
            table = f"({inner})" if of_function else f" {inner}"
            text = f"{function_name(source)}(TABLE{table}{partition_by(source)}, {', '.join(window_arguments(source))})"
        case never:
            assert_never(never)
    return text + alias_clause(source.alias)


def function_name(source: statements.TableFunction) -> str:
    return source.function if isinstance(source, statements.Windowed) else "IMPOSE_ORDER"


def partition_by(source: statements.TableFunction) -> str:
    keys = source.keys if isinstance(source, statements.Windowed) else ()
    return f" PARTITION BY {', '.join(map(render_expression, keys))}" if keys else ""


def window_arguments(windowed: statements.TableFunction) -> list[str]:
    """All but the table, in the order in which they are written without names."""
    if isinstance(windowed, statements.Ordered):
        return [f"DESCRIPTOR({render_expression(windowed.time)})", render_expression(windowed.lag)]
    lengths = [windowed.size, *([windowed.step] if windowed.step else [])]
    if windowed.function is statements.WindowFunction.CUMULATE:
        lengths.reverse()
    written = [*lengths, *(one for one in (windowed.offset, windowed.zone) if one)]
    return [f"DESCRIPTOR({render_expression(windowed.time)})", *map(render_expression, written)]


def unnest_clause(unnest: statements.UnnestClause) -> str:
    ordinality = " WITH ORDINALITY" if unnest.ordinality else ""
    columns = f" ({', '.join(quote_name(column.text) for column in unnest.columns)})" if unnest.columns else ""
    return (
        f" CROSS JOIN UNNEST({render_expression(unnest.expression)}){ordinality}{alias_clause(unnest.alias)}{columns}"
    )


def select_item(item: statements.Star | statements.Item) -> str:
    if isinstance(item, statements.Star):
        return f"{quote_name(item.source.text)}.*" if item.source else "*"
    return render_expression(item.expression) + alias_clause(item.alias)


def alias_clause(alias: statements.Name | None) -> str:
    return f" AS {quote_name(alias.text)}" if alias else ""
