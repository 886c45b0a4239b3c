"""`python -m tests.fuzz [inputs]`: hostile statements, schemas, commands and bytes. Exit code 1 where one does harm.

Inputs come from a seed that is printed; `--only statements --seed 7 --at 1234` tries one of them again. None may do
more than give values or be refused with a code, take a second of the processor, or leave memory behind.
"""

import argparse
import os
import random
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed

from tests.fuzz.generators import GENERATORS, SHARES
from tests.fuzz.trying import Tally, outcome, tried

INPUTS = 1_000_000
CHUNK = 2_500
LEAK_MIB = 200


def fuzz(wanted: dict[str, int], seed: int, processes: int) -> Iterator[str]:
    """What was wrong; ends after so many inputs of each generator."""
    tallies = {name: Tally() for name in wanted}
    first: dict[int, int] = {}
    began, total, done = time.monotonic(), sum(wanted.values()), 0
    with ProcessPoolExecutor(processes) as pool:
        starts = [(start / count, name, start) for name, count in wanted.items() for start in range(0, count, CHUNK)]
        chunks = {
            pool.submit(_chunk, name, seed, start, min(start + CHUNK, wanted[name])): name
            for _, name, start in sorted(starts)  # all generators at once, so that the time left is told truly
        }
        for chunk in as_completed(chunks):
            name, tally = chunks[chunk], chunk.result()
            yield from (
                f"{fault}\n    {where}" for fault, where in tally.faults.items() if fault not in tallies[name].faults
            )
            tallies[name].add(tally)
            before = first.setdefault(tally.process, tally.peak_mib)
            if tally.peak_mib - before > LEAK_MIB:
                first[tally.process] = tally.peak_mib
                yield f"memory grew from {before} to {tally.peak_mib} MiB with {name}"
            done += tally.inputs
            left = (time.monotonic() - began) * (total - done) / done
            print(f"{done:,} of {total:,}, {left:,.0f} s left", file=sys.stderr, end="\r")
    for name, tally in tallies.items():
        print(summary(name, tally))
    print(f"{done:,} inputs in {time.monotonic() - began:,.0f} s; memory to {max(first.values(), default=0)} MiB")


def _chunk(name: str, seed: int, start: int, end: int) -> Tally:
    return tried(name, GENERATORS[name], seed, range(start, end))


def summary(name: str, tally: Tally) -> str:
    refused = ", ".join(f"{code} {count:,}" for code, count in tally.codes.most_common() if code != "accepted")
    share = f"{tally.accepted / max(1, tally.inputs):.0%}"
    counted = f"{tally.inputs:,} inputs, {tally.accepted:,} accepted ({share})"
    return f"{name}: {counted}, {tally.seconds:,.0f} s of the processor\n    refused: {refused or 'none'}"


def again(name: str, seed: int, number: int) -> int:
    """One input, and what comes of it."""
    one = GENERATORS[name](random.Random(f"{name} {seed} {number}"))
    print(one.text)
    code, fault = outcome(one)
    print(fault or code)
    return 1 if fault else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("inputs", nargs="?", type=int, default=INPUTS)
    parser.add_argument("--only", choices=GENERATORS)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--at", type=int, help="the number of one input to try again; with --only and --seed")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    if options.at is not None:
        return again(options.only or parser.error("--at needs --only"), options.seed, options.at)
    print(f"seed {options.seed}", flush=True)
    wanted = {name: round(options.inputs * share) for name, share in SHARES.items()}
    if options.only:
        wanted = {options.only: options.inputs}
    count = 0
    for one in fuzz(wanted, options.seed, options.processes):
        count += 1
        print(f"FAULT {one}", flush=True)
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
