"""The lines of TRANSFORM, FILTER and REDUCE: a loop over an array or a map, with the lambda's body in it.

A lambda in a lambda multiplies what is looked at, and a body may make much of little. So everything that lambdas look
at and make of one record is counted, and a record for which that is too much is refused before it takes the memory
and the time of others.
"""

from typing import TYPE_CHECKING

from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import MAX_LENGTH, Type
from jobplane.schemas.types.json_text import null_to_none
from jobplane.sql.plan.usage import children
from jobplane.sql.runtime import operations
from jobplane.sql.types.typed import Field, Let, Loop

if TYPE_CHECKING:
    from jobplane.sql.codegen.expressions import Code

_LONG = frozenset({"VARCHAR", "VARBINARY", "JSON"})
_DEEP = t.NESTED | {"SCALAR", "UNKNOWN"}


def loop(code: "Code", tree: Loop) -> str:
    """Writes the lines; gives the local that holds the result."""
    over = code.name_for(code.result(tree.over))
    start = code.name_for(code.result(tree.start)) if tree.start is not None else ""
    result, outside = code.temporary(), code.spent
    if not outside:
        code.spent = code.temporary()
        code.line(f"{code.spent} = 0")
    code.line(f"{result} = None")
    with code.block(f"if {' and '.join(f'{one} is not None' for one in (over, start) if one)}:"):
        if outside:
            _charge(code, f"len({over}) << 2")  # a turn of a loop takes longer than a character
        for outer in _outer_values(tree):
            local = code.locals[outer]
            _charge(code, f"0 if {local} is None else len({over}) * (len({local}) >> 6)")
        code.line(f"{result} = {start or ('[]' if tree.type.name == 'ARRAY' else '{}')}")
        _entries(code, tree, over, result)
    code.spent = outside
    return result


def _outer_values(tree: Loop) -> list[str]:
    """The keys of values from outside that the lambda may look at from end to end, each time."""
    fields: dict[str, Type] = {}
    bound = {*tree.keys, tree.accumulator}
    waiting = list(tree.results)
    while waiting:
        match one := waiting.pop():
            case Field(key, kind):
                fields[key] = kind
            case Loop(keys=keys, accumulator=accumulator):
                bound |= {*keys, accumulator}
            case Let(key):
                bound.add(key)
            case _:
                pass
        waiting += children(one)
    return [key for key, kind in fields.items() if kind.name in _LONG | {"ARRAY", "MAP"} and key not in bound]


def _entries(code: "Code", tree: Loop, over: str, result: str) -> None:
    entries = [code.temporary() for _ in tree.keys]
    code.locals |= dict(zip(tree.keys, entries, strict=True))
    is_json = tree.over.type.arguments[-1] in (t.JSON, t.UNKNOWN)
    null = code.function("present", null_to_none) if is_json else ""
    of_map = len(entries) == 2
    each = f"{over}.items()" if of_map else f"map({null}, {over})" if null else over
    with code.block(f"for {', '.join(entries)} in {each}:"):
        if of_map and null:
            code.line(f"{entries[1]} = {null}({entries[1]})")
        _BODIES[tree.name](code, tree, result, entries)


def _transform(code: "Code", tree: Loop, result: str, _: list[str]) -> None:
    made = [_charge_value(code, code.name_for(code.result(one)), one.type) for one in tree.results]
    if len(made) == 1:
        code.line(f"{result}.append({made[0]})")
        return
    key, value = made
    with code.block(f"if {key} is None:"):
        code.line(f"{code.function('null_key', operations.raise_null_key)}()")
    code.line(f"{result}[{key}] = {value}")


def _filter(code: "Code", tree: Loop, result: str, entries: list[str]) -> None:
    with code.block(f"if {code.truth(tree.results[0])}:"):
        code.line(f"{result}[{entries[0]}] = {entries[1]}" if len(entries) == 2 else f"{result}.append({entries[0]})")


def _reduce(code: "Code", tree: Loop, result: str, _: list[str]) -> None:
    code.locals[tree.accumulator] = result
    code.line(f"{result} = {code.result(tree.results[0])}")
    if tree.type.name in _LONG | _DEEP:
        _charge(code, f"{code.function('copied', operations.step_cost)}({result})")


_BODIES = {"TRANSFORM": _transform, "FILTER": _filter, "REDUCE": _reduce}


def _charge_value(code: "Code", value: str, one: Type) -> str:
    """Counts how long a value is, if values of its type may be long."""
    if one.name in _LONG:
        _charge(code, f"0 if {value} is None else len({value})")
    elif one.name in _DEEP:
        _charge(code, f"{code.function('weight', operations.weight)}({value})")
    return value


def _charge(code: "Code", what: str) -> None:
    code.line(f"{code.spent} += {what}")
    with code.block(f"if {code.spent} > {MAX_LENGTH}:"):
        code.line(f"{code.function('too_much', operations.raise_too_much)}()")
