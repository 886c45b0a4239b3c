"""Groups of chance: what rows are grouped by, aggregates of every kind, and expressions over them."""

from collections.abc import Sequence
from random import Random

from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.functions.aggregates import AGGREGATES
from jobplane.sql.functions.aggregates.aggregate import Aggregate
from jobplane.sql.syntax import expressions as ex
from jobplane.sql.syntax import statements
from tests.fuzz.expressions import NUMERIC, ORDERED, Expressions, unified
from tests.fuzz.literals import SCALARS, literal
from tests.fuzz.world import Columns

_ALL = [one for several in AGGREGATES.values() for one in several]
_KEYS = tuple(one for one in SCALARS if one != t.JSON)


class GroupedExpressions(Expressions):
    """Over rows of groups: their leaves are group keys and aggregates of `rows`."""

    def __init__(self, chance: Random, keys: Columns, rows: Expressions) -> None:
        super().__init__(chance, keys)
        self._rows = rows

    def _leaf(self, one: Type, depth: int) -> ex.Expression:
        return self.aggregate(one) if self._chance.random() < 0.6 else super()._leaf(one, depth)

    def aggregate(self, one: Type) -> ex.Call:
        """One that gives the type, or now and then another."""
        chance = self._chance
        those = [each for each in _ALL if _gives(each, one)]
        made = chance.choice(those if those and chance.random() < 0.97 else _ALL)
        stands = dict(unified(made.function.returns, one))
        arguments: list[ex.Expression] = []
        for i, parameter in enumerate(made.function.parameters):
            if parameter.optional and chance.random() < 0.5:
                break
            constant = literal(parameter.type, chance) if i >= made.values and chance.random() < 0.97 else None
            arguments.append(constant or self._rows.argument(parameter, stands, 1))
        draw = chance.random()
        if draw < 0.01:
            arguments = arguments[1:]
        elif draw < 0.02:
            arguments.append(self._rows.of(t.BIGINT, 1))
        elif draw < 0.025 and arguments:
            arguments[0] = self.aggregate(t.BIGINT)
        ordered = chance.random() < (0.4 if made.takes_order else 0.01)
        return ex.Call(
            made.name,
            tuple(arguments),
            distinct=chance.random() < (0.2 if arguments else 0.01),
            order=tuple(self._sort_item() for _ in range(chance.randint(1, 2))) if ordered else (),
            where=self._rows.of(t.BOOLEAN, 1) if chance.random() < 0.15 else None,
        )

    def _sort_item(self) -> ex.SortItem:
        chance = self._chance
        value = self._rows.of(chance.choice(ORDERED), 1)
        return ex.SortItem(value, chance.random() < 0.5, chance.choice((None, None, True, False)))


def _gives(made: Aggregate, one: Type) -> bool:
    name = made.function.returns.name
    return name in (one.name, "T") or (name == "N" and one in NUMERIC) or (name == "O" and one in ORDERED)


class Groups:
    """A SELECT with groups over the rows of a source."""

    def __init__(self, chance: Random, columns: Columns, rows: Expressions, depth: int) -> None:
        self._chance, self._rows, self._columns, self._depth = chance, rows, columns, min(depth, 2)
        self._items: list[statements.Item] = []
        self._keys: list[ex.Expression] = []
        self._by: dict[Type, tuple[str, ...]] = {}

    def select(
        self,
        wanted: Sequence[tuple[str, Type]],
        source: statements.Source,
        unnests: tuple[statements.UnnestClause, ...],
        where: ex.Expression | None,
        *,
        fixed: bool,
    ) -> statements.Select:
        """`fixed`: without columns beside those wanted."""
        chance, windowed = self._chance, isinstance(source, statements.Windowed)
        if chance.random() < (0.02 if windowed and fixed else 0.15):
            keys = [statements.Item(self._key(), statements.Name(name)) for name, _ in wanted]
            if windowed and not fixed:
                keys += [statements.Item(ex.Column(name), None) for name in ("window_start", "window_end")]
            return statements.Select(tuple(keys), source, unnests, where, distinct=True)
        self._add_keys(windowed=windowed, fixed=fixed)
        made = GroupedExpressions(chance, self._by, self._rows)
        self._items += [statements.Item(made.of(one, self._depth), statements.Name(name)) for name, one in wanted]
        having = made.of(t.BOOLEAN, self._depth) if chance.random() < 0.3 else None
        distinct = chance.random() < 0.01
        return statements.Select(
            tuple(self._items), source, unnests, where, tuple(self._keys), having, distinct=distinct
        )

    def _add_keys(self, *, windowed: bool, fixed: bool) -> None:
        chance = self._chance
        if windowed:
            bounds = [name for name in ("window_start", "window_end") if chance.random() < 0.85]
            self._keys += [ex.Column(name) for name in bounds]
            self._by[t.TIMESTAMP_TZ] = tuple(bounds)
        for i in range(chance.choice((0, 1, 1, 1, 2, 3))):
            one, key = chance.choice(_KEYS), self._key()
            match chance.randrange(2, 4) if fixed and chance.random() < 0.95 else chance.randrange(4):
                case 0:
                    self._items.append(statements.Item(key, statements.Name(f"g{i}")))
                    key = ex.Column(f"g{i}")
                case 1:
                    self._items.append(statements.Item(key, statements.Name(f"g{i}")))
                    key = ex.Number(len(self._items) if chance.random() < 0.98 else chance.choice((0, 9, 1.5, 2**70)))
                case _ if isinstance(key, ex.Column):
                    self._by[one] = (*self._by.get(one, ()), key.name)
            self._keys.append(key)

    def _key(self) -> ex.Expression:
        """Mostly a column, whose type does not matter."""
        chance = self._chance
        one = chance.choice(_KEYS)
        names = self._columns.get(one, ())
        if names and chance.random() < 0.6:
            return ex.Column(chance.choice(names))
        if chance.random() < 0.15:
            return ex.Column(chance.choice(("__key", "__partition", "__topic", "__timestamp", "k")))
        return self._rows.of(one, 1)
