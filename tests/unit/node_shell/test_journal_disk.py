"""The journal on disk: what was synced is there again, whatever a crash tore; nothing else is."""

import os
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consensus.journal import encode_record
from consensus.messages import Subject, Vote
from ledger.primitives.committee import Member
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Signature
from ledger.primitives.scalars import Epoch, View
from ledger.primitives.votes import VoteKind
from node.errors import JournalExists, JournalFailed
from node.shell.disk import journal as journal_module
from node.shell.disk.journal import Journal, begin_journal

SEGMENT = 1_000_000


def vote(view: int, epoch: int = 0) -> Vote:
    subject = Subject(VoteKind.NOTARIZE, Epoch(epoch), View(view), View(0), Hash(bytes(32)))
    return Vote(subject, Member(0), Signature(view.to_bytes(64, "big")))


def write(journal: Journal, *views: int) -> None:
    for view in views:
        journal.append(0, view, encode_record(vote(view)))
    journal.sync()


def views(journal: Journal) -> list[int]:
    return [record.subject.view for record in journal.recovered]


def segments(folder) -> list:
    return sorted(folder.glob("*.journal"))


def reopened(folder, segment=SEGMENT) -> Journal:
    journal = Journal(folder, segment)
    journal.close()
    return journal


def begun(folder):
    begin_journal(folder)
    return folder


@pytest.fixture
def folder(tmp_path):
    return begun(tmp_path / "journal")


batches = st.lists(st.lists(st.integers(1, 1_000), min_size=1, max_size=4), max_size=8)


