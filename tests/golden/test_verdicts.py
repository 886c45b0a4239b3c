"""Whether groups can go on with the state of others, in words; and where they can, that they give what they must.

`verdicts.txt` has blocks: the query whose state is kept, the query that is asked for, and the verdict. UPDATE_GOLDEN=1
rewrites the verdicts. `signatures.txt` has what snapshots of these queries have recorded, which every later version
must know again: UPDATE_GOLDEN=1 adds queries that are new; never change a line.
"""

import os
from pathlib import Path

from jobplane.sql.plan.grouping.going_on import difference, layout_of
from jobplane.sql.plan.grouping.signature import decode_signatures, encode_signatures, signatures
from jobplane.sql.plan.recording import read, record
from tests.support.grouping import absorb, compiled, emit, message, planned

FILE = Path(__file__).parent / "verdicts.txt"
RECORDED = Path(__file__).parent / "signatures.txt"
AT = ("s", 0)
RECORDS = [
    message(second, o=second, u=user, x=x) for second, user, x in ((1, "a", 3), (2, "ba", 4), (3, "a", 5), (4, "ba", 4))
]


def test_verdicts() -> None:
    first, *blocks = FILE.read_text().strip().split("\n\n")
    judged = [first, *(f"{kept}\n{asked}\n{verdict(kept, asked)}" for kept, asked, *_ in map(str.splitlines, blocks))]
    text = "\n\n".join(judged) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        FILE.write_text(text)
    assert FILE.read_text() == text


def test_recorded_signatures_are_known_again() -> None:
    recorded = dict(block.split("\n") for block in RECORDED.read_text().strip().split("\n\n") if block)
    for query, text in recorded.items():
        kept, now = decode_signatures(text), signatures(read(record(planned(query))))
        assert kept is not None, query
        assert difference(kept, now) == "", query
        assert [layout_of(*pair) for pair in zip(kept, now, strict=True)] == [None] * len(now), query
    queries = [block.split("\n")[0] for block in FILE.read_text().strip().split("\n\n")[1:]]
    new = [query for query in dict.fromkeys(queries) if query not in recorded]
    if os.environ.get("UPDATE_GOLDEN"):
        made = {query: encode_signatures(signatures(read(record(planned(query))))) for query in new}
        RECORDED.write_text("\n\n".join(f"{query}\n{text}" for query, text in (recorded | made).items()) + "\n")
    else:
        assert new == []


def verdict(kept: str, asked: str) -> str:
    made = [signatures(read(record(planned(query)))) for query in (kept, asked)]
    assert [decode_signatures(encode_signatures(one)) for one in made] == made
    if why := difference(*made):
        return f"refused: {why}"
    layouts = [layout_of(*pair) for pair in zip(*made, strict=True)]
    old, new = compiled(kept).state([AT]), compiled(asked).state([AT])
    absorb(old, *RECORDS)
    old.emit(lambda *_: None, lambda *_: None)
    for chunk in old.young_chunks():
        new.load(chunk, compiled(asked).decoders(layouts))
    fresh = compiled(asked).state([AT])
    if "WHERE" not in asked:
        absorb(fresh, *RECORDS)
        emit(fresh)
        for state in (new, fresh):
            absorb(state, message(4, o=9, x=7), message(5, o=10, u="ba", x=1))
        for state in (new, fresh):
            state.close_all()
        assert sorted(map(str, emit(new))) == sorted(map(str, emit(fresh)))
    return "goes on" if layouts == [None] * len(layouts) else "goes on with a part of the state"
