"""A crash takes what was not synced, and nothing else."""

import pytest

from consensus.errors import CorruptJournal
from consensus.journal import encode_record
from consensus.messages import Subject, Vote
from ledger.primitives.committee import Member
from ledger.primitives.hashing import ZERO_HASH
from ledger.primitives.keys import Signature
from ledger.primitives.scalars import Epoch, View
from ledger.primitives.votes import VoteKind
from simulator.virtual.disk import SEGMENT_BYTES, Disk, SyncFailed
from simulator.virtual.topology import make_topology
from simulator.virtual.world import stream


def vote(view: int) -> bytes:
    subject = Subject(VoteKind.NULLIFY, Epoch(0), View(view), View(0), ZERO_HASH)
    return encode_record(Vote(subject, Member(0), Signature(bytes(64))))


def disk(seed: int = 1) -> Disk:
    return Disk(stream(seed, "disk"), {})


def views(made: Disk) -> list[int]:
    return [record.subject.view for record in made.recover() if isinstance(record, Vote)]


def test_what_was_synced_survives_every_crash_and_the_rest_whole_or_not_at_all() -> None:
    seen = set()
    for seed in range(60):
        made = disk(seed)
        made.append(1, vote(1))
        made.append(2, vote(2))
        assert made.sync() == [vote(1), vote(2)]
        made.append(3, vote(3))
        made.append(4, vote(4))
        made.crash()
        survived = views(made)
        assert survived in ([1, 2], [1, 2, 3, 4])
        seen.add(len(survived))
        made.append(5, vote(5))
        made.sync()
        assert views(made) == [*survived, 5]
    assert seen == {2, 4}


def test_a_refused_sync_says_so_once() -> None:
    made = disk()
    made.append(1, vote(1))
    made.fails_next = True
    with pytest.raises(SyncFailed):
        made.sync()
    made.sync()
    assert views(made) == [1]


def test_segments_below_the_floor_are_deleted_whole() -> None:
    made = disk()
    view = 0
    while len(made.segments) < 4:
        view += 1
        made.append(view, vote(view))
        made.sync()
    assert sum(len(segment.raw) for segment in made.segments) >= 3 * SEGMENT_BYTES
    made.prune(view + 1)
    assert len(made.segments) == 1
    assert all(kept > view // 2 for kept in views(made))


def test_a_hole_before_a_later_segment_is_damage() -> None:
    made = disk()
    view = 0
    while len(made.segments) < 2:
        view += 1
        made.append(view, vote(view))
        made.sync()
    made.segments[0].raw = made.segments[0].raw[:-1]
    with pytest.raises(CorruptJournal):
        made.recover()


def test_a_backup_put_back_forgets_what_came_after_it() -> None:
    made = disk()
    assert not made.restore()
    made.append(1, vote(1))
    made.sync()
    made.copy()
    made.append(2, vote(2))
    made.sync()
    assert made.restore()
    assert views(made) == [1]
    assert made.restore()
    made.lose_journal()
    assert made.journal_lost
    assert views(made) == []


def test_a_store_outlives_its_process() -> None:
    topology = make_topology((10, 10, 10, 10))
    made = Disk(stream(1, "disk"), dict(topology.cells))
    head = made.open_store().head()
    assert head is not None
    assert head.height == 0
    assert made.open_store().head() == head
