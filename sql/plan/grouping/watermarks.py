"""What says how late records may be: WATERMARK FOR in a mapping, or IMPOSE_ORDER in the query."""

from dataclasses import dataclass

from jobplane.schemas.errors import NotSupported, Place
from jobplane.schemas.names import quote_name
from jobplane.schemas.records.mappings import TopicMapping, WatermarkRule
from jobplane.sql.analysis.arithmetic import arithmetic
from jobplane.sql.analysis.expressions import Analysis
from jobplane.sql.analysis.faults import Faults
from jobplane.sql.analysis.names import SourceRecord, record_names
from jobplane.sql.analysis.topic_format import topic_format_of
from jobplane.sql.functions import BUILT_IN
from jobplane.sql.plan.operators import WatermarkOperator
from jobplane.sql.plan.windows import idle_of, lag_of, time_of
from jobplane.sql.syntax import expressions as ex
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse_expression
from jobplane.sql.syntax.render.expressions import render_expression
from jobplane.sql.types.slots import Slots
from jobplane.sql.types.typed import Typed

NO_WATERMARK = (
    "groups of windows need to know how late records may be: write WATERMARK FOR column AS column - INTERVAL '5' "
    "SECOND in the mapping, or FROM TUMBLE(TABLE(IMPOSE_ORDER(TABLE …, DESCRIPTOR(column), INTERVAL '5' SECOND)), …)"
)


@dataclass(frozen=True, slots=True)
class Watermark:
    """`time` is the value that the watermark is about, `name` what it is called, `step` what asserts it."""

    time: Typed
    name: str
    step: WatermarkOperator


def imposed_watermark(ordered: statements.Ordered, analysis: Analysis) -> Watermark:
    """That of IMPOSE_ORDER. Raises TypeMismatch."""
    time, lag = time_of(ordered.time, analysis), lag_of(ordered, analysis)
    value = arithmetic("-", time, lag, (ordered.time.place, ordered.lag.place), analysis.coercion)
    name = render_expression(ordered.time)
    return Watermark(time, name, WatermarkOperator(value, f"{name} - {render_expression(ordered.lag)}"))


def declared_watermark(rule: WatermarkRule, analysis: Analysis) -> Watermark:
    """That of a mapping."""
    idle = parse_expression(rule.idle) if rule.idle else None
    return watermark_of(ex.Column(rule.column), parse_expression(rule.expression), idle, analysis)


def watermark_of(
    column: ex.Column, expression: ex.Expression, idle: ex.Expression | None, analysis: Analysis
) -> Watermark:
    """Raises TypeMismatch where column and expression are not times, or `idle` is not a length."""
    time = time_of(column, analysis, "WATERMARK FOR")
    value = time_of(expression, analysis, "WATERMARK")
    silence = 0 if idle is None else idle_of(idle, analysis)
    return Watermark(time, quote_name(column.name), WatermarkOperator(value, render_expression(expression), silence))


def check_watermark(definition: statements.WatermarkDefinition, mapping: TopicMapping) -> None:
    """Raises Refused for an expression that is not an instant, or names what records of the mapping do not have."""
    faults, slots = Faults(), Slots()
    column, source = ex.Column(definition.column.text, definition.column.place), topic_format_of(mapping)
    for learned in (False, True):
        slots.learned = learned
        record = SourceRecord(source, {one.name: one for one in source.source_columns}, slots)
        watermark_of(
            column, definition.expression, definition.idle, Analysis(slots, record_names(record), faults, BUILT_IN)
        )
    faults.refuse()


def check_time(watermark: Watermark, time: Typed, text: str, place: Place) -> None:
    """Raises NotSupported for windows of another time than the one that the watermark is about."""
    if watermark.time != time:
        message = (
            f"the watermark is of {watermark.name}, the windows are of {text}, which may be late by any time: "
            f"FROM …(TABLE(IMPOSE_ORDER(TABLE …, DESCRIPTOR({text}), INTERVAL '5' SECOND)), DESCRIPTOR({text}), …)"
        )
        raise NotSupported(message, place)
