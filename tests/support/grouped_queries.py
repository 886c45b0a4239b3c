"""Queries with groups that mean the same to the product and to DuckDB.

`{ours|theirs}` in a query is what differs. DuckDB has the records that are not late, one row for each of their windows.
"""

import re
from dataclasses import dataclass
from typing import Any

import duckdb

from tests.support.grouped_events import COLUMNS, LAG, events


@dataclass(frozen=True, slots=True)
class Window:
    """A window function in both dialects. DuckDB's `l` is the time in the zone, `begins` where its smallest part begins
    there, of the length `part`; `windows` are made of that. `time` and `lag` are those of the watermark."""

    ours: str
    part: str = "0 seconds"
    begins: str = "l"
    windows: str = "[{s: begins, e: begins + part}]"
    zone: str = "UTC"
    time: str = "ts"
    lag: int = LAG
    gap: int = 0
    by: str = ""


def _bucket(size: str, origin: str = "1970-01-01") -> str:
    return f"time_bucket(INTERVAL '{size}', l, TIMESTAMP '{origin}')"


def _hop(count: int) -> str:
    return f"list_transform(range({count}), lambda i: {{s: begins - i * part, e: begins - i * part + {count} * part}})"


def _cumulate(size: str, most: int) -> str:
    start = _bucket(size)
    ends = f"list_transform(range({most}), lambda i: {{s: {start}, e: begins + (i + 1) * part}})"
    return f"list_filter({ends}, lambda w: w.e <= {start} + INTERVAL '{size}')"


MINUTE = "INTERVAL '1' MINUTE"
WINDOWS = {
    "tumble": Window(f"TUMBLE(TABLE {{s}}, DESCRIPTOR(ts), {MINUTE})", "1 minute", _bucket("1 minute")),
    "offset": Window(
        f"TUMBLE(TABLE {{s}}, DESCRIPTOR(ts), {MINUTE}, INTERVAL '-15' SECOND)",
        "1 minute",
        _bucket("1 minute", "1970-01-01 00:00:45"),
    ),
    "hop": Window(
        "HOP(TABLE {s}, DESCRIPTOR(ts), INTERVAL '10' SECOND, INTERVAL '30' SECOND)",
        "10 seconds",
        _bucket("10 seconds"),
        _hop(3),
    ),
    "cumulate": Window(
        f"CUMULATE(TABLE {{s}}, DESCRIPTOR(ts), INTERVAL '20' SECOND, {MINUTE})",
        "20 seconds",
        _bucket("20 seconds"),
        _cumulate("1 minute", 3),
    ),
    "day": Window(
        "TUMBLE(TABLE {s}, DESCRIPTOR(ts), INTERVAL '1' DAY, 'Europe/Berlin')",
        "1 day",
        _bucket("1 day"),
        zone="Europe/Berlin",
    ),
    "half hours": Window(
        "TUMBLE(TABLE {s}, DESCRIPTOR(ts), INTERVAL '1' DAY, 'Australia/Lord_Howe')",
        "1 day",
        _bucket("1 day"),
        zone="Australia/Lord_Howe",
    ),
    "week": Window(
        "TUMBLE(TABLE {s}, DESCRIPTOR(ts), INTERVAL '7' DAY, INTERVAL '4' DAY, 'Europe/Berlin')",
        "7 days",
        _bucket("7 days", "1970-01-05"),
        zone="Europe/Berlin",
    ),
    "month": Window("TUMBLE(TABLE {s}, DESCRIPTOR(ts), INTERVAL '1' MONTH)", "1 month", _bucket("1 month")),
    "month of a zone": Window(
        "TUMBLE(TABLE {s}, DESCRIPTOR(ts), INTERVAL '1' MONTH, 'Europe/Berlin')",
        "1 month",
        _bucket("1 month"),
        zone="Europe/Berlin",
    ),
    "quarter": Window("TUMBLE(TABLE {s}, DESCRIPTOR(ts), INTERVAL '1' QUARTER)", "3 months", _bucket("3 months")),
    "two days": Window(
        "HOP(TABLE {s}, DESCRIPTOR(ts), INTERVAL '2' DAY, INTERVAL '1' DAY, 'Europe/Berlin')",
        "1 day",
        _bucket("1 day"),
        _hop(2),
        zone="Europe/Berlin",
    ),
    "days of a week": Window(
        "CUMULATE(TABLE {s}, DESCRIPTOR(ts), INTERVAL '1' DAY, INTERVAL '7' DAY, 'Europe/Berlin')",
        "1 day",
        _bucket("1 day"),
        _cumulate("7 days", 7),
        zone="Europe/Berlin",
    ),
    "imposed": Window(
        f"TUMBLE(TABLE(IMPOSE_ORDER(TABLE {{s}}, DESCRIPTOR(ts), INTERVAL '60' SECOND)), DESCRIPTOR(ts), {MINUTE})",
        "1 minute",
        _bucket("1 minute"),
        lag=60,
    ),
    "of Kafka": Window(
        f"""TUMBLE(TABLE(IMPOSE_ORDER(TABLE {{s}}, DESCRIPTOR(__timestamp), INTERVAL '0' SECOND)),
            DESCRIPTOR(__timestamp), {MINUTE})""",
        "1 minute",
        _bucket("1 minute"),
        time="__timestamp",
        lag=0,
    ),
    "session": Window("SESSION(TABLE {s} PARTITION BY u, DESCRIPTOR(ts), INTERVAL '7' SECOND)", gap=7, by="u"),
    "session of a key": Window("SESSION(TABLE {s}, DESCRIPTOR(ts), INTERVAL '9' SECOND)", gap=9, by="k"),
    "session of all": Window("SESSION(TABLE {s}, DESCRIPTOR(ts), INTERVAL '5' SECOND)", gap=5),
}
_TIME = " ORDER BY time, p, o"


