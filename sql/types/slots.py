"""What columns without a declared type hold, found from how a query uses them.

A slot is a place in a record's value: a field, a field of that, an element. Slots compared with one another are of one
kind. Two uses that no record could satisfy are TypeMismatch.
"""

from dataclasses import dataclass, field

from jobplane.schemas.errors import Place, TypeMismatch
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.types.typed import ELEMENT, GENERATED, VALUE, SlotPath


def describe_slot(slot: SlotPath) -> str:
    """`address.city`, `items[…].sku`"""
    first, *others = slot
    first = str(first).replace(f"{GENERATED}key", "__key").removeprefix(GENERATED)
    return first + "".join("[…]" if isinstance(one, int) else f".{one}" for one in others)


def demanded_type(one: Type) -> Type:
    """The type that a JSON value must have to become a value of this type: any number for each type of numbers."""
    if t.is_numeric(one):
        return t.NUMBER
    return Type(one.name, tuple(map(demanded_type, one.arguments)), fields=one.fields) if one.arguments else one


PARTS = {t.array(t.UNKNOWN): ELEMENT, t.map_of(t.VARCHAR, t.UNKNOWN): VALUE}
"""The part of an array or a map whose type follows from its own uses."""


@dataclass(slots=True)
class Slots:
    """Slots in groups of one kind each. The root of a group keeps what was learned.

    `learned`: all uses are known. Slots in `_whole` are copied unchanged: they stay JSON, and fields inside them are
    looked up in that JSON.
    """

    learned: bool = False
    _parents: dict[SlotPath, SlotPath] = field(default_factory=dict)
    _demands: dict[SlotPath, tuple[Type, Place]] = field(default_factory=dict)
    _compared: set[SlotPath] = field(default_factory=set)
    _whole: set[SlotPath] = field(default_factory=set)
    _inside: dict[SlotPath, dict[str | int, None]] = field(default_factory=dict)
    _others: dict[SlotPath, SlotPath] = field(default_factory=dict)
    _shapes: dict[SlotPath, Type] = field(default_factory=dict)
    """Found out, since something was learned last: a wide object would be gathered for each of its fields."""

    def place_of(self, slot: SlotPath) -> SlotPath:
        """The slot in the record that a slot stands for: a part of a lambda's result may be a value of the record."""
        for end in range(len(slot), 0, -1) if self._others else ():
            if slot[:end] in self._others:
                return self.place_of((*self._others[slot[:end]], *slot[end:]))
        return slot

    def same(self, slot: SlotPath, other: SlotPath) -> None:
        """The slot is but another name for the other."""
        self._others[slot] = other
        self._shapes.clear()

    def add(self, slot: SlotPath) -> None:
        """Makes the slot known, with those it lies in."""
        slot = self.place_of(slot)
        if slot in self._parents:
            return
        self._parents[slot] = slot
        self._shapes.clear()
        if len(slot) > 1:
            self.add(slot[:-1])
            self._inside.setdefault(slot[:-1], {})[slot[-1]] = None

    def demand(self, slot: SlotPath, one: Type, place: Place) -> None:
        """Raises TypeMismatch when the slot was already used as another kind."""
        slot, one = self.place_of(slot), demanded_type(one)
        if one in (t.NULL, t.UNKNOWN):
            return
        if one == t.JSON:
            self.keep_whole(slot)
            return
        if one == t.SCALAR:
            self._compared.add(self._root(slot))
            self._shapes.clear()
            return
        if one.name in ("ARRAY", "MAP") and t.UNKNOWN in one.arguments[-1].parts():
            inner = (*slot, VALUE if one.name == "MAP" else ELEMENT)
            self.add(inner)
            self.demand(inner, one.arguments[-1], place)
            return
        root = self._root(slot)
        if root not in self._demands:
            self._shapes.clear()
        known, before = self._demands.setdefault(root, (one, place))
        if known != one:
            message = f"column {describe_slot(slot)} is used as {one.words} here and as {known.words} at {before}"
            raise TypeMismatch(message, place)

    def known(self, slot: SlotPath) -> Type:
        """What the uses met so far demand; UNKNOWN where there was none."""
        return self._demands.get(self._root(slot), (t.UNKNOWN, None))[0]

    def moment(self, slot: SlotPath) -> Type:
        """What is known of a slot that holds a time or an interval, which arithmetic asks for; else UNKNOWN."""
        known = self.known(slot)
        return known if known.name in t.TEMPORAL else t.UNKNOWN

    def keep_whole(self, slot: SlotPath) -> None:
        slot = self.place_of(slot)
        if slot not in self._whole:
            self._whole.add(slot)
            self._shapes.clear()

    def join(self, left: SlotPath, right: SlotPath, place: Place, *, compared: bool = True) -> None:
        """Both are of one kind from now on."""
        a, b = self._root(left), self._root(right)
        self._shapes.clear()
        if compared or not self._compared.isdisjoint({a, b}):
            self._compared |= {a, b}
        if a in self._demands:
            self.demand(right, self._demands[a][0], place)
        elif b in self._demands:
            self.demand(left, self._demands[b][0], place)
        if a != b:
            self._parents[a] = b
            self._demands.pop(a, None)

    def columns(self) -> dict[str, Type]:
        """The columns with their types, in the order first met."""
        return {str(slot[0]): self.type_of(slot) for slot in self._parents if len(slot) == 1}

    def type_of(self, slot: SlotPath) -> Type:
        """Without a demand, a slot that is compared is a SCALAR, one with slots in it nested, another JSON."""
        slot = self.place_of(slot)
        return t.JSON if slot in self._whole and self._inside.get(slot) else self.shape_of(slot)

    def is_mixed(self, slot: SlotPath) -> bool:
        """Whether it is used as an array and as an object."""
        inside = self._inside.get(self.place_of(slot), {})
        return ELEMENT in inside and len(inside) > 1

    def shape_of(self, slot: SlotPath) -> Type:
        """The type by which a slot is looked into, whether or not it is handed through as well."""
        slot = self.place_of(slot)
        found = self._shapes.get(slot)
        if found is None:
            found = self._shape(slot)
            self._shapes[slot] = found
        return found

    def _shape(self, slot: SlotPath) -> Type:
        root = self._root(slot)
        inside = self._inside.get(slot, {})
        if root in self._demands:
            return self._demands[root][0]
        if not inside:
            return t.SCALAR if root in self._compared else t.JSON
        if VALUE in inside:
            return t.map_of(t.VARCHAR, self.type_of((*slot, VALUE)))
        if ELEMENT in inside:
            return t.array(self.type_of((*slot, ELEMENT)))
        names = tuple(map(str, inside))
        return t.row(names, tuple(self.type_of((*slot, name)) for name in names))

    def _root(self, slot: SlotPath) -> SlotPath:
        slot = self.place_of(slot)
        self.add(slot)
        while (parent := self._parents[slot]) != slot:
            self._parents[slot] = self._parents[parent]
            slot = parent
        return slot