@given(batches, st.sampled_from([200, 700, SEGMENT]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_what_was_synced_is_recovered_in_order(tmp_path_factory, written, segment):
    folder = begun(tmp_path_factory.mktemp("journal"))
    journal = Journal(folder, segment)
    for batch in written:
        write(journal, *batch)
    journal.close()
    assert views(reopened(folder, segment)) == [view for batch in written for view in batch]


@given(batches.filter(bool), st.data())
@settings(max_examples=60)
def test_a_torn_tail_costs_the_last_batch_and_writing_goes_on(tmp_path_factory, written, data):
    folder = begun(tmp_path_factory.mktemp("journal"))
    journal = Journal(folder, SEGMENT)
    ends = []
    for batch in written:
        write(journal, *batch)
        ends.append(segments(folder)[0].stat().st_size)
    journal.close()
    [path] = segments(folder)
    before = ends[-2] if len(ends) > 1 else 0
    cut = data.draw(st.integers(before, ends[-1] - 1), label="cut")
    os.truncate(path, cut)
    kept = [view for batch in written[:-1] for view in batch]
    again = Journal(folder, SEGMENT)
    assert views(again) == kept
    write(again, 7)
    again.close()
    assert views(reopened(folder)) == [*kept, 7]


def test_what_was_not_synced_is_not_there(folder):
    journal = Journal(folder, SEGMENT)
    write(journal, 1)
    journal.append(0, 2, encode_record(vote(2)))
    assert journal.dirty
    assert views(reopened(folder)) == [1]


def test_damage_before_intact_records_counts_as_lost(folder):
    journal = Journal(folder, SEGMENT)
    write(journal, 1)
    write(journal, 2)
    journal.close()
    [path] = segments(folder)
    raw = bytearray(path.read_bytes())
    raw[20] ^= 1
    path.write_bytes(raw)
    again = Journal(folder, SEGMENT)
    assert again.is_lost
    assert "damaged at byte 0" in again.damage
    assert again.recovered == ()
    assert (folder / "damaged-1" / path.name).read_bytes() == raw
    write(again, 3)
    again.close()


def test_a_lost_journal_stays_lost_until_that_is_taken_back(folder):
    test_damage_before_intact_records_counts_as_lost(folder)
    again = Journal(folder, SEGMENT)
    assert again.is_lost
    assert views(again) == [3], "what was written since is not lost"
    again.set_lost(False)
    again.close()
    assert not reopened(folder).is_lost


def test_a_second_loss_keeps_the_files_of_the_first(folder):
    test_damage_before_intact_records_counts_as_lost(folder)
    journal = Journal(folder, SEGMENT)
    write(journal, 4)
    journal.close()
    [path] = segments(folder)
    path.write_bytes(b"\0" * 30 + path.read_bytes())
    assert reopened(folder).damage
    assert (folder / "damaged-1").is_dir()
    assert (folder / "damaged-2").is_dir()


def test_a_journal_that_was_begun_is_not_lost_and_one_that_is_gone_is(folder):
    assert not reopened(folder).is_lost, "a new key has forgotten nothing"
    for path in segments(folder):
        path.unlink()
    assert reopened(folder).is_lost
    shutil.rmtree(folder)
    journal = Journal(folder, SEGMENT)
    assert journal.is_lost
    write(journal, 1)
    journal.close()
    assert reopened(folder).is_lost, "what is written since does not bring back what is lost"


def test_a_journal_is_not_begun_over_anything(folder):
    for left in (segments(folder)[0].name, "VOTES-MAY-BE-MISSING", "damaged-1"):
        with pytest.raises(JournalExists, match="not empty"):
            begin_journal(folder)
        for path in folder.iterdir():
            path.unlink()
        (folder / left).touch()
    with pytest.raises(JournalExists):
        begin_journal(folder)
    (folder / "damaged-1").unlink()
    begin_journal(folder)
    assert not reopened(folder).is_lost


def test_a_torn_segment_that_is_not_the_last_counts_as_lost(folder):
    journal = Journal(folder, 100)
    for view in range(1, 4):
        write(journal, view)
    journal.close()
    first = segments(folder)[0]
    os.truncate(first, first.stat().st_size - 1)
    assert reopened(folder, 100).is_lost


def test_segments_below_the_floor_are_deleted_and_only_these(folder):
    journal = Journal(folder, 100)
    for view in range(1, 8):
        write(journal, view)
    journal.prune(0, 5)
    journal.close()
    assert views(reopened(folder, 100)) == [5, 6, 7]


def test_a_late_record_of_a_high_view_keeps_its_segment(folder):
    journal = Journal(folder, 100)
    write(journal, 9)
    write(journal, 2)
    journal.prune(0, 5)
    journal.close()
    assert views(reopened(folder, 100)) == [9, 2]


def test_a_later_epoch_lies_above_the_floor_however_low_its_views(folder):
    journal = Journal(folder, 100)
    for epoch, view in ((0, 90), (1, 1), (0, 95), (1, 2)):
        journal.append(epoch, view, encode_record(vote(view, epoch)))
        journal.sync()
    journal.prune(0, 91)
    assert views(reopened(folder, 100)) == [1, 95, 2]
    journal.prune(1, 2)
    journal.close()
    assert views(reopened(folder, 100)) == [2]


def test_the_open_segment_is_never_deleted(folder):
    journal = Journal(folder, SEGMENT)
    write(journal, 1)
    journal.prune(0, 100)
    journal.close()
    assert views(reopened(folder)) == [1]


@pytest.mark.parametrize("call", ["write", "fdatasync"])
def test_a_disk_that_refuses_ends_the_journal(folder, monkeypatch, call):
    journal = Journal(folder, SEGMENT)
    journal.append(0, 1, encode_record(vote(1)))

    def fail(*_arguments):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(journal_module.os, call, fail)
        with pytest.raises(JournalFailed, match="Input/output error"):
            journal.sync()


def test_a_disk_that_refused_half_a_frame_is_not_written_to_again(folder, monkeypatch):
    journal = Journal(folder, SEGMENT)
    write(journal, 1)
    journal.append(0, 2, encode_record(vote(2)))
    real, calls = os.write, []

    def tear(descriptor, data):
        calls.append(len(data))
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        return real(descriptor, bytes(data)[:20])

    with monkeypatch.context() as patched:
        patched.setattr(journal_module.os, "write", tear)
        with pytest.raises(JournalFailed):
            journal.sync()
    journal.close()
    again = reopened(folder)
    assert views(again) == [1]
    assert not again.is_lost, "it is the torn end of a call whose messages never left"


def test_each_sync_reaches_the_disk_once_and_a_new_segment_syncs_its_folder(folder, monkeypatch):
    calls = []
    real_data, real_full = os.fdatasync, os.fsync
    monkeypatch.setattr(os, "fdatasync", lambda fd: calls.append("data") or real_data(fd))
    monkeypatch.setattr(os, "fsync", lambda fd: calls.append("folder") or real_full(fd))
    journal = Journal(folder, 300)
    assert calls == []
    write(journal, 1, 2)
    write(journal, 3)
    assert calls == ["data", "data", "folder"][: 1 + len(segments(folder))]
    journal.sync()
    assert calls.count("data") == 2, "nothing pending, nothing synced"
    journal.close()
