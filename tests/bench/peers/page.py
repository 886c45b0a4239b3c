"""docs/performance.md and its drawing, from the medians of a comparison."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).parents[3] / "docs"
TITLES = {
    "copy": "SELECT *",
    "filter": "SELECT three columns, half the records pass",
    "windows": "COUNT and SUM of 1,000 users, in windows",
}
COLOURS = {"jobplane": "#2f6fb3"}
OTHER = "#9aa5b1"
BAR, GAP, LEFT, WIDTH = 18, 6, 150, 640
_PAGE = """\
# Performance

jobplane beside others: the same work on the same broker, one engine after the other, each exactly once with a commit
every second. `make bench-peers` measures all of it again and writes this page. Runs of each: {repeat}, of which the
median is shown, over {records:,} records of 200 bytes in {partitions} partitions. Never compare the figures with
those of another machine.

![CPU-seconds for a million records](performance.svg)

{tables}
- **whole**: from the engine's start to the commit of the last record. It includes the start of a JVM, and the time in
  which the JVM compiles. jobplane's worker had started before; its job was created in the run.
- **steady**: between 25 % and 95 % of the records.
- CPU and memory are those of all of an engine's processes. For jobplane these are the worker, which decides and
  watches, and its task hosts.

| the work | jobplane | others |
|---|---|---|
| SELECT * | the query | key and value copied as bytes |
| half pass | `SELECT id, user, amount * 2 AS doubled … WHERE amount > 50` | by hand, with Jackson or `json` |
| windows | `SELECT …, COUNT(*), SUM(amount) FROM TUMBLE(…) GROUP BY window_start, window_end, __key`, half a million \
records in a window | `windowedBy`, `onWindowClose`, `aggregate`, with its store and changelog |

The loop in Python (`tests/bench/peers/loop.py`) polls records one by one with confluent-kafka. Kafka Streams
(`tests/bench/peers/src`) has its default settings but for `exactly_once_v2` and the commit interval.

## Machine

{machine}

```sh
make bench-peers
```

It needs Java 17 and Maven for Kafka Streams. Other figures of jobplane are in the README; `make bench` measures them.
"""
_HEAD = """\
## {title}

| engine | CPU-s/M, whole | CPU-s/M, steady | broker CPU-s/M | records/s | MiB |
|---|---|---|---|---|---|
"""


class Figures(NamedTuple):
    """CPU-seconds for a million records, of the whole run and of its steady part, and of the broker; records a second;
    MiB at most."""

    whole: float
    steady: float
    broker: float
    speed: float
    peak: float


Found = Mapping[tuple[str, str], Figures]
"""By work and engine."""


def write_page(found: Found, machine: Mapping[str, str], records: int, repeat: int) -> None:
    told = {**machine, "measured": time.strftime("%Y-%m-%d", time.gmtime())}
    text = _PAGE.format(
        repeat=repeat,
        records=records,
        partitions=4,
        tables="".join(_table(work, found) for work in TITLES),
        machine="\n".join(["| | |", "|---|---|", *(f"| {name} | {fact} |" for name, fact in told.items())]),
    )
    (DOCS / "performance.md").write_text(text)
    (DOCS / "performance.svg").write_text(drawing(found))


def _table(work: str, found: Found) -> str:
    rows = [
        f"| {engine} | {one.whole:.2f} | {one.steady:.2f} | {one.broker:.2f} | {one.speed:,.0f} | {one.peak:.0f} |\n"
        for engine, one in _of(work, found)
    ]
    return _HEAD.format(title=TITLES[work]) + "".join(rows) + "\n"


def _of(work: str, found: Found) -> list[tuple[str, Figures]]:
    """The engines of a work, the cheapest first."""
    return sorted(((engine, one) for (done, engine), one in found.items() if done == work), key=lambda pair: pair[1])


def drawing(found: Found) -> str:
    """Bars: CPU-seconds a million records of the whole run, by work and engine."""
    most = max(one.whole for one in found.values())
    parts, y = list[str](), 0
    for work, title in TITLES.items():
        y += 2 * BAR
        parts.append(f'<text x="0" y="{y - GAP}" font-weight="bold">{title}</text>')
        for engine, one in _of(work, found):
            width = one.whole / most * (WIDTH - LEFT - 60)
            parts += [
                f'<text x="{LEFT - 8}" y="{y + 13}" text-anchor="end">{engine}</text>',
                f'<rect x="{LEFT}" y="{y}" width="{width:.0f}" height="{BAR}" fill="{COLOURS.get(engine, OTHER)}"/>',
                f'<text x="{LEFT + width + 6:.0f}" y="{y + 13}">{one.whole:.2f}</text>',
            ]
            y += BAR + GAP
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y + GAP}" font-family="sans-serif"'
    return "\n".join([f'{head} font-size="12" fill="#24292f">', *parts, "</svg>"]) + "\n"