@dataclass(frozen=True, slots=True)
class Grouped:
    """A query over `{s}`, by the name of its window, if it has one. `sources` are the mappings that `{s}` is."""

    window: str
    text: str
    where: str = ""
    avro: bool = False
    union: bool = False

    @property
    def sources(self) -> tuple[str, ...]:
        return ("json", "avro") if self.union else ("avro",) if self.avro else ("json",)

    @property
    def changes(self) -> bool:
        return not self.window or "EMIT CHANGES" in self.text

    @property
    def ours(self) -> str:
        source = "both" if self.union else self.sources[0]
        selects = " UNION ALL ".join(f"SELECT u, x, ts FROM {one}" for one in self.sources)
        rows = WINDOWS[self.window].ours.format(s=source) if self.window else source
        return (f"WITH both AS ({selects}) " if self.union else "") + self._of(1, rows)

    @property
    def theirs(self) -> str:
        rows = "(SELECT * FROM rows_of UNION ALL SELECT * FROM rows_of)" if self.union else "rows_of"
        return self._of(2, rows).replace("EMIT CHANGES", "")

    def _of(self, side: int, rows: str) -> str:
        text = re.sub(r"\{([^|{}]*)\|([^{}]*)\}", lambda found: found[side], self.text)
        return text.replace("{s}", f"{rows} WHERE {self.where}" if self.where else rows)


