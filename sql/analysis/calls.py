"""Resolves calls: which function a call means, and how its arguments are converted."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from jobplane.schemas.errors import NotSupported, Place, Refused, TypeMismatch, UnknownFunction
from jobplane.schemas.failures import BadRecord
from jobplane.schemas.formats.json.values import argument_conversion, write_conversion
from jobplane.schemas.suggestions import did_you_mean, nearest_names, proposal
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.analysis.foreign_functions import ANOTHER, ELSEWHERE
from jobplane.sql.functions import FunctionCatalogue
from jobplane.sql.functions.listing import FORMS
from jobplane.sql.functions.signature import ANY, DECIMAL, NOT_CONSTANT, VARIABLES, Function, Parameter
from jobplane.sql.operations.operation import JsonArgument, call_of
from jobplane.sql.runtime import operations
from jobplane.sql.types.coercion import Coercion, common_type, conversion_cost
from jobplane.sql.types.typed import (
    ELEMENT,
    Apply,
    ApplyNullable,
    Constant,
    Field,
    SlotPath,
    Typed,
    apply,
    apply_nullable,
    slot_of,
    strip_view,
    with_fault,
)

_OVER = frozenset({
    *("FIRST_VALUE", "LAST_VALUE", "LAG", "LEAD", "ROW_NUMBER", "RANK", "DENSE_RANK", "NTILE", "NTH_VALUE"),
    *("PERCENT_RANK", "CUME_DIST"),
})  # fmt: skip
_TABLE_FUNCTIONS = frozenset({"TUMBLE", "HOP", "CUMULATE", "SESSION", "IMPOSE_ORDER"})
_ONCE = "the same record would give other output after a restart; use"
_CLOCKS = (
    *("NOW", "CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME", "LOCALTIME", "LOCALTIMESTAMP", "SYSDATE", "GETDATE"),
    *("CURDATE", "CURTIME", "TODAY", "SYSTIMESTAMP", "UTC_TIMESTAMP", "PROCTIME", "CURRENT_DATETIME", "GETUTCDATE"),
    *("CLOCK_TIMESTAMP", "STATEMENT_TIMESTAMP", "SYSDATETIME", "CURRENT_ROW_TIMESTAMP"),
)
_UUIDS = ("UUID", "GEN_RANDOM_UUID", "UUID4", "UUID_STRING", "GENERATE_UUID", "RANDOM_UUID", "NEWID")
UNREPEATABLE = {
    **dict.fromkeys(_CLOCKS, f"{_ONCE} the record's own __timestamp"),
    **dict.fromkeys(_UUIDS, f"{_ONCE} UUID_FROM(__topic, __partition, __offset)"),
    **dict.fromkeys(("RAND", "RANDOM"), f"{_ONCE} CRC32(UUID_FROM(__topic, __partition, __offset))"),
}
WITHOUT_PARENTHESES = frozenset({"CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME", "LOCALTIME", "LOCALTIMESTAMP"})
_NATURAL = {
    "VARCHAR": 0,
    "N": 0,
    "BIGINT": 0,
    "DOUBLE": 0,
    "BOOLEAN": 0,
    "T": 0,
    "O": 0,
    "JSON": 0,
    "ARRAY": 1,
    "ANY": -1,
}
"""The cost of taking a JSON value of unknown type for a parameter of this type; 2 for types that are not listed."""
_FORMS = {name: signature for name, signature, _ in FORMS if f"{name}(" in signature}
"""Forms of the language that are written like a call of a function."""
_MESSAGES = (BadRecord, ValueError, ArithmeticError)


def refuse_unrepeatable(name: str, place: Place) -> None:
    """Raises NotSupported for a function whose result does not follow from the record."""
    if reason := UNREPEATABLE.get(name):
        raise NotSupported(f"{name}: {reason}", place)


def refuse_unknown(name: str, place: Place, catalogue: FunctionCatalogue) -> None:
    """Raises UnknownFunction or NotSupported for what is neither a function nor a form of the language."""
    refuse_unrepeatable(name, place)
    if name in _OVER:
        raise NotSupported(f"{name} needs OVER, which is not supported by this version", place)
    if name in _TABLE_FUNCTIONS:
        raise NotSupported(f"{name} stands after FROM: FROM {name}(TABLE name, DESCRIPTOR(column), …)", place)
    if name in catalogue.functions or name in _FORMS:
        return
    if name in catalogue.not_offered:
        raise UnknownFunction(catalogue.not_offered[name], place)
    raise UnknownFunction(f"there is no function {name}{_instead(name, catalogue)}", place)


def _instead(name: str, catalogue: FunctionCatalogue) -> str:
    """The end of a message about an unknown function: what to write instead."""
    if name in ELSEWHERE:
        return f"; write {ELSEWHERE[name]}"
    known = [] if name in ANOTHER else nearest_names(name, [*catalogue.functions, *catalogue.aggregates, *_FORMS])
    return proposal(f"'{one}'" for one in known) or "; SHOW FUNCTIONS lists them"


def resolve_call(
    name: str,
    arguments: Sequence[tuple[Typed, Place]],
    place: Place,
    coercion: Coercion,
    catalogue: FunctionCatalogue,
) -> Typed:
    """`name` is one that `refuse_unknown` lets pass. Raises TypeMismatch with its place."""
    if name in _FORMS:
        raise TypeMismatch(f"{name} does not take {argument_count(len(arguments))}; it is {_FORMS[name]}", place)
    alike = catalogue.functions[name]
    function = choose_function(alike, arguments, place, coercion)
    return BoundCall(function, alike, arguments, place, coercion).made()


def choose_function(
    alike: Sequence[Function], arguments: Sequence[tuple[Typed, Place]], place: Place, coercion: Coercion
) -> Function:
    """Of the functions of one name the one that needs the fewest conversions; of columns, earlier uses tell."""
    those = [one for one in alike if one.takes(len(arguments))]
    if not those:
        ways = " or ".join(one.signature for one in alike)
        raise TypeMismatch(f"{alike[0].name} does not take {argument_count(len(arguments))}; it is {ways}", place)
    types = [_types_of(value, coercion) for value, _ in arguments]
    costs = [(_cost(one, types), one) for one in those]
    fitting = [(value, one) for value, one in costs if value is not None]
    if not fitting:
        return those[0] if len(those) == 1 else _nearest(those, arguments, place)
    return min(fitting, key=lambda pair: pair[0])[1]


def argument_count(arguments: int) -> str:
    return f"{arguments} argument{'s' * (arguments != 1)}"


def _types_of(value: Typed, coercion: Coercion) -> tuple[Type, ...]:
    """What an argument may be taken as: JSON that is looked into elsewhere in the query is still JSON."""
    if value.type == t.UNKNOWN and isinstance(value, Field):
        return (coercion.slots.known(value.slot),)
    return tuple(dict.fromkeys((value.type, strip_view(value).type)))


def _nearest(those: list[Function], arguments: Sequence[tuple[Typed, Place]], place: Place) -> Function:
    types = ", ".join(str(value.type) for value, _ in arguments)
    ways = " or ".join(one.signature for one in those)
    raise TypeMismatch(f"{those[0].name} does not take ({types}); it is {ways}", place)


def _cost(function: Function, types: list[tuple[Type, ...]]) -> int | None:
    total = 0
    for i, several in enumerate(types):
        wanted = function.parameter(i).type
        found = [_NATURAL.get(wanted.name, 2) if one == t.UNKNOWN else _fit(one, wanted) for one in several]
        fits = [each for each in found if each is not None]
        if not fits:
            return None
        total += min(fits)
    return total


def _fit(given: Type, wanted: Type) -> int | None:
    if wanted == ANY:
        return 1
    if wanted.name in ("T", "K", "V") or given == t.NULL:
        return 0
    if wanted.name == "N":
        return 0 if t.is_numeric(given) else None
    if wanted.name == "O":
        return None if given.name in ("MAP", "ROW", "JSON", "ARRAY") else 0
    if wanted == DECIMAL:
        return 0 if given.name == "DECIMAL" else conversion_cost(given, t.decimal(t.MAX_PRECISION, 0))
    if wanted.arguments and given.name == wanted.name:
        costs = [_fit(a, b) if a != t.UNKNOWN else 0 for a, b in zip(given.arguments, wanted.arguments, strict=True)]
        return None if None in costs else max(one or 0 for one in costs)
    return conversion_cost(given, wanted)


@dataclass(slots=True)
class BoundCall:
    """One call: first the types that its variables stand for, then the converted arguments.

    `alike` are the functions of its name.
    """

    function: Function
    alike: Sequence[Function]
    arguments: Sequence[tuple[Typed, Place]]
    place: Place
    coercion: Coercion
    stands_for: dict[str, Type] = field(default_factory=dict)
    _slots: dict[str, SlotPath] = field(default_factory=dict)

    def converted(self) -> tuple[Typed, ...]:
        """The arguments, as the function takes them."""
        function = self.function
        for i, (value, place) in enumerate(self.arguments):
            self._learn(function.parameter(i).type, value.type, slot_of(value), place)
        return tuple(
            self._argument(function.parameter(i), value, place) for i, (value, place) in enumerate(self.arguments)
        )

    def made(self) -> Typed:
        function, arguments = self.function, self.converted()
        nulls = any(function.parameter(i).takes_null for i in range(len(arguments)))
        returns = self.returns
        if not self.coercion.slots.learned and (result := self.of_slot(function.returns)):
            return result
        made = self._applied(arguments, returns, nulls=nulls)
        reason = self._refused(arguments)
        return with_fault(made, reason) if reason else made

    @property
    def returns(self) -> Type:
        """The type of the result, once the arguments are converted."""
        return self._substituted(self.function.returns)

    def _refused(self, arguments: tuple[Typed, ...]) -> str:
        """Why the call fails for every record, if its constant arguments show that."""
        values = [one.value if isinstance(one, Constant) else NOT_CONSTANT for one in arguments]
        nulls = [i for i, value in enumerate(values) if value is None]
        if self.function.refuses is None or any(not self.function.parameter(i).takes_null for i in nulls):
            return ""
        try:
            self.function.refuses(*values)
        except (ValueError, ArithmeticError) as error:
            return operations.bad_record(error).message
        return ""

    def _applied(self, arguments: tuple[Typed, ...], returns: Type, *, nulls: bool) -> Typed:
        """A function of a package is called for records alone, never for constants while a statement is judged."""
        call, of_package = call_of(self.function, len(arguments), returns), self.function.package is not None
        if not nulls:
            return Apply(call, arguments, returns) if of_package else apply(call, arguments, returns)
        return ApplyNullable(call, arguments, returns) if of_package else apply_nullable(call, arguments, returns)

    def of_slot(self, returns: Type) -> Typed | None:
        """While uses are learned: a result of unknown type as if it were what it is taken from."""
        variable = returns.arguments[0] if returns.name == "ARRAY" else returns
        slot = self._slots.get(variable.name)
        if slot is None or self.stands_for.get(variable.name) != t.UNKNOWN:
            return None
        if returns.name != "ARRAY":
            return Field("", t.UNKNOWN, slot)
        return Field("", t.array(t.UNKNOWN), slot[:-1]) if slot[-1] == ELEMENT else None

    def _learn_slot(self, variable: str, slot: SlotPath, place: Place) -> None:
        """Slots that one variable stands for are of one kind."""
        slots = self.coercion.slots
        slots.add(slot)
        slots.join(self._slots.setdefault(variable, slot), slot, place, compared=variable == "O")

    def _learn(self, wanted: Type, given: Type, slot: SlotPath, place: Place) -> None:
        """What a variable of the signature stands for, by this argument."""
        if wanted.name == "ARRAY" and slot and given in (t.UNKNOWN, t.array(t.UNKNOWN)):
            self._learn(wanted.arguments[0], t.UNKNOWN, (*slot, ELEMENT), place)
        elif wanted.name in VARIABLES:
            if given == t.UNKNOWN and slot:
                self._learn_slot(wanted.name, slot, place)
            known = self.stands_for.get(wanted.name)
            common = common_type((known, given)) if known else given
            if known and common is None:
                raise TypeMismatch(f"{self.function.name} takes {known.words} with {given.words}", place)
            self.stands_for[wanted.name] = (
                t.BIGINT if wanted.name == "N" and common and t.is_integer(common) else common or given
            )
        elif wanted.arguments and given.name == wanted.name:
            for a, b in zip(wanted.arguments, given.arguments, strict=True):
                self._learn(a, b, (), place)

    def _substituted(self, one: Type) -> Type:
        if one.name in VARIABLES:
            found = self.stands_for.get(one.name, t.UNKNOWN)
            if found.name == "DECIMAL" and one.name == "N":
                found = t.decimal(t.MAX_PRECISION, found.size[1])  # ROUND(9.99) has one digit more
            return {"N": t.NUMBER, "O": t.SCALAR}.get(one.name, found) if found in (t.UNKNOWN, t.NULL) else found
        if one == DECIMAL:
            if (scale := self._scale()) is not None:
                return t.decimal(t.MAX_PRECISION, scale)
            sizes = [value.type.size for value, _ in self.arguments if value.type.name == "DECIMAL"]
            return t.decimal(t.MAX_PRECISION, max((scale for _, scale in sizes), default=18))
        return Type(one.name, tuple(map(self._substituted, one.arguments))) if one.arguments else one

    def _scale(self) -> int | None:
        """The digits after the point that the call itself asks for, where its function takes them."""
        for i, (value, place) in enumerate(self.arguments):
            if self.function.parameter(i).gives_scale:
                if not isinstance(value, Constant):
                    raise TypeMismatch(self._not_constant(), place)
                return max(0, value.value or 0)
        return None

    def _not_constant(self) -> str:
        name, count = self.function.name, len(self.arguments)
        longer = [one for one in self.alike if one.takes(count + 1) and one.parameter(count).gives_scale]
        hint = f"; {longer[0].signature} takes it from the record" if longer else ""
        return f"{name} needs a constant here, which is part of the type of its result{hint}"

    def _argument(self, parameter: Parameter, value: Typed, place: Place) -> Typed:
        name = self.function.name
        if parameter.choices:
            return self._word(parameter, value, place)
        if parameter.type == ANY:
            return self._anything(value, place)
        wanted = self._substituted(parameter.type)
        if value.type in (t.UNKNOWN, t.array(t.UNKNOWN)) and parameter.type.name in ("ARRAY", "MAP"):
            wanted = self._shape(parameter.type, wanted)
        if parameter.type == DECIMAL and value.type.name == "DECIMAL":
            wanted = value.type
        made = self.coercion.to(value, wanted, name, place)
        limited = any(one.name in ("N", "O") for one in parameter.type.parts())
        if limited and _fit(made.type, parameter.type) is None:
            raise TypeMismatch(f"{name} does not take {made.type.words}", place)
        if parameter.check and isinstance(made, Constant) and made.value is not None:
            self._check(parameter.check, made.value, place)
        return self._written(made) if parameter.written else made

    def _shape(self, declared: Type, wanted: Type) -> Type:
        """An array or map of JSON values, where nothing says what is in it; uses may tell later."""
        if wanted.name == "MAP":
            varies = any(one.name in VARIABLES for one in declared.parts())
            return t.map_of(t.VARCHAR, t.JSON) if varies else wanted
        open_ = self.stands_for.get(declared.arguments[0].name, t.UNKNOWN) in (t.UNKNOWN, t.NULL)
        return t.array(t.UNKNOWN) if declared.arguments[0].name in VARIABLES and open_ else wanted

    def _word(self, parameter: Parameter, value: Typed, place: Place) -> Typed:
        listed = ", ".join(parameter.choices)
        if not isinstance(value, Constant) or not isinstance(value.value, str):
            raise TypeMismatch(f"{self.function.name} needs one of the words {listed} here", place)
        word = value.value.upper()
        word = word if word in parameter.choices else word.removesuffix("S")
        if word not in parameter.choices:
            hint = did_you_mean(word, parameter.choices) or f"; it takes {listed}"
            raise TypeMismatch(f"{self.function.name} does not know '{value.value}'{hint}", place)
        return Constant(word, t.VARCHAR)

    def _anything(self, value: Typed, place: Place) -> Typed:
        value = strip_view(value)
        value = self.coercion.pass_on(value, self.function.name, place)
        return self._written(value)

    def _written(self, value: Typed) -> Typed:
        by_package = self.function.package is not None
        written = argument_conversion(value.type) if by_package else write_conversion(value.type)
        return apply(JsonArgument(value.type, by_package), (value,), value.type) if written else value

    def _check(self, check: Any, constant: Any, place: Place) -> None:
        try:
            check(constant)
        except _MESSAGES as error:
            raise TypeMismatch(str(error), place) from None
        except Refused as error:
            raise TypeMismatch(error.message, place) from None
