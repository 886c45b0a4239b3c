"""One input after another: what came of it, and what of that may not be.

An input is made of a seed, a generator's name and a number, so that any of them can be tried again alone. It may give
values, or be refused with a code. It may not raise anything else, give a message in a library's words, take a second of
the processor, or leave memory behind.
"""

import os
import re
import resource
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from jobplane.schemas.errors import JobplaneError

SLOW_S = 1.0
SHRINKING_S = 2.0
ACCEPTED = "accepted"
FOREIGN = re.compile(
    r"unsupported operand|object has no attribute|not supported between|NoneType|positional argument|unhashable"
    r"|not subscriptable|not iterable|has no len|not callable|expected str|invalid literal|keyword argument|<class '"
    r"|object cannot be|must be (?:str|int|real|a real)\b|Traceback|\bdict\b|\bNone\b"
)
"""What Python says, and no person."""


class Try(Protocol):
    """One input. `text` is what makes it again, for people; `smaller` are inputs with less in them."""

    def run(self) -> JobplaneError | None: ...

    @property
    def text(self) -> str: ...

    def smaller(self) -> Iterable["Try"]: ...


Generator = Callable[[Random], Try]


@dataclass(slots=True)
class Tally:
    """What came of inputs: by code, and what was wrong by its kind, each with the smallest input that shows it."""

    inputs: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    faults: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    process: int = 0
    peak_mib: int = 0

    def add(self, other: "Tally") -> None:
        self.inputs += other.inputs
        self.codes += other.codes
        self.faults = other.faults | self.faults
        self.seconds += other.seconds

    @property
    def accepted(self) -> int:
        return self.codes[ACCEPTED]


def tried(name: str, generator: Generator, seed: int, numbers: Iterable[int]) -> Tally:
    """The inputs of a generator with these numbers."""
    tally = Tally()
    began = time.process_time()
    for number in numbers:
        one = generator(Random(f"{name} {seed} {number}"))
        started = time.perf_counter()
        code, fault = outcome(one)
        slow = time.perf_counter() - started > SLOW_S and _takes(one) > SLOW_S
        if slow and not fault:
            fault = "slow: more than a second of the processor"
        if fault and fault not in tally.faults:
            smallest = one if slow else shrunk(one, fault)
            tally.faults[fault] = f"--only {name} --seed {seed} --at {number}: {smallest.text}"
        tally.inputs += 1
        tally.codes[code] += 1
    tally.seconds = time.process_time() - began
    tally.process = os.getpid()
    tally.peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return tally


def _takes(one: Try) -> float:
    """Seconds of the processor: it may be another's that an input took longer."""
    began = time.process_time()
    outcome(one)
    return time.process_time() - began


def outcome(one: Try) -> tuple[str, str]:
    """The code of an input, and its fault, which is empty where it has none."""
    try:
        refused = one.run()
    except Exception as error:  # noqa: BLE001  # what else there is, is what is looked for
        return "fault", _kind(error)
    if refused is None:
        return ACCEPTED, ""
    if refused.code == "internal-error" or FOREIGN.search(refused.message):
        return refused.code, f"{refused.code}: {refused.message}"
    return refused.code, ""


def shrunk(one: Try, fault: str) -> Try:
    """The smallest input found that has the same fault."""
    ends, found = time.perf_counter() + SHRINKING_S, True
    while found:
        found = False
        for smaller in one.smaller():
            if time.perf_counter() > ends:
                return one
            if len(smaller.text) < len(one.text) and outcome(smaller)[1] == fault:
                one, found = smaller, True
                break
    return one


def _kind(error: Exception) -> str:
    """What was raised, and where: the same for inputs that differ in their values alone."""
    frames = traceback.extract_tb(error.__traceback__)
    last = next((one for one in reversed(frames) if "/site-packages/" not in one.filename), frames[-1])
    place = f"{last.filename.rpartition('/')[2]}:{last.lineno}" if not isinstance(error, RecursionError) else ""
    return f"{type(error).__name__}: {re.sub(r'[0-9]+', '#', str(error))[:200]} {place}".rstrip()