W = "GROUP BY window_start, window_end"
QUERIES = {
    "totals": Grouped(
        "",
        """SELECT COALESCE(u, 'none') AS u, COUNT(*) AS c, COUNT(x) AS cx, SUM(x) AS total, MIN(x) AS low,
           MAX(day) AS high FROM {s} GROUP BY COALESCE(u, 'none')""",
    ),
    "having": Grouped("", "SELECT k, SUM(d) AS total FROM {s} GROUP BY k HAVING SUM(d) > 1100"),
    "distinct": Grouped("", "SELECT DISTINCT UPPER(u) AS u, b, day FROM {s}", avro=True),
    "different": Grouped(
        "",
        """SELECT n % 3 AS third, COUNT(DISTINCT x) AS xs, SUM(DISTINCT x) AS total, {AVG(d)|ROUND(AVG(d), 6)} AS mean,
           SUM(f) FILTER (WHERE b) AS yes, COUNT(*) FILTER (WHERE x > 0 OR u IS NULL) AS some
           FROM {s} GROUP BY third""",
        where="n > 9 AND (x <> 3 OR x IS NULL)",
    ),
    "tags": Grouped(
        "",
        """SELECT tag, COUNT(*) AS c, MIN(n) AS low
           FROM {s} {CROSS JOIN UNNEST(tags) AS tag|, UNNEST(tags) AS one(tag)} GROUP BY tag""",
        avro=True,
    ),
    "everything": Grouped("", "SELECT COUNT(*) AS c, MAX(ts) AS newest, MIN(f) AS low FROM {s}"),
    "above": Grouped(
        "",
        """SELECT u || '!' AS who, c * 2 AS twice FROM (SELECT COALESCE(u, 'none') AS u, n % 7 AS rest, COUNT(*) AS c
           FROM {s} GROUP BY 1, 2) WHERE c > 20""",
    ),
    "partitions": Grouped(
        "",
        """SELECT {__partition|p} AS p, k, MAX({__offset|o}) AS last, AVG(x) AS mean FROM {s}
           GROUP BY {__partition|p}, k""",
        avro=True,
    ),
    "spread": Grouped(
        "tumble",
        f"""SELECT window_start, STDDEV(x) AS a, STDDEV_POP(x) AS b, STDDEV_SAMP(x) AS c, VARIANCE(x) AS d,
            VAR_POP(f) AS e, VAR_SAMP(f) AS g, CORR(f, x) AS h, COVAR_POP(f, x) AS i, COVAR_SAMP(f, x) AS j
            FROM {{s}} {W}""",
    ),
    "conditions": Grouped(
        "tumble",
        f"""SELECT window_end, u, {{ANY(x > 0)|BOOL_OR(x > 0)}} AS a, {{EVERY(b)|BOOL_AND(b)}} AS e,
            {{SOME(b)|BOOL_OR(b)}} AS s, BOOL_AND(n > 50) AS n, BOOL_OR(x > 8) AS o FROM {{s}} {W}, u""",
        avro=True,
    ),
    "lists": Grouped(
        "tumble",
        f"""SELECT window_start, {{ARRAY_AGG(x)|LIST(x{_TIME})}} AS xs,
            {{STRING_AGG(u, '+')|STRING_AGG(u, '+'{_TIME})}} AS us, {{LISTAGG(u)|LISTAGG(u, ''{_TIME})}} AS joined,
            ARRAY_AGG(DISTINCT x ORDER BY x DESC NULLS LAST) AS different,
            {{MAP_AGG(u, n)|LIST([u, n::VARCHAR]{_TIME}) FILTER (WHERE u IS NOT NULL)}} AS latest,
            HISTOGRAM(u) AS often FROM {{s}} {W}""",
    ),
    "ends": Grouped(
        "tumble",
        f"""SELECT window_start, b, MIN_BY(n, {{__timestamp|t}}) AS first, MAX_BY(n, {{__timestamp|t}}) AS last,
            {{EARLIEST_BY_OFFSET(x)|FIRST(x{_TIME}) FILTER (WHERE x IS NOT NULL)}} AS earliest,
            {{LATEST_BY_OFFSET(u)|LAST(u{_TIME}) FILTER (WHERE u IS NOT NULL)}} AS latest,
            {{TOPK(n, 3)|MAX(n, 3)}} AS most, {{TOPKDISTINCT(x, 2)|MAX(DISTINCT x, 2)}} AS different,
            {{TOPK_DISTINCT(x, 2)|MAX(DISTINCT x, 2)}} AS again FROM {{s}} {W}, b""",
    ),
    "about": Grouped(
        "tumble",
        f"""SELECT window_start, {{APPROX_COUNT_DISTINCT(n)|COUNT(DISTINCT n)}} AS ns,
            {{APPROX_PERCENTILE(n, 0.5)|QUANTILE_DISC(n, 0.5)}} AS median, AVG(x) AS mean, AVG(f) AS means
            FROM {{s}} {W}""",
        avro=True,
    ),
    "moved": Grouped("offset", f"SELECT window_start, window_end, SUM(x) AS total FROM {{s}} {W}"),
    "hops": Grouped("hop", f"SELECT window_end, u, COUNT(*) AS c, SUM(x) AS total FROM {{s}} {W}, u"),
    "hops of keys": Grouped(
        "hop", f"SELECT window_start, k, MAX(d) AS high FROM {{s}} {W}, k HAVING COUNT(*) > 1", avro=True
    ),
    "steps": Grouped("cumulate", "SELECT window_end, COUNT(*) AS c, MIN(x) AS low FROM {s} GROUP BY window_end"),
    "changes": Grouped(
        "tumble", f"SELECT window_start, u, COUNT(*) AS c, SUM(n) AS total FROM {{s}} {W}, u EMIT CHANGES"
    ),
    "changes of hops": Grouped(
        "hop",
        f"SELECT window_start, k, COUNT(*) AS c FROM {{s}} {W}, k HAVING SUM(x) > 0 EMIT CHANGES",
        where="b IS NOT FALSE",
    ),
    "changes of steps": Grouped(
        "cumulate", "SELECT window_end, b, SUM(d) AS total FROM {s} GROUP BY window_end, b EMIT CHANGES", avro=True
    ),
    "days": Grouped("day", f"SELECT window_start, window_end, COUNT(*) AS c, SUM(d) AS total FROM {{s}} {W}"),
    "days with half hours": Grouped("half hours", f"SELECT window_start, window_end, COUNT(*) AS c FROM {{s}} {W}"),
    "weeks": Grouped("week", f"SELECT window_start, k, COUNT(*) AS c FROM {{s}} {W}, k", avro=True),
    "months": Grouped("month", f"SELECT window_start, window_end, u, COUNT(*) AS c FROM {{s}} {W}, u"),
    "months of a zone": Grouped("month of a zone", f"SELECT window_start, SUM(n) AS total FROM {{s}} {W}"),
    "quarters": Grouped("quarter", f"SELECT window_start, window_end, MAX(ts) AS newest FROM {{s}} {W}"),
    "pairs of days": Grouped("two days", f"SELECT window_start, COUNT(DISTINCT u) AS us FROM {{s}} {W}"),
    "weeks so far": Grouped("days of a week", "SELECT window_end, SUM(x) AS total FROM {s} GROUP BY window_end"),
    "patient": Grouped("imposed", f"SELECT window_start, COUNT(*) AS c FROM {{s}} {W}", where="u <> 'cat'"),
    "of Kafka": Grouped("of Kafka", f"SELECT window_start, u, COUNT(ts) AS c FROM {{s}} {W}, u"),
    "once": Grouped("tumble", "SELECT DISTINCT window_start, window_end, LOWER(u) AS u FROM {s}", avro=True),
    "of both": Grouped(
        "", "SELECT COALESCE(u, '') AS u, COUNT(x) AS c, SUM(x) AS total FROM {s} GROUP BY 1", union=True
    ),
    "hops of both": Grouped(
        "hop", f"SELECT window_start, u, COUNT(*) AS c, SUM(x) AS total FROM {{s}} {W}, u", where="x > -8", union=True
    ),
    "sessions of both": Grouped(
        "session", f"SELECT u, window_start, window_end, COUNT(*) AS c FROM {{s}} {W}, u", union=True
    ),
    "groups and rows": Grouped(
        "tumble",
        f"""SELECT 'group' AS what, window_start, u, COUNT(*) AS n FROM {{s}} {W}, what, u UNION ALL
            SELECT 'row' AS what, window_end AS window_start, u, n FROM {{s}} WHERE n > 190""",
    ),
    "elements": Grouped(
        "tumble",
        f"""SELECT window_start, x, place FROM ({{|SELECT window_start, UNNEST(xs[1:2]) AS x,
            GENERATE_SUBSCRIPTS(xs[1:2], 1) AS place FROM (}}SELECT window_start, ARRAY_AGG(x ORDER BY x DESC) AS xs
            FROM {{s}} {W}{{|)}})
            {{CROSS JOIN UNNEST(xs) WITH ORDINALITY AS t (x, place) WHERE place <= 2|}}""",
        where="x IS NOT NULL",
    ),
    "sessions": Grouped(
        "session",
        f"""SELECT u, window_start, window_end, COUNT(*) AS c, {{ARRAY_AGG(x)|LIST(x{_TIME})}} AS xs
            FROM {{s}} {W}, u""",
    ),
    "sessions of keys": Grouped(
        "session of a key",
        f"SELECT k, window_start, window_end, SUM(n) AS total FROM {{s}} {W}, k HAVING COUNT(*) > 1",
        where="x IS DISTINCT FROM 3",
        avro=True,
    ),
    "sessions of all": Grouped("session of all", f"SELECT window_start, window_end, COUNT(*) AS c FROM {{s}} {W}"),
}


