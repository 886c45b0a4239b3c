"""`python -m tests.fuzz [inputs]`: hostile bytes through every format. Exit code 1 where one does more than be refused.

Inputs are sound records that were cut, changed and stretched, and bytes of chance, from a seed that is printed. None
may raise anything but what a step makes a BadRecord of, take a second, or leave memory behind.
"""

import argparse
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from schemas import datatypes as t
from schemas.failures import BadRecord
from schemas.formats import avro_schemas
from schemas.formats.avro_schemas import UnknownSchema
from schemas.formats.fields import WHOLE, Layout, Wanted
from schemas.formats.known import FORMATS
from tests.support.carried import decoded, encoded, layout_of

INPUTS = 1_000_000
SLOW_S = 1.0
LEAK_MIB = 200
FAULTS = (BadRecord, ValueError, ArithmeticError, RecursionError, UnknownSchema)
FIELDS = (
    (Wanted(("id",), t.BIGINT), 7),
    (Wanted(("name",), t.VARCHAR), 'a "b", c'),
    (Wanted(("price",), t.decimal(9, 2)), None),
    (Wanted(("ok",), t.BOOLEAN), True),
)
NESTED = (
    (Wanted(("tags",), t.array(t.VARCHAR)), ["x", None]),
    (Wanted(("more",), t.map_of(t.VARCHAR, t.BIGINT)), {"a": 1}),
)


@dataclass(frozen=True, slots=True)
class Target:
    read: Callable[[bytes], object]
    sound: bytes


def targets() -> dict[str, Target]:
    made = {}
    for name, form in FORMATS.items():
        if form.whole is not None:
            value = msgspec.Raw(b'{"a": [1, 2.5, "x"]}') if name == "json" else _sample(form.whole.name)
            pairs: tuple[tuple[Wanted, object], ...] = ((Wanted(WHOLE, form.whole), value),)
        else:
            pairs = FIELDS if name == "csv" else (*FIELDS, *NESTED)
        fields, row = [field for field, _ in pairs], [value for _, value in pairs]
        layouts = {name: Layout() if form.whole else layout_of(name, fields)}
        if name == "avro":
            avro_schemas.learn(1, layouts[name].schema)
            layouts["avro of a registry"] = Layout(schema=layouts[name].schema, schema_id=1)
        for called, layout in layouts.items():
            sound = encoded(form, fields, row, layout)
            made[called] = Target(lambda data, f=form, w=fields, o=layout: decoded(f, w, data, o), sound)  # type: ignore[misc]
    return made


def _sample(kind: str) -> object:
    return {"VARCHAR": "text", "VARBINARY": b"\0\1", "REAL": 1.5, "DOUBLE": 1.5}.get(kind, 7)


def hostile(sound: bytes, chance: random.Random) -> bytes:
    """One of several ways to spoil a record."""
    data = bytearray(sound)
    match chance.randrange(6):
        case 0:
            return bytes(data[: chance.randrange(len(data) + 1)])
        case 1:
            return chance.randbytes(chance.randrange(64))
        case 2:
            return bytes(data) + chance.randbytes(chance.randrange(1, 9))
        case 3:
            at = chance.randrange(len(data))
            return bytes(data[:at]) + b"\xff" * chance.randrange(1, 12) + bytes(data[at:])
        case 4:
            return bytes(data) * chance.randrange(2, 50)
    for _ in range(chance.randrange(1, 5)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data)


def fuzz(inputs: int, seed: int) -> Iterator[str]:
    """What was wrong; ends after so many inputs."""
    chance, made = random.Random(seed), targets()
    outcomes: dict[str, Counter[str]] = {name: Counter() for name in made}
    names, before, began = list(made), 0, time.monotonic()
    for i in range(inputs):
        name = names[i % len(names)]
        data = hostile(made[name].sound, chance)
        started = time.monotonic()
        try:
            made[name].read(data)
            outcomes[name]["read"] += 1
        except FAULTS:
            outcomes[name]["refused"] += 1
        except Exception as error:  # noqa: BLE001  # what else there is, is what is looked for
            yield f"{name}: {type(error).__name__}: {error} over {data.hex()}"
        if time.monotonic() - started > SLOW_S:
            yield f"{name}: {time.monotonic() - started:.1f} s over {data.hex()}"
        if i == inputs // 10:
            before = _peak_mib()
    if _peak_mib() - before > LEAK_MIB:
        yield f"memory grew from {before} to {_peak_mib()} MiB"
    for name, counted in outcomes.items():
        print(f"{name:<20} {counted['read']:>9,} read  {counted['refused']:>9,} refused")
    print(f"{inputs:,} inputs, {inputs / (time.monotonic() - began):,.0f} a second, {_peak_mib()} MiB")


def _peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("inputs", nargs="?", type=int, default=INPUTS)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    wrong = list(fuzz(options.inputs, options.seed))
    for one in wrong[:20]:
        print(one, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
