"""INSERTs of chance: SELECTs over one source or several, groups, subqueries, WITH, UNNEST, UNION ALL, targets with
columns."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from random import Random

from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.syntax import expressions as ex
from jobplane.sql.syntax import statements
from tests.fuzz.expressions import Expressions
from tests.fuzz.groups import Groups
from tests.fuzz.literals import any_type
from tests.fuzz.world import SOURCES, TARGETS, WATERMARKS, Columns

DEPTHS = (1, 1, 2, 3)
"""How deep the expressions of a query are at most: the deeper, the more often one of them is refused."""
GROUPED = 0.3
"""The part of queries that has groups."""


_WITHOUT_STEP = (statements.WindowFunction.TUMBLE, statements.WindowFunction.SESSION)


@dataclass(frozen=True, slots=True)
class _Below:
    """What a SELECT reads from, and the columns that it finds there."""

    source: statements.Source
    columns: Columns


class Queries:
    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._bindings: list[tuple[statements.Binding, Columns]] = []
        self._depth = chance.choice(DEPTHS)

    def insert(self) -> statements.Insert:
        chance = self._chance
        target = chance.choice(list(TARGETS)) if chance.random() < 0.4 else "out"
        self._bindings = []
        wanted = self._wanted(target)
        names: tuple[statements.Name, ...] = ()
        if wanted and target != "out":
            names = tuple(statements.Name(name) for name, _ in wanted)
        if chance.random() < 0.1:
            self._bind()
        grouped = chance.random() < GROUPED
        branches = [self._select(wanted, 0) for _ in range(chance.choice((1,) * 9 + (2, 3)))]
        if grouped:
            several = chance.random() < 0.15
            fixed = bool(names) or several
            branches = [self._grouped(wanted, fixed=fixed) for _ in range(chance.choice((1, 2, 3)) if several else 1)]
            if several and len(branches) < 3:
                branches.append(self._select(wanted, 0))
        query = statements.Query(tuple(one for one, _ in self._bindings), tuple(branches))
        emit = self._emit(branches[0], grouped=grouped)
        return statements.Insert(chance.choice(list(statements.Keyword)), statements.Name(target), names, query, emit)

    def _emit(self, select: statements.Select, *, grouped: bool) -> statements.Emit | None:
        chance = self._chance
        if chance.random() > (0.4 if grouped else 0.003):
            return None
        final = isinstance(select.source, statements.Windowed) or chance.random() < 0.1
        modes = list(statements.EmitMode) if final else [statements.EmitMode.CHANGES]
        return statements.Emit(chance.choice(modes))

    def _grouped(self, wanted: Sequence[tuple[str, Type]], *, fixed: bool) -> statements.Select:
        """A SELECT with groups, or one above it. `fixed`: it has these columns, and no others."""
        chance = self._chance
        above = chance.random() < 0.15
        inner = [(f"i{i}", any_type(chance)) for i in range(chance.randint(1, 3))] if above else wanted
        below = self._unwindowed(1)
        times = [name for one in (t.TIMESTAMP, t.TIMESTAMP_TZ) for name in below.columns.get(one, ())]
        if chance.random() < 0.6:
            below = self._ordered(below, times)
        elif chance.random() < 0.05:
            below = _Below(self._imposed(below.source, "__timestamp"), below.columns)
        columns: dict[Type, tuple[str, ...]] = dict(below.columns)
        unnests = (self._unnest(columns, 0),) if chance.random() < 0.1 else ()
        groups = Groups(chance, columns, Expressions(chance, columns), self._depth)
        select = groups.select(inner, below.source, unnests, self._where(columns), fixed=fixed and not above)
        if not above:
            return select
        found: dict[Type, tuple[str, ...]] = {}
        for name, one in inner:
            found[one] = (*found.get(one, ()), name)
        source = statements.Derived(statements.Query((), (select,)), None)
        made = Expressions(chance, found)
        items = tuple(statements.Item(made.of(one, self._depth), statements.Name(name)) for name, one in wanted)
        return statements.Select(items, source, (), self._where(found))

    def _ordered(self, below: _Below, times: Sequence[str]) -> _Below:
        """Windows, mostly of the time that is imposed, or that the mapping's watermark is of."""
        chance = self._chance
        made = self._windowed(below, times, grouped=True)
        assert isinstance(made.source, statements.Windowed)
        watermark = WATERMARKS.get(getattr(getattr(below.source, "name", None), "text", ""))
        if chance.random() < (0.5 if watermark else 0.97):
            time = made.source.time if chance.random() < 0.97 else ex.Column("__timestamp")
            assert isinstance(time, ex.Column)
            return replace(made, source=replace(made.source, source=self._imposed(made.source.source, time.name)))
        if watermark is not None:
            return replace(made, source=replace(made.source, time=ex.Column(watermark)))
        return made

    def _imposed(self, source: statements.Source, time: str) -> statements.Ordered:
        lag = "5", "SECOND"
        if self._chance.random() < 0.03:
            lag = self._chance.choice(
                (("0", "SECOND"), ("-1", "SECOND"), ("99999", "DAY"), ("1", "MONTH"), ("", "DAY"))
            )
        return statements.Ordered(source, ex.Column(time), ex.Interval(*lag, ""), None)

    def _wanted(self, target: str) -> list[tuple[str, Type]]:
        """Names and types of the columns to be selected; none where it is all the same."""
        chance = self._chance
        columns = [(name, one) for one, names in TARGETS[target].items() for name in names]
        if columns:
            return chance.sample(columns, chance.randint(1, min(4, len(columns))))
        return [(f"r{i}", any_type(chance)) for i in range(chance.choice((1, 1, 1, 2, 3)))]

    def _bind(self) -> None:
        name = statements.Name(f"w{len(self._bindings)}")
        query, columns = self._inner(1)
        self._bindings.append((statements.Binding(name, query), columns))

    def _below(self, depth: int) -> _Below:
        below = self._unwindowed(depth)
        times = [name for one in (t.TIMESTAMP, t.TIMESTAMP_TZ) for name in below.columns.get(one, ())]
        return self._windowed(below, times) if self._chance.random() < 0.1 else below

    def _windowed(self, below: _Below, times: Sequence[str], *, grouped: bool = False) -> _Below:
        """Sessions are there for groups alone."""
        chance, source = self._chance, below.source
        assert not isinstance(source, statements.Windowed)
        session = statements.WindowFunction.SESSION
        function = chance.choice([one for one in statements.WindowFunction if grouped or one is not session])
        month = chance.random() < (0.02 if function is session else 0.25)
        unit = "MONTH" if month else chance.choice(("SECOND", "MINUTE", "DAY"))
        times_step = chance.choice(("1", "2", "60"))
        step, size, offset = (ex.Interval(one, unit, "") for one in ("1", times_step, "-1"))
        moved = chance.random() < (0.02 if times_step == "1" or function is session else 0.15)
        names = [name for several in below.columns.values() for name in several]
        keys = tuple(ex.Column(chance.choice(names)) for _ in range(chance.choice((0, 0, 0, 1, 2)))) if names else ()
        windowed = statements.Windowed(
            function,
            replace(source, alias=None),
            ex.Column(chance.choice([*times, "__timestamp"])),
            size,
            None if function in _WITHOUT_STEP else step,
            offset if moved else None,
            ex.String("Europe/Berlin") if chance.random() < (0.4 if unit in ("DAY", "MONTH") else 0.02) else None,
            source.alias,
            keys=keys if function is session else (),
        )
        made = (*below.columns.get(t.TIMESTAMP_TZ, ()), "window_start", "window_end")
        return _Below(windowed, {**below.columns, t.TIMESTAMP_TZ: made})

    def _unwindowed(self, depth: int) -> _Below:
        chance = self._chance
        alias = statements.Name("z") if chance.random() < 0.1 else None
        if self._bindings and chance.random() < 0.6:
            binding, columns = self._bindings[-1]
            return _Below(statements.Table(binding.name, alias), columns)
        if depth < 2 and chance.random() < 0.1:
            query, columns = self._inner(depth + 1)
            return _Below(statements.Derived(query, alias), columns)
        source = chance.choice(list(SOURCES)) if chance.random() < 0.6 else "s"
        return _Below(statements.Table(statements.Name(source), alias), SOURCES[source])

    def _inner(self, depth: int) -> tuple[statements.Query, Columns]:
        """A query whose columns are named, and what they are."""
        chance = self._chance
        if chance.random() < 0.3:
            below = self._below(depth)
            star = statements.Select((statements.Star(),), below.source, (), self._where(below.columns))
            return statements.Query((), (star,)), below.columns
        wanted = [(f"i{i}", any_type(chance)) for i in range(chance.randint(1, 4))]
        branches = tuple(self._select(wanted, depth) for _ in range(chance.choice((1, 1, 1, 2))))
        columns: dict[Type, tuple[str, ...]] = {}
        for name, one in wanted:
            columns[one] = (*columns.get(one, ()), name)
        return statements.Query((), branches), columns

    def _select(self, wanted: Sequence[tuple[str, Type]], depth: int) -> statements.Select:
        chance = self._chance
        below = self._below(depth)
        columns: dict[Type, tuple[str, ...]] = dict(below.columns)
        unnests: list[statements.UnnestClause] = []
        while chance.random() < 0.12:
            unnests.append(self._unnest(columns, len(unnests)))
        made = Expressions(chance, columns)
        items: list[statements.Star | statements.Item] = []
        if chance.random() < 0.1:
            items.append(statements.Star())
        if not items or chance.random() < 0.5:
            items += [statements.Item(made.of(one, self._depth), statements.Name(name)) for name, one in wanted]
            items += self._parts(made)
        return statements.Select(tuple(items), below.source, tuple(unnests), self._where(columns))

    def _parts(self, made: Expressions) -> Iterator[statements.Item]:
        """Parts of the record written."""
        draw = self._chance.random()
        for least, name, one in (
            (0.97, "__key", t.VARCHAR),
            (0.95, "__timestamp", t.TIMESTAMP_TZ),
            (0.93, "__headers", t.map_of(t.VARCHAR, t.VARCHAR)),
            (0.91, "__partition", t.INTEGER),
        ):
            if draw > least:
                yield statements.Item(made.of(one, self._depth), statements.Name(name))
                return

    def _where(self, columns: Columns) -> ex.Expression | None:
        if self._chance.random() < 0.75:
            return None
        return Expressions(self._chance, columns).of(t.BOOLEAN, self._depth)

    def _unnest(self, columns: dict[Type, tuple[str, ...]], number: int) -> statements.UnnestClause:
        """An UNNEST; its columns are added to those there are."""
        chance = self._chance
        nested = [one for one in columns if one.name in ("ARRAY", "MAP")]
        one = chance.choice(nested) if nested else t.array(t.BIGINT)
        expression = Expressions(chance, columns).of(one, 1)
        inner = list(one.arguments)
        if len(inner) == 1 and inner[0].name == "ROW" and chance.random() < 0.3:
            named = list(zip(inner[0].fields, inner[0].arguments, strict=True))
        else:
            named = [(f"u{number}_{i}", each) for i, each in enumerate(inner)]
        ordinal = chance.random() < 0.2
        if ordinal:
            named.append((f"o{number}", t.BIGINT))
        for name, each in named:
            columns[each] = (*columns.get(each, ()), name)
        names = tuple(statements.Name(name) for name, _ in named)
        return statements.UnnestClause(expression, ordinal, statements.Name(f"e{number}"), names)


def inside(tree: object) -> Iterator[ex.Expression]:
    """Expressions directly or indirectly in a node, the larger first."""
    for field in fields(tree) if is_dataclass(tree) else ():
        value = getattr(tree, field.name)
        for one in _flat(value):
            if isinstance(one, ex.Expression):
                yield one
            yield from inside(one)


def _flat(value: object) -> Iterator[object]:
    if isinstance(value, tuple):
        for one in value:
            yield from _flat(one)
    else:
        yield value