class Referee:
    """DuckDB over all records."""

    def __init__(self) -> None:
        self._con = duckdb.connect(config={"threads": 1})
        self._con.execute("SET timezone = 'UTC'")
        types = ", ".join(f"{name} {'VARCHAR[]' if name == 'tags' else one}" for name, one in COLUMNS.items())
        self._con.execute(f"CREATE TABLE r (p INT, o INT, k VARCHAR, t BIGINT, {types})")
        readable = [one for one in events() if one.columns is not None]
        rows = [(one.partition, one.offset, one.key, one.timestamp, *(one.columns or {}).values()) for one in readable]
        self._con.executemany(f"INSERT INTO r VALUES ({', '.join('?' * len(rows[0]))})", rows)
        self.unreadable = {(one.partition, one.offset) for one in events() if one.columns is None}

    def bad(self, query: Grouped) -> set[tuple[int, int]]:
        """Where records are that can be in no group, as (partition, offset)."""
        timeless = query.window and WINDOWS[query.window].time == "ts"
        found = self._con.execute("SELECT p, o FROM r WHERE ts IS NULL").fetchall() if timeless else []
        return self.unreadable | {(p, o) for p, o in found}

    def late(self, query: Grouped) -> set[tuple[int, int]]:
        if not query.window:
            return set()
        self._judge(WINDOWS[query.window], query.where)
        return {(p, o) for p, o in self._con.execute("SELECT p, o FROM judged WHERE late").fetchall()}

    def rows(self, query: Grouped) -> list[dict[str, Any]]:
        if query.window:
            window = WINDOWS[query.window]
            self._judge(window, query.where)
            self._group(window)
        else:
            self._con.execute("CREATE OR REPLACE VIEW rows_of AS SELECT *, t AS time FROM r")
        found = self._con.execute(query.theirs)
        names = [one[0] for one in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def _judge(self, window: Window, where: str) -> None:
        """Which records that a query takes are late, by the watermark before them in their partition."""
        time = "ts" if window.time == "ts" else "make_timestamptz(t * 1000)"
        ends = "time" if window.gap else f"timezone('{window.zone}', begins + part)"
        self._con.execute(f"""
            CREATE OR REPLACE TABLE judged AS
            WITH timed AS (SELECT *, {time} AS time, INTERVAL '{window.part}' AS part FROM r WHERE {time} IS NOT NULL),
            locals AS (SELECT *, timezone('{window.zone}', time) AS l, MAX(time) OVER (PARTITION BY p ORDER BY o
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) - INTERVAL '{window.lag} seconds' AS mark FROM timed),
            parts AS (SELECT *, {window.begins} AS begins FROM locals)
            SELECT *, COALESCE({ends} <= mark, false) AS late FROM parts WHERE {where or "true"}
        """)

    def _group(self, window: Window) -> None:
        """One row for each window of a record."""
        if not window.gap:
            self._con.execute(f"""
                CREATE OR REPLACE VIEW rows_of AS
                SELECT * EXCLUDE (w), timezone('{window.zone}', w.s) AS window_start,
                    timezone('{window.zone}', w.e) AS window_end
                FROM (SELECT *, UNNEST({window.windows}) AS w FROM judged WHERE NOT late)
            """)
            return
        by = f"PARTITION BY {window.by}" if window.by else ""
        island = f"PARTITION BY {f'{window.by}, ' if window.by else ''}island"
        gap = f"INTERVAL '{window.gap} seconds'"
        self._con.execute(f"""
            CREATE OR REPLACE VIEW rows_of AS
            WITH steps AS (SELECT *, time - LAG(time) OVER ({by} ORDER BY time) > {gap} AS opens
                FROM judged WHERE NOT late),
            numbered AS (SELECT *, COUNT(*) FILTER (WHERE opens) OVER ({by} ORDER BY time) AS island FROM steps)
            SELECT *, MIN(time) OVER ({island}) AS window_start, MAX(time) OVER ({island}) + {gap} AS window_end
            FROM numbered
        """)
