"""After any history of groups touched, spans closed, state checkpoints and snapshots, the live chunks are the state."""

from collections import defaultdict
from dataclasses import dataclass, field
from zlib import compress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from jobplane.processors.state.chunks import UnknownState, decode_chunk, encode_chunk
from jobplane.processors.state.manifest import (
    UNKNOWN,
    CheckpointState,
    ChunkPlace,
    DeadChunks,
    Manifest,
    SavedPartition,
    decode_state,
    encode_state,
    is_pinned,
    manifest_in,
    merge_states,
    pin_chunks,
    pin_unseen,
    state_of,
)
from jobplane.processors.state.restored import decode_restored, encode_restored, restored_chunks
from jobplane.processors.state.saving import (
    MOST_LAYERS,
    SnapshotVersions,
    Span,
    close_spans,
    is_releasing,
    plan_save,
)
from jobplane.sql.runtime.groups_chunks import Chunk
from jobplane.sql.runtime.groups_parts import At

PIECE = 3
"""Groups in a chunk at most."""
OWNED: list[At] = [("orders", 0), ("orders", 1)]
SPANS = ["", "09:00/10:00", "10:00/11:00"]


@dataclass
class Topic:
    """A compacted topic, and the groups in memory that are written to it."""

    manifest: Manifest = field(default_factory=lambda: Manifest("state", "id", "signature"))
    groups: defaultdict[Span, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    young: defaultdict[Span, set[str]] = field(default_factory=lambda: defaultdict(set))
    records: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    snapshots: dict[int, tuple[Manifest, dict[Span, dict[str, int]]]] = field(default_factory=dict)
    asked: int = -1
    offset: int = 0

    def touch(self, at: At, span: str, group: str, value: int) -> None:
        self.groups[at, span][group] = value
        self.young[at, span].add(group)

    def close(self, span: str) -> None:
        for at in OWNED:
            self.groups.pop((at, span), None)
            self.young.pop((at, span), None)

    def delete(self, keys: tuple[str, ...]) -> None:
        for key in keys:
            del self.records[key]

    def commit(self) -> None:
        self.manifest, dead = close_spans(self.manifest, self.groups.keys(), self.versions)
        assert not is_releasing(self.manifest, self.versions)
        self.delete(dead)

    def snapshot(self) -> None:
        self.save()
        self.asked += 3
        self.manifest = pin_chunks(self.manifest, [self.asked])
        assert is_pinned(self.manifest, [self.asked])
        self.snapshots[self.asked] = self.manifest, self.restored(self.manifest)

    def suspended_snapshot(self) -> None:
        """A copy of the checkpoint as it is; the next session sees that there is one."""
        self.asked += 3
        self.snapshots[self.asked] = self.manifest, self.restored(self.manifest)
        self.manifest = pin_unseen(self.manifest, self.snapshots)

    def drop(self, which: int) -> None:
        if self.snapshots:
            del self.snapshots[[*self.snapshots][which % len(self.snapshots)]]

    @property
    def versions(self) -> SnapshotVersions:
        return SnapshotVersions(self.asked, [*self.snapshots])

    def save(self) -> None:
        young = [one for (at, span), names in self.young.items() for one in self.cut(at, span, sorted(names))]
        self.young.clear()
        positions = dict.fromkeys(OWNED, self.offset)
        save = plan_save(
            self.manifest, young, self.groups.keys(), self.whole, positions, [{OWNED[0]: 7}], self.versions
        )
        offsets = []
        for one in save.chunks:
            assert one.key not in self.used
            self.used.add(one.key)
            self.records[one.key] = (self.offset, encode_chunk(one.chunk))
            offsets.append(self.offset)
            self.offset += 1
        self.delete(save.deleted)
        self.manifest = save.manifest(offsets)

    def whole(self, at: At, span: str) -> list[Chunk]:
        return self.cut(at, span, sorted(self.groups[at, span]))

    def cut(self, at: At, span: str, names: list[str]) -> list[Chunk]:
        held = self.groups[at, span]
        pieces = [names[i : i + PIECE] for i in range(0, len(names), PIECE)]
        return [
            Chunk(at, span, len(some), msgspec.msgpack.encode({name: held[name] for name in some})) for some in pieces
        ]

    def restored(self, manifest: Manifest) -> dict[Span, dict[str, int]]:
        by_offset = dict(self.records.values())
        found: defaultdict[Span, dict[str, int]] = defaultdict(dict)
        for one in manifest.partitions:
            for place in one.chunks:
                chunk = decode_chunk(one.at, by_offset[place.offset])
                assert (chunk.span, chunk.groups, len(chunk.data)) == (place.span, place.groups, place.size)
                found[one.at, chunk.span] |= msgspec.msgpack.decode(chunk.data)
        return found


ACTIONS = some.lists(
    some.one_of(
        some.tuples(some.just("touch"), some.sampled_from(OWNED), some.sampled_from(SPANS), some.integers(0, 30)),
        some.tuples(some.just("close"), some.sampled_from(SPANS)),
        some.tuples(some.just("commit")),
        some.tuples(some.just("save")),
        some.tuples(some.just("snapshot")),
        some.tuples(some.just("suspended snapshot")),
        some.tuples(some.just("drop"), some.integers(0, 9)),
    ),
    max_size=80,
)


def check(topic: Topic) -> None:
    assert topic.restored(topic.manifest) == {span: held for span, held in topic.groups.items() if held}
    for manifest, held in topic.snapshots.values():
        assert topic.restored(manifest) == held
    named = {
        place.offset for one in (topic.manifest, *(one for one, _ in topic.snapshots.values())) for place in one.chunks
    }
    assert named == {offset for offset, _ in topic.records.values()}, "nothing else is left in the topic"
    for one in topic.manifest.partitions:
        for span in {place.span for place in one.chunks}:
            assert len({place.layer for place in one.chunks if place.span == span}) <= MOST_LAYERS
    assert decode_state(encode_state(state_of((topic.manifest,), [], 5))) == state_of((topic.manifest,), [], 5)


@given(ACTIONS)
def test_live_chunks_are_the_state(actions: list[tuple[object, ...]]) -> None:
    topic = Topic()
    play(topic, actions)
    topic.save()
    check(topic)
    assert topic.manifest.saved == dict.fromkeys(OWNED, topic.manifest.partitions[0].saved)
    assert {one.at: one.mark for one in topic.manifest.partitions} == {OWNED[0]: 7, OWNED[1]: None}


def play(topic: Topic, actions: list[tuple[object, ...]]) -> None:
    for count, action in enumerate(actions):
        match action:
            case ("touch", (str(name), int(partition)), str(span), int(group)):
                topic.touch((name, partition), span, f"group-{group}", count)
            case ("close", str(span)):
                topic.close(span)
                topic.commit()
            case ("commit",):
                topic.commit()
            case ("snapshot",):
                topic.snapshot()
            case ("suspended snapshot",):
                topic.suspended_snapshot()
            case ("drop", int(which)):
                topic.drop(which)
            case ("save",):
                topic.save()
                check(topic)


@given(ACTIONS)
def test_chunks_are_found_where_a_restore_has_put_them(actions: list[tuple[object, ...]]) -> None:
    """Also by snapshots from before, and after a second restore."""
    topic = Topic()
    play(topic, actions)
    topic.snapshot()
    manifests = [topic.manifest, *(one for one, _ in topic.snapshots.values())]
    expected = [topic.restored(one) for one in manifests]
    ids: list[str] = ["id"]
    for topic_id in ("second", "third"):
        kept = sorted(topic.records.items(), key=lambda item: item[1][0])
        restored = restored_chunks(ids, [key for key, _ in kept])
        assert decode_restored(encode_restored(restored)) == restored
        topic.records = {key: (offset, value) for offset, (key, (_, value)) in enumerate(kept, 1)}
        moved = [restored.relocate(one, "elsewhere", topic_id) for one in manifests]
        assert [topic.restored(one) for one in moved] == expected
        assert {(one.topic, one.topic_id) for one in moved} == {("elsewhere", topic_id)}
        manifests[0] = moved[0]  # of a job that has gone on, but its snapshots are as they were
        ids.append(topic_id)


def test_a_chunk_that_was_not_restored_is_named() -> None:
    places = tuple(ChunkPlace("", number, 0, 1, 10, 3) for number in (4, 5))
    manifest = Manifest("state", "id", "signature", (SavedPartition("orders", 0, 10, None, 6, places),))
    with pytest.raises(KeyError, match="orders/0/5"):
        restored_chunks(["id"], ["orders/0/4"]).relocate(manifest, "state", "new")


def test_a_copy_that_is_made_again_names_what_there_is_then() -> None:
    """A task that dies before its report is known makes an old copy again, after newer ones."""
    topic = Topic()
    topic.touch(OWNED[0], "", "first", 1)
    topic.snapshot()
    topic.touch(OWNED[0], SPANS[1], "second", 1)
    topic.snapshot()
    old, newer = topic.snapshots
    topic.manifest = pin_chunks(topic.manifest, [old, newer])
    assert is_pinned(topic.manifest, [old, newer])
    topic.snapshots[old] = topic.snapshots.pop(newer)
    topic.close(SPANS[1])
    topic.commit()
    manifest, held = topic.snapshots[old]
    assert topic.restored(manifest) == held


def test_a_task_that_knows_less_than_its_checkpoint_deletes_nothing() -> None:
    """Its newest task record may be older than the copy for a snapshot that it was told of before."""
    topic = Topic()
    topic.touch(OWNED[0], "", "group", 1)
    topic.snapshot()
    topic.close("")
    assert not is_releasing(topic.manifest, SnapshotVersions())
    topic.manifest, deleted = close_spans(topic.manifest, (), SnapshotVersions())
    assert deleted == ()
    assert not is_releasing(topic.manifest, SnapshotVersions(topic.asked - 1))
    assert is_releasing(topic.manifest, SnapshotVersions(topic.asked))
    topic.manifest, deleted = close_spans(topic.manifest, (), SnapshotVersions(topic.asked))
    assert deleted == ("orders/0/0",)


@given(some.lists(some.integers(0, 999), min_size=1, max_size=300))
def test_few_layers_are_written_and_little_again(touched: list[int]) -> None:
    """A thousand groups, some touched before each save: what is read back is about half as much again at most."""
    topic = Topic()
    for group in range(1_000):
        topic.touch(OWNED[0], "", f"group-{group}", 0)
    topic.save()
    state = sum(place.size for place in topic.manifest.partitions[0].chunks)
    for at in range(0, len(touched), 10):
        for group in touched[at : at + 10]:
            topic.touch(OWNED[0], "", f"group-{group}", at)
        topic.save()
        check(topic)
        assert sum(place.size for place in topic.manifest.partitions[0].chunks) <= 1.6 * state


def test_the_bytes_of_a_chunk_and_of_a_manifest_are_read_for_ever() -> None:
    chunk = Chunk(("orders", 3), "2026-01-31T08:00:00Z/2026-01-31T09:00:00Z", 2, b"\x82groups")
    data = bytes.fromhex(
        "0193d929323032362d30312d33315430383a30303a30305a2f323032362d30312d33315430393a30303a30305a02c4078267726f757073"
    )
    assert encode_chunk(chunk) == data
    assert decode_chunk(("orders", 3), data) == chunk
    places = (ChunkPlace("", 4, 4, 100, 2_000, 17),)
    manifest = Manifest(
        "jobplane.job.1-5.state",
        "AbC",
        "digest",
        (SavedPartition("orders", 3, 120, 1_769_846_400_000_000, 5, places),),
    )
    state = state_of((manifest,), [{("orders", 3): 1_769_846_401_000_000}], 12)
    data = bytes.fromhex(
        "01939194b66a6f62706c616e652e6a6f622e312d352e7374617465a3416243a66469676573749196a66f72646572730378cf00"
        "0649aa79faa000059197a0040464cd07d011c29193a66f726465727303cf000649aa7a09e2400c"
    )
    assert decode_state(data) == state
    pinned = (ChunkPlace("", 4, 4, 100, 2_000, 17, 12),)
    later = SavedPartition("orders", 3, 120, None, 5, pinned, (DeadChunks(2, 3, 7, 12),), 12)
    state = state_of((Manifest("jobplane.job.1-5.state", "AbC", "digest", (later,)),), [], 12)
    data = bytes.fromhex(
        "01949194b66a6f62706c616e652e6a6f622e312d352e7374617465a3416243a66469676573749199a66f72646572730378c0059197a0"
        "040464cd07d0110c91940203070c0c90900c90"
    )
    assert encode_state(state) == data
    assert decode_state(data) == state
    one = SavedPartition("orders", 3, 120, 1_769_846_400_000_000, 5, places, (), -1, (None, 1_769_846_402_000_000))
    manifest = Manifest("jobplane.job.1-5.state", "AbC", "digest", (one,))
    marks = [{}, {("orders", 3): 1_769_846_401_000_000}, {("orders", 3): 1_769_846_402_000_000}]
    state = state_of((manifest,), marks, 12)
    data = bytes.fromhex(
        "01949194b66a6f62706c616e652e6a6f622e312d352e7374617465a3416243a66469676573749199a66f72646572730378cf"
        "000649aa79faa000059197a0040464cd07d011c290ff92c0cf000649aa7a192480900c929193a66f726465727303cf000649"
        "aa7a09e2409193a66f726465727303cf000649aa7a192480"
    )
    assert encode_state(state) == data
    assert decode_state(data) == state
    assert manifest.marks == ({("orders", 3): 1_769_846_400_000_000}, {}, {("orders", 3): 1_769_846_402_000_000})
    restored = restored_chunks(["AbC"], ["orders/3/4", "orders/3/7"])
    data = bytes.fromhex("019291a341624381a86f72646572732f338204010702")
    assert encode_restored(restored) == data
    assert decode_restored(data) == restored


def test_the_state_of_many_windows_is_compressed() -> None:
    """It is in each checkpoint. A small one is read as well where it is compressed."""
    places = tuple(ChunkPlace(f"2026-01-31T08:{i:02}:00Z", i, i, 100, 2_000, 17 + i) for i in range(600))
    for listed in (places, places[:1]):
        state = state_of(
            (Manifest("state", "id", "signature", (SavedPartition("orders", 3, 120, 5, 600, listed),)),), [], 0
        )
        plain = b"\x01" + msgspec.msgpack.encode(state)
        assert (
            decode_state(plain)
            == decode_state(b"\x02" + compress(plain[1:]))
            == decode_state(encode_state(state))
            == state
        )
        assert len(encode_state(state)) < len(plain) / 3 if listed == places else encode_state(state) == plain


@pytest.mark.parametrize("data", [b"", b"\x02\x93", b"\x03\x93", b"\x01\x93", b"\x01not", b"\x00"])
def test_other_bytes_are_refused_in_words(data: bytes) -> None:
    for read in (decode_state, decode_restored, lambda value: decode_chunk(("orders", 0), value)):
        with pytest.raises(UnknownState):
            read(data)


def test_partitions_are_handed_over_with_their_state() -> None:
    def task(partition: int, saved: int, read: int) -> CheckpointState:
        one = SavedPartition("orders", partition, saved, 5, 1, (ChunkPlace("", 0, 0, 1, 10, saved),))
        return state_of((Manifest("state", "id", "signature", (one,)),), [{one.at: 6}, {one.at: 7}], read)

    merged = merge_states([task(0, 10, 0), task(1, 20, 3)], [("orders", 1)])
    assert merged is not None
    assert merged.saved == {("orders", 1): 20}
    assert merged.marks == ({("orders", 1): 6}, {("orders", 1): 7})
    assert merged.read == UNKNOWN
    both = merge_states([task(0, 10, 0), task(1, 20, 0), task(1, 30, 0)], OWNED)
    assert both is not None
    assert both.saved == {("orders", 0): 10, ("orders", 1): 30}
    assert both.read == 0
    assert merge_states([], OWNED) is None


def test_chunks_of_a_snapshot_and_of_the_job_itself_stay_apart() -> None:
    """A task of the job has started and written chunks of its own, another has not."""

    def state(topic: str, *partitions: SavedPartition) -> CheckpointState:
        return state_of((Manifest(topic, topic, "signature", partitions),), [], 0)

    copied = [SavedPartition("orders", p, 10, None, 1, (ChunkPlace("", 0, 0, 1, 10, 3),)) for p in (0, 1)]
    own = SavedPartition("orders", 0, 20, None, 1, (ChunkPlace("", 0, 0, 1, 10, 7),))
    merged = merge_states([state("of-snapshot", *copied), state("own", own)], OWNED)
    assert merged is not None
    assert {one.topic: one.partitions for one in merged.manifests} == {"of-snapshot": (copied[1],), "own": (own,)}
    assert merged.saved == {("orders", 0): 20, ("orders", 1): 10}


def test_numbers_go_on_where_tasks_of_two_versions_have_written() -> None:
    """A key of a chunk is used once, also if the signatures beside the chunks are not the same text."""

    def task(partition: int, signature: str) -> CheckpointState:
        one = SavedPartition("orders", partition, 10, None, 4, (ChunkPlace("", 3, 3, 1, 10, 7),))
        return state_of((Manifest("own", "id", signature, (one,)),), [], 0)

    merged = merge_states([task(0, "of before"), task(1, "of now")], OWNED)
    assert merged is not None
    manifest = manifest_in(merged.manifests, "own")
    assert manifest is not None
    young = [Chunk(at, "", 1, b"a") for at in OWNED]
    save = plan_save(manifest, young, {(at, "") for at in OWNED}, lambda at, span: [], dict.fromkeys(OWNED, 11), [])
    assert [one.key for one in save.chunks] == ["orders/0/4", "orders/1/4"]
    assert manifest_in(merged.manifests, "other") is None
