"""msgspec learns classes safely while several threads ask for them: what it does alone crashes the process."""

import subprocess
import sys

READS_IN_FOUR_THREADS = """
import sys, threading
import msgspec
from jobplane.schemas.msgspec_types import convert, json_decoder, msgpack_decoder

sys.setswitchinterval(1e-6)
for round in range(100):
    inner = [msgspec.defstruct(f"Inner{i}", [(f"f{k}", int | None, None) for k in range(20)]) for i in range(20)]
    outer = msgspec.defstruct("Outer", [(f"o{i}", one | None, None) for i, one in enumerate(inner)])
    value = {f"o{i}": {"f3": 4} for i in range(20)}
    ways = [
        lambda: convert(value, outer),
        lambda: convert(value, outer | None),
        lambda: json_decoder(outer).decode(msgspec.json.encode(value)),
        lambda: msgpack_decoder(outer).decode(msgspec.msgpack.encode(value)),
    ]
    found = []
    barrier = threading.Barrier(len(ways))

    def read(way):
        barrier.wait()
        found.append(way())

    threads = [threading.Thread(target=read, args=(way,)) for way in ways]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert [one.o19.f3 for one in found] == [4] * len(ways), found
"""


def test_threads_that_name_a_class_at_the_same_time_all_read_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", READS_IN_FOUR_THREADS], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
