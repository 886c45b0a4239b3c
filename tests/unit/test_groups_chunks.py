"""Groups as bytes: what is written is read again, by this version and by later ones."""

import os
from pathlib import Path
from typing import Any

import pytest

from jobplane.processors.state.size import GroupSize
from jobplane.sql.runtime.groups import GroupState
from jobplane.sql.runtime.groups_chunks import LARGEST_CHUNK, Chunk
from tests.support.grouping import absorb, compiled, message, values

GOLDEN = Path(__file__).parents[1] / "golden" / "groups"
TUMBLE = "FROM TABLE(TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '10' SECOND))"
SESSION = "FROM TABLE(SESSION(TABLE s, DESCRIPTOR(ts), INTERVAL '10' SECOND))"
USER = "COALESCE(u, '')"
QUERIES = {
    "counts": f"SELECT u, COUNT(*) AS n, SUM(x) AS total, AVG(x) AS mean {TUMBLE} GROUP BY u, window_start",
    "changes": "SELECT u, x, COUNT(DISTINCT x) AS n, MAX(x) AS high FROM s GROUP BY u, x HAVING MAX(x) > 0",
    "positions": "SELECT ARRAY_AGG(x ORDER BY u DESC), ARRAY_AGG(DISTINCT x) AS d, LATEST_BY_OFFSET(u) AS u FROM s",
    "sessions": f"SELECT u, SUM(x) AS total, ARRAY_AGG(x) AS xs {SESSION} GROUP BY u, window_start, window_end",
    "collected": """SELECT STRING_AGG(u, ',') AS us, MAP_AGG(u, x) AS m, HISTOGRAM(x) AS h, TOPK(x, 2) AS top,
        EVERY(x > 3) AS e FROM s""",
    "ranked": "SELECT MIN_BY(u, x) AS low, MAX_BY(x, u) AS high, MIN(ts) AS first, EARLIEST_BY_OFFSET(ts) AS e FROM s",
    "moments": f"""SELECT {USER} AS u, STDDEV(x) AS s, CORR(x, x) AS c, COVAR_POP(x, x) AS v, AVG(x / 4.0) AS m
        FROM s GROUP BY {USER}""",
    "estimates": f"""SELECT {USER} AS u, APPROX_COUNT_DISTINCT(x) AS n, APPROX_PERCENTILE(x, 0.5) AS p
        FROM s GROUP BY {USER}""",
    "decimals": """SELECT SUM(CAST(x AS DECIMAL(22, 2))) AS s, AVG(CAST(x AS DECIMAL(22, 2))) AS m, SUM(x * 0.5) AS d
        FROM s""",
    "hops": """SELECT u, COUNT(*) AS n FROM HOP(TABLE s, DESCRIPTOR(ts), INTERVAL '5' SECOND, INTERVAL '10' SECOND)
        GROUP BY u, window_start, window_end""",
    "alone": "SELECT DISTINCT x FROM s",
}
AT = ("s", 0)


def state_of(query: str) -> GroupState:
    return compiled(query).state([AT])


def filled(query: str) -> GroupState:
    state = state_of(query)
    absorb(state, message(1, o=1, x=3), message(2, o=2, u=None, x=2**61), message(3, o=3, x=2**61))
    absorb(state, message(3, o=4, x=3))
    return state


def final(state: GroupState) -> list[Any]:
    state.close_all()
    return values(state)


@pytest.mark.parametrize("name", QUERIES)
def test_chunks_of_other_versions_are_read(name: str) -> None:
    file = GOLDEN / f"{name}.hex"
    (chunk,) = filled(QUERIES[name]).young_chunks()
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(f"{chunk.span}\n{chunk.data.hex(' ', 32)}\n")
    span, text = file.read_text().split("\n", 1)
    assert Chunk(AT, span, chunk.groups, bytes.fromhex(text)) == chunk
    read, kept = state_of(QUERIES[name]), filled(QUERIES[name])
    read.load(chunk)
    values(kept)
    for one in (read, kept):
        absorb(one, message(4, o=5, x=1), message(4, o=6, x=4))
    assert sorted(map(str, final(read))) == sorted(map(str, final(kept)))


def test_a_chunk_has_what_was_touched_since_the_last() -> None:
    state = state_of(QUERIES["counts"])
    absorb(state, message(1), message(2, u="b"))
    (first,) = state.young_chunks()
    assert state.young_chunks() == []
    absorb(state, message(2, u="b"))
    (second,) = state.young_chunks()
    assert (first.groups, second.groups, state.groups) == (2, 1, 2)
    (whole,) = state.whole(AT, first.span)
    for chunks in ((first, second), (whole,)):
        again = state_of(QUERIES["counts"])
        for chunk in chunks:
            again.load(chunk)
        assert [(one["u"], one["n"]) for one in final(again)] == [("a", 1), ("b", 2)]


def test_many_groups_are_several_chunks() -> None:
    query = "SELECT u, MAX(k) AS k FROM s GROUP BY u"
    state = state_of(query)
    absorb(state, *(message(1, u=f"{i:0{20 + i % 100}}") for i in range(20_000)), message(1, u="z" * 2 * LARGEST_CHUNK))
    chunks = state.young_chunks()
    assert sum(chunk.groups for chunk in chunks) == 20_001
    large = [chunk for chunk in chunks if len(chunk.data) > LARGEST_CHUNK]
    assert [chunk.groups for chunk in large] == [1]
    assert len(chunks) < 20
    again = state_of(query)
    for chunk in chunks:
        again.load(chunk)
    assert again.groups == 20_001
    assert GroupSize(state).bytes > sum(len(chunk.data) for chunk in chunks)


def test_a_sum_of_more_than_64_bits() -> None:
    query = "SELECT u, SUM(x) AS total FROM s GROUP BY u"
    state = state_of(query)
    absorb(state, message(1, x=2**62), message(1, x=2**62))
    again = state_of(query)
    for chunk in state.young_chunks():
        again.load(chunk)
    absorb(again, message(1, x=-1))
    assert values(again) == [{"u": "a", "total": 2**63 - 1}]


def test_an_unknown_form_is_refused() -> None:
    state = state_of(QUERIES["counts"])
    for data in (b"\x02\x80", b""):
        with pytest.raises(ValueError, match="not known here"):
            state.load(Chunk(AT, "", 0, data))
