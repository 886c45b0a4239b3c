"""Whether what a query reads and writes can be carried by the formats of its topics."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jobplane.schemas.errors import ColumnMismatch
from jobplane.schemas.formats.fields import TypedField
from jobplane.sql.analysis.record import KEY_FIELDS
from jobplane.sql.analysis.topic_format import SideFormat
from jobplane.sql.syntax import statements

if TYPE_CHECKING:
    from jobplane.sql.plan.graph import Branch

_NO_COLUMNS = "{} of '{}' are bytes, which have no columns; only SELECT * copies them"


def check_branch(branch: "Branch", source: statements.Name, target: statements.Name) -> None:
    """Raises ColumnMismatch at the name of the source or the target."""
    scan = branch.scan
    of_value = [TypedField(one.path, one.type) for one in branch.reads if not one.of_key]
    of_key = [TypedField(one.path, one.type) for one in branch.reads if one.of_key and one.key != KEY_FIELDS]
    if branch.star:
        _check_star(branch, source, target)
    check_written(branch, target)
    _check(scan.value_format, scan.value_format.check_reading, of_value, source)
    if scan.key_format is not None:
        _check(scan.key_format, scan.key_format.check_reading, of_key, source)


def check_written(branch: "Branch", target: statements.Name) -> None:
    """Raises ColumnMismatch where the formats of the target cannot hold what a branch writes."""
    sink = branch.sink
    if not (branch.star and not branch.outputs):
        _check(sink.value_format, sink.value_format.writing, [one.field for one in branch.outputs], target)
    if sink.key_format is not None and branch.key:
        _check(sink.key_format, sink.key_format.writing, [one.field for one in branch.key], target)


def _check_star(branch: "Branch", source: statements.Name, target: statements.Name) -> None:
    """Fields that are not known before the record stay as they are, so both must be of one format."""
    read, written = branch.scan.value_format, branch.sink.value_format
    copies_bytes = read.format.copies_bytes or written.format.copies_bytes
    if branch.outputs and copies_bytes:
        name = source if read.format.copies_bytes else target
        raise ColumnMismatch(_NO_COLUMNS.format("values", name), name.place)
    alike = read.format is written.format or (read.is_json and written.is_json)
    if not (alike or copies_bytes):
        message = (
            f"values of '{source}' are {read.format.name}, those of '{target}' {written.format.name}: name the columns"
        )
        raise ColumnMismatch(message, source.place)


def _check(side: SideFormat, use: Callable[..., Any], fields: list[TypedField], name: statements.Name) -> None:
    if side.format.has_schema and not side.layout.schema:
        return  # it is made of these fields, or of what the registry holds, when the job is created
    if side.format.copies_bytes and any(field.path for field in fields):
        raise ColumnMismatch(_NO_COLUMNS.format(f"{side.role}s", name), name.place)
    try:
        use(fields)
    except ValueError as reason:
        raise ColumnMismatch(f"{side.role}s of '{name}' are {side.format.name}: {reason}", name.place) from None
