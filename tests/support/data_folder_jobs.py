"""The jobs of a control plane whose data folder is recorded, and what must come of each record.

Expected values are computed here, from the records, not by jobplane.
"""

import io
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import fastavro

ROUNDS = ((0, 6), (6, 15), (15, 30), (30, 45), (45, 60))
"""Two before the jobs are created, one while they run, one after the workers have stopped, one of the test."""
CREATED, STOPPED, END = 15, 30, 60
INSTANT = 1_769_844_600_000
"""Of the first round; each later one is a minute later."""
SCHEMA = {
    "type": "record",
    "name": "Order",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "user", "type": ["null", "string"], "default": None},
        {"name": "lines", "type": {"type": "array", "items": "int"}, "default": []},
    ],
}
TEXT_OF_SCHEMA = json.dumps(SCHEMA)
OUTPUT = {
    "type": "record",
    "name": "Twice",
    "fields": [{"name": "id", "type": "long"}, {"name": "twice", "type": ["null", "long"], "default": None}],
}


def compact(row: Any) -> str:
    return json.dumps(row, separators=(",", ":"), ensure_ascii=False)


def avro(schema: Any, row: Any) -> str:
    """The record's bytes, each as one character."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, row)
    return out.getvalue().decode("latin-1")


def order(n: int) -> dict[str, Any]:
    return {
        "id": n,
        "user": f"user-{n % 5}",
        "amount": n * 37 % 100,
        "price": n + 0.25,
        "paid": n % 3 > 0,
        "address": {"city": ("Ulm", "Köln")[n % 2], "zip": 89073},
        "at": f"2026-01-{1 + n % 28:02}T08:30:00",
        "items": [{"sku": f"a{i}", "qty": (n + i) % 3} for i in range(n % 4)],
    }


def rough(n: int) -> str:
    return f"no json {n}" if n % 10 == 7 else compact({"id": n})


SOURCES: dict[str, tuple[int, Callable[[int], str]]] = {
    "orders": (3, lambda n: compact(order(n))),
    "rough": (2, rough),
    "avro": (2, lambda n: avro(SCHEMA, {"id": n, "user": f"ü{n}", "lines": [n, n + 1]})),
    "lines": (2, lambda n: f'{n};"a;{n}";{n}.5'),
}
"""Each with its partitions and what its record n holds."""
Rows = Callable[[int], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Job:
    """`rows` are those of record n; `first` to `last` the records it reads. `goes_on` is what the test says to it."""

    name: str
    query: str
    rows: Rows
    options: str = ""
    columns: str = ""
    first: int = 0
    last: int = END
    status: str = "SUSPENDED"
    goes_on: str = "ALTER JOB {name} RESUME"
    after: str = "RUNNING"
    repeats: bool = False

    def values(self, last: int = END) -> list[str]:
        return [row for n in range(self.first, min(self.last, last)) for row in self.rows(n)]


def one(row: Callable[[int], Any], where: Callable[[int], bool] = lambda n: True) -> Rows:
    return lambda n: [compact(row(n))] if where(n) else []


def amount(n: int) -> int:
    return int(order(n)["amount"])


def mood(n: int) -> str:
    if amount(n) > 66:
        return "large"
    return "middle" if amount(n) > 33 else "small"


def unnested(n: int) -> list[str]:
    return [
        compact({"id": n, "sku": item["sku"], "double": item["qty"] * 2, "n": i})
        for i, item in enumerate(order(n)["items"], 1)
        if item["qty"]
    ]


def union(n: int) -> list[str]:
    paid = [compact({"id": n, "amount": amount(n), "kind": "paid"})] if order(n)["paid"] else []
    return paid + ([compact({"id": n, "amount": -amount(n), "kind": "large"})] if amount(n) > 50 else [])


def good(n: int) -> list[str]:
    return [] if n % 10 == 7 else [compact({"id": n})]


RUNS = {"status": "RUNNING", "goes_on": ""}
MAPPINGS = (
    """CREATE MAPPING typed EXTERNAL NAME "{orders}" (
        id BIGINT, city VARCHAR EXTERNAL NAME "address.city", price DECIMAL(12, 2), at TIMESTAMP,
        items ARRAY<ROW(sku VARCHAR, qty INTEGER)>) TYPE Kafka""",
    """CREATE MAPPING lines EXTERNAL NAME "{lines}" (number BIGINT, name VARCHAR, size DOUBLE) TYPE Kafka
        OPTIONS (valueFormat 'csv', csvDelimiter ';')""",
    """CREATE MAPPING to_csv EXTERNAL NAME "{to_csv}" (account BIGINT EXTERNAL NAME "__key", id INTEGER, city VARCHAR,
        price DECIMAL(12, 2)) TYPE Kafka OPTIONS (keyFormat 'bigint', valueFormat 'csv')""",
    """CREATE MAPPING from_avro EXTERNAL NAME "{avro}" TYPE Kafka
        OPTIONS (valueFormat 'avro', valueAvroSchema '"""
    + TEXT_OF_SCHEMA.replace("{", "{{").replace("}", "}}")
    + "')",
    """CREATE MAPPING unused EXTERNAL NAME "{orders}" (id INTEGER) TYPE Kafka""",
)
JOBS = (
    Job("mirror", 'SELECT * FROM "{orders}"', lambda n: [compact(order(n))], **RUNS),  # type: ignore[arg-type]
    Job(
        "big",
        'SELECT id, user, amount * 2 AS doubled FROM "{orders}" WHERE amount > 50',
        one(lambda n: {"id": n, "user": f"user-{n % 5}", "doubled": amount(n) * 2}, lambda n: amount(n) > 50),
        "parallelism '2', snapshotIntervalMillis '300'",
        goes_on="",  # the command lies unjudged in the log
    ),
    Job(
        "added",
        """SELECT *, 'EU' AS region, amount % 10 AS cents FROM "{orders}" AS o
           WHERE NOT (o.user = 'user-1' OR o.amount IS NULL) AND o.paid""",
        one(
            lambda n: {**order(n), "region": "EU", "cents": amount(n) % 10},
            lambda n: n % 5 != 1 and order(n)["paid"],
        ),
    ),
    Job(
        "unnested",
        """SELECT id, item.sku, item.qty * 2 AS "double", n FROM "{orders}"
           CROSS JOIN UNNEST(items) WITH ORDINALITY AS t (item, n) WHERE item.qty > 0""",
        unnested,
    ),
    Job(
        "both",
        """SELECT id, amount, 'paid' AS kind FROM "{orders}" WHERE paid
           UNION ALL SELECT id, -amount, 'large' FROM "{orders}" WHERE amount > 50""",
        union,
        **RUNS,  # type: ignore[arg-type]
    ),
    Job(
        "two_topics",
        """SELECT id, 'order' AS origin FROM "{orders}" UNION ALL SELECT number, name FROM lines""",
        lambda n: [compact({"id": n, "origin": "order"}), compact({"id": n, "origin": f"a;{n}"})],
    ),
    Job(
        "cases",
        """WITH priced AS (SELECT *, amount * price AS total FROM "{orders}" WHERE amount > 0),
                large AS (SELECT id, total, amount FROM priced WHERE total > 100)
           SELECT id, CASE WHEN amount > 66 THEN 'large' WHEN amount > 33 THEN 'middle' ELSE 'small' END AS size
           FROM large""",
        one(lambda n: {"id": n, "size": mood(n)}, lambda n: amount(n) * (n + 0.25) > 100),
    ),
    Job(
        "functions",
        """SELECT id, UPPER(user) || '!' AS loud, COALESCE(missing, 'none') AS note, ABS(amount - 50) AS distance,
                  CAST(price * 2 + 0.25 AS DECIMAL(12, 2)) AS twice, address,
                  CARDINALITY(FILTER(items, x => x.qty > 0)) AS filled,
                  DATE_TRUNC('MONTH', CAST(at AS TIMESTAMP)) AS month FROM "{orders}"
           WHERE user LIKE 'user-%' AND amount BETWEEN 10 AND 90 AND id NOT IN (1, 2)""",
        one(
            lambda n: {
                "id": n,
                "loud": f"USER-{n % 5}!",
                "note": "none",
                "distance": abs(amount(n) - 50),
                "twice": n * 2 + 0.75,
                "address": order(n)["address"],
                "filled": sum(item["qty"] > 0 for item in order(n)["items"]),
                "month": "2026-01-01T00:00:00",
            },
            lambda n: 10 <= amount(n) <= 90 and n not in (1, 2),
        ),
    ),
    Job(
        "typed",
        "SELECT id AS account, id, city, price FROM typed WHERE at >= TIMESTAMP '2026-01-10 00:00:00'",
        lambda n: [f"{n},{order(n)['address']['city']},{n}.25"] if 1 + n % 28 >= 10 else [],
    ),
    Job(
        "from_avro",
        "SELECT id, user, lines[2] AS second FROM from_avro WHERE id % 2 = 0",
        one(lambda n: {"id": n, "user": f"ü{n}", "second": n + 1}, lambda n: n % 2 == 0),
    ),
    Job(
        "to_avro",
        "SELECT number AS id, number * 2 AS twice FROM lines",
        lambda n: [avro(OUTPUT, {"id": n, "twice": n * 2})],
        "valueFormat 'avro', valueAvroSchema '" + json.dumps(OUTPUT).replace("{", "{{").replace("}", "}}") + "'",
    ),
    Job(
        "parts",
        """SELECT user AS __key, MAP['from', __topic] AS __headers, __timestamp AS at, __partition >= 0 AS there, id
           FROM "{orders}" """,
        one(lambda n: {"at": moment(n), "there": True, "id": n}),
        **RUNS,  # type: ignore[arg-type]
    ),
    Job(
        "renamed",
        'SELECT id, user FROM "{orders}"',
        one(lambda n: {"number": n, "who": f"user-{n % 5}"}),
        columns="(number, who)",
    ),
    Job(
        "loose",
        'SELECT id FROM "{orders}"',
        one(lambda n: {"id": n}),
        "processingGuarantee 'atLeastOnce'",
        repeats=True,
    ),
    Job("none", 'SELECT id FROM "{orders}"', one(lambda n: {"id": n}), "processingGuarantee 'none'", repeats=True),
    Job(
        "since",
        'SELECT id FROM "{orders}"',
        one(lambda n: {"id": n}),
        "startFrom '2026-01-31T08:31:00+01:00', parallelism '1'",
        first=6,
    ),
    Job("onward", 'SELECT id FROM "{orders}"', one(lambda n: {"id": n}), "startFrom 'latest'", first=CREATED),
    Job(
        "bounded",
        'SELECT id FROM "{orders}"',
        one(lambda n: {"id": n}),
        "stopAt 'latest'",
        last=CREATED,
        status="COMPLETED",
        goes_on="",
        after="COMPLETED",
    ),
    Job(
        "halfway",
        'SELECT id FROM "{rough}"',
        good,
        "stopAt 'latest'",
        last=CREATED,
        goes_on="ALTER JOB halfway OPTIONS (onError 'skip') RESUME",
        after="COMPLETED",
    ),
    Job(
        "failed",
        'SELECT id FROM "{rough}"',
        good,
        "suspendOnFailure 'false', parallelism '1'",
        status="FAILED",
        goes_on="",
        after="FAILED",
    ),
    Job("skips", 'SELECT id FROM "{rough}"', good, "onError 'skip'"),
    Job("letters", 'SELECT id FROM "{rough}"', good, "onError 'deadLetter'", **RUNS),  # type: ignore[arg-type]
    Job(
        "widened",
        'SELECT id FROM "{orders}"',
        one(lambda n: {"id": n}),
        "parallelism '1'",
        status="RUNNING",
        goes_on="",
    ),
    Job("narrowed", 'SELECT id FROM "{orders}"', one(lambda n: {"id": n}), "parallelism '3'"),
    Job(
        "packaged",
        'SELECT id, LOUDER(user) AS loud FROM "{orders}"',
        one(lambda n: {"id": n, "loud": f"user-{n % 5}!"}),
    ),
    Job("still", 'SELECT id FROM "{orders}"', one(lambda n: {"id": n}), "autoScaling 'false'"),
    Job(
        "again",
        'SELECT id FROM "{orders}"',
        one(lambda n: {"id": n}),
        "initialSnapshotName 'early'",
        first=CREATED,
    ),
)
LATER = (
    Job("late", 'SELECT id FROM "{orders}"', one(lambda n: {"id": n}), "initialSnapshotName 'monday'", first=STOPPED),
    Job("heir", 'SELECT id FROM "{orders}"', one(lambda n: {"id": n}), "initialSnapshotName 'last'", first=CREATED),
)
"""Created by the test, from snapshots."""
BRIEF = Job("brief", 'SELECT id FROM "{orders}"', one(lambda n: {"id": n}), last=CREATED)
"""Lives while only the first records are there, and leaves the snapshots `early` and `last`."""


def round_of(n: int) -> int:
    return next(i for i, (_, last) in enumerate(ROUNDS) if n < last)


def moment(n: int) -> str:
    return f"2026-01-31T07:{30 + round_of(n):02}:00Z"
