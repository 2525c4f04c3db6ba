"""The engine's parts alone: certificates, tallies, guard, journal, fetcher, schedule."""

from itertools import pairwise
from random import Random
from zlib import crc32

import pytest

from consensus import journal
from consensus.errors import BadCertificate, CorruptJournal, GuardBreach, PeerFault
from consensus.fetching import SPOILT_MAX, Fetcher, Want
from consensus.guard import Guard
from consensus.journal import (
    HEADS_TRIED_MAX,
    SUSPECTS_MAX,
    Record,
    encode_record,
    frame,
    read,
)
from consensus.leader import SLOTS, Schedule, first_seed
from consensus.messages import Certificate, FetchProposal, Subject
from consensus.params import Params
from consensus.quorum import check_subject, verify_certificate
from consensus.state import Floor
from consensus.tree import BlockStatus, Tree
from consensus.types import BlockRef
from consensus.votes import Tally, VoteAdmission
from ledger.primitives.codec import encode
from ledger.primitives.committee import Member
from ledger.primitives.hashing import ZERO_HASH, Hash
from ledger.primitives.scalars import Epoch, View
from ledger.primitives.votes import VoteKind
from tests.support.consensus.engine_rig import EngineRig, finalize, nullify, ref
from tests.support.consensus.network import CHAIN, EPOCH, GENESIS, make_committee


def about(kind: VoteKind, view: int, block: bytes = b"\x01" * 32, parent: int = 0) -> Subject:
    return Subject(kind, EPOCH, View(view), View(parent), Hash(block))


# Certificates.


def test_a_certificate_holds_no_vote_more_than_it_needs() -> None:
    rig = EngineRig(stakes=(5, 1, 1, 4, 1))
    certificate = rig.certify(nullify(1), range(5))
    stakes = [rig.committee.stake(member) for member, _ in certificate.votes]
    assert sum(stakes) >= rig.committee.quorum > sum(stakes) - min(stakes)
    verify_certificate(rig.committee, CHAIN, certificate)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda votes: votes[:-1], "below the quorum"),
        (lambda votes: votes[::-1], "ascend"),
        (lambda votes: (votes[0], votes[0], *votes[1:]), "ascend"),
        (lambda votes: (*votes[:-1], (Member(99), votes[-1][1])), "no member"),
        (lambda votes: (*votes[:-1], (votes[-1][0], votes[0][1])), "signature"),
    ],
)
def test_a_certificate_that_proves_nothing_is_refused(change, why) -> None:
    rig = EngineRig()
    good = rig.certify(nullify(1))
    with pytest.raises(BadCertificate, match=why):
        verify_certificate(rig.committee, CHAIN, Certificate(good.subject, change(good.votes)))


def test_a_certificate_with_needless_votes_is_refused() -> None:
    rig = EngineRig()
    votes = tuple((m, rig.sign(nullify(1), m).signature) for m in map(Member, range(4)))
    with pytest.raises(BadCertificate, match="more votes"):
        verify_certificate(rig.committee, CHAIN, Certificate(nullify(1), votes))


def test_heads_without_stake_are_no_quorum() -> None:
    rig = EngineRig(stakes=(100, 1, 1, 1))
    votes = tuple((m, rig.sign(nullify(1), m).signature) for m in map(Member, (1, 2, 3)))
    with pytest.raises(BadCertificate, match="below the quorum"):
        verify_certificate(rig.committee, CHAIN, Certificate(nullify(1), votes))


def test_a_certificate_of_another_chain_is_refused() -> None:
    rig = EngineRig()
    with pytest.raises(BadCertificate, match="signature"):
        verify_certificate(rig.committee, ZERO_HASH, rig.certify(nullify(1)))


@pytest.mark.parametrize(
    "subject",
    [
        about(VoteKind.NULLIFY, 1),
        about(VoteKind.NOTARIZE, 0),
        about(VoteKind.NOTARIZE, 3, parent=3),
    ],
)
def test_subjects_that_nobody_can_mean_are_refused(subject: Subject) -> None:
    with pytest.raises(PeerFault):
        check_subject(subject)
    rig = EngineRig()
    certificate = rig.certify(subject)
    with pytest.raises(BadCertificate):
        verify_certificate(rig.committee, CHAIN, certificate)


# Tallies.


def test_votes_on_different_blocks_are_never_added_up() -> None:
    rig = EngineRig()
    tally = Tally(rig.committee, CHAIN)
    for member, block in enumerate((b"\x01", b"\x01", b"\x02", b"\x02")):
        subject = about(VoteKind.NOTARIZE, 1, block * 32)
        assert tally.admit(rig.sign(subject, member), verified=False) is VoteAdmission.COUNTED
        assert tally.certify(subject) == (None, [])


def test_the_first_vote_stands_and_later_ones_are_told_apart() -> None:
    rig = EngineRig()
    tally = Tally(rig.committee, CHAIN)
    first, second = (rig.sign(about(VoteKind.NOTARIZE, 1, b * 32), 0) for b in (b"\x01", b"\x02"))
    assert tally.admit(first, verified=False) is VoteAdmission.COUNTED
    assert tally.admit(first, verified=False) is VoteAdmission.REPEATED
    assert tally.admit(second, verified=False) is VoteAdmission.CONFLICTING
    assert tally.rival(second) == first
    assert tally.rival(rig.sign(nullify(1), 0)) is None
    assert tally.rival(rig.sign(finalize(second.subject), 0)) == first
    assert tally.voters(VoteKind.NOTARIZE) == {0}
    assert tally.active() == {0}


# Guard.

SIGNED_NOTARIZE = about(VoteKind.NOTARIZE, 5)
OTHER_BLOCK = b"\x02" * 32


@pytest.mark.parametrize(
    ("before", "then"),
    [
        (SIGNED_NOTARIZE, SIGNED_NOTARIZE),
        (SIGNED_NOTARIZE, about(VoteKind.NOTARIZE, 5, OTHER_BLOCK)),
        (SIGNED_NOTARIZE, about(VoteKind.FINALIZE, 5, OTHER_BLOCK)),
        (SIGNED_NOTARIZE, about(VoteKind.FINALIZE, 5, parent=2)),
        (SIGNED_NOTARIZE, about(VoteKind.NOTARIZE, 4)),
        (SIGNED_NOTARIZE, nullify(4)),
        (nullify(5), about(VoteKind.NOTARIZE, 5)),
        (nullify(5), about(VoteKind.FINALIZE, 5)),
        (about(VoteKind.FINALIZE, 5), nullify(5)),
        (about(VoteKind.FINALIZE, 5), about(VoteKind.NOTARIZE, 5, OTHER_BLOCK)),
        (about(VoteKind.FINALIZE, 5), about(VoteKind.FINALIZE, 5, OTHER_BLOCK)),
    ],
)
def test_the_guard_refuses_what_excludes_a_signed_vote(before: Subject, then: Subject) -> None:
    _, keys = make_committee((1,))
    guard = Guard(keys[0], Member(0), CHAIN)
    vote = guard.sign(before)
    with pytest.raises(GuardBreach):
        guard.sign(then)
    restarted = Guard(keys[0], Member(0), CHAIN)
    restarted.remember(vote)
    with pytest.raises(GuardBreach):
        restarted.sign(then)


def test_the_guard_lets_lawful_votes_pass() -> None:
    _, keys = make_committee((1,))
    guard = Guard(keys[0], Member(0), CHAIN)
    for subject in (
        SIGNED_NOTARIZE,
        about(VoteKind.FINALIZE, 5),
        about(VoteKind.NOTARIZE, 6),
        nullify(6),
        about(VoteKind.FINALIZE, 3),
    ):
        guard.sign(subject)
    guard.raise_floor(View(9))
    with pytest.raises(GuardBreach, match="below the floor"):
        guard.sign(nullify(9))


# Journal.


def some_records() -> list[Record]:
    rig = EngineRig()
    proposal = rig.propose(1)
    certificate = rig.certify(proposal.vote.subject)
    return [rig.sign(nullify(1), 0), certificate, proposal, rig.sign(nullify(2), 0)]


def test_a_journal_gives_back_what_was_written() -> None:
    records = some_records()
    raw = b"".join(frame([encode_record(record)]) for record in records)
    assert read(raw).records == tuple(records)
    assert read(raw).clean_bytes == len(raw)
    assert read(b"").records == ()


def test_a_journal_cut_anywhere_keeps_every_whole_frame() -> None:
    frames = [frame([encode_record(record)]) for record in some_records()]
    raw = b"".join(frames)
    ends = [sum(len(f) for f in frames[:n]) for n in range(len(frames) + 1)]
    for cut in range(len(raw) + 1):
        replay = read(raw[:cut])
        assert replay.clean_bytes == max(end for end in ends if end <= cut)
        assert len(replay.records) == ends.index(replay.clean_bytes)


def test_a_run_of_zeros_at_the_end_is_a_torn_tail() -> None:
    raw = frame([encode_record(some_records()[0])])
    assert read(raw + bytes(100)).clean_bytes == len(raw)


def test_damage_before_an_intact_frame_is_corruption() -> None:
    frames = [frame([encode_record(record)]) for record in some_records()]
    raw = b"".join(frames)
    for at in range(0, len(raw) - len(frames[-1]), 7):
        damaged = bytearray(raw)
        damaged[at] ^= 0x40
        with pytest.raises(CorruptJournal):
            read(bytes(damaged))


TAIL_BYTES = 8_000_000


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count what the reader of journals checks: how many bytes each time."""
    sizes: list[int] = []

    def count(data: bytes) -> int:
        sizes.append(len(data))
        return crc32(data)

    monkeypatch.setattr(journal, "crc32", count)
    return sizes


@pytest.mark.parametrize("hole", [0, 4_096])
def test_a_great_torn_tail_is_told_by_few_checks(checked: list[int], hole: int) -> None:
    whole = frame([encode_record(some_records()[0])])
    torn = frame([Random(1).randbytes(TAIL_BYTES)])[:-1]
    checked.clear()
    assert read(whole + bytes(hole) + torn[hole:]).clean_bytes == len(whole)
    # If the head is there it says that nothing follows; else few places look like a head.
    assert len(checked) < (20_000 if hole else 10)
    assert sum(checked) < TAIL_BYTES


def test_an_intact_frame_is_found_behind_a_great_hole(checked: list[int]) -> None:
    after = frame([encode_record(some_records()[0])])
    with pytest.raises(CorruptJournal):
        read(bytes(4_096) + Random(2).randbytes(TAIL_BYTES) + after)
    assert len(checked) < 20_000


@pytest.mark.parametrize("head", [bytes(12), (6_000_000).to_bytes(4, "big")])
def test_a_tail_full_of_made_up_heads_counts_as_damage_at_once(
    checked: list[int], head: bytes
) -> None:
    if any(head):
        head += crc32(head).to_bytes(4, "big") + bytes(4)
    made_up = (head + b"\x91\xc4") * (TAIL_BYTES // 14)
    with pytest.raises(CorruptJournal):
        read(bytes(4_096) + made_up)
    assert len(checked) <= HEADS_TRIED_MAX + 2 * SUSPECTS_MAX
    assert sum(checked) <= (SUSPECTS_MAX + 1) * TAIL_BYTES


def test_a_frame_within_the_torn_frames_own_body_is_no_frame() -> None:
    forged = frame([encode_record(some_records()[0])])
    assert read(frame([forged * 3])[:-1]).clean_bytes == 0


@pytest.mark.parametrize("hole", [b"\x00", b"\xff"])
@pytest.mark.parametrize("records", [1, 15, 16, 70_000])
def test_frames_of_every_size_are_found_behind_a_hole(records: int, hole: bytes) -> None:
    with pytest.raises(CorruptJournal):
        read(hole * 20 + frame([b"x"] * records))


def test_an_intact_frame_without_records_is_corruption() -> None:
    with pytest.raises(CorruptJournal, match="no record"):
        read(frame([b"garbage"]))


# Fetcher.


def test_the_fetcher_goes_round_the_table_with_growing_patience() -> None:
    fetcher = Fetcher(Params(), Member(1), 4)
    request = FetchProposal(View(3), ZERO_HASH)
    wanted = {request: Want(Member(3), 100)}
    assert fetcher.update(wanted, 0) == []
    asked, times = [], []
    while len(asked) < 7:
        now_ms = fetcher.due_ms()
        assert now_ms is not None
        ((member, _),) = fetcher.update(wanted, now_ms)
        asked.append(member)
        times.append(now_ms)
    assert asked[0] == 3
    assert set(asked[:3]) == {0, 2, 3}
    assert asked == (asked[:3] * 3)[:7]
    assert [b - a for a, b in pairwise(times)] == [250, 375, 562, 843, 1_264, 1_896]
    assert fetcher.has_asked(request, Member(2))
    assert not fetcher.has_asked(request, Member(1))
    assert fetcher.update({}, times[-1]) == []
    assert fetcher.due_ms() is None
    assert fetcher.tries(request) == 0


def test_after_a_worthless_answer_the_next_member_is_asked() -> None:
    fetcher = Fetcher(Params(), Member(1), 4)
    requests = [FetchProposal(View(view), ZERO_HASH) for view in range(20)]
    for request in requests:
        fetcher.spoil(request, Member(3))
    assert fetcher.update({requests[-1]: Want(Member(3))}, 0) == []
    ((member, _),) = fetcher.update({requests[-1]: Want(Member(3))}, 250)
    assert member in {0, 2}
    # Only the latest are remembered.
    assert fetcher.update({requests[-SPOILT_MAX - 1]: Want(Member(3))}, 0) != []


def ask_all(me: int, view: int, want: Want, size: int = 100) -> list[Member]:
    """Let a fetcher ask in vain until everyone was asked once; give whom, in order."""
    fetcher, wanted = (
        Fetcher(Params(), Member(me), size),
        {FetchProposal(View(view), ZERO_HASH): want},
    )
    asked = []
    for _ in range(size - 1):
        ((member, _),) = fetcher.update(wanted, fetcher.due_ms() or 0)
        asked.append(member)
    assert sorted(asked) == [m for m in range(size) if m != me]
    return asked


def test_the_source_comes_first_and_who_signed_before_who_did_not() -> None:
    voters = tuple(Member(m) for m in range(20, 87))
    asked = ask_all(90, 1, Want(Member(7), voters=voters))
    assert asked[0] == 7
    assert set(asked[1:68]) == set(voters)
    assert asked == ask_all(90, 1, Want(Member(7), voters=voters))


def test_each_member_and_request_has_an_order_of_its_own() -> None:
    want = Want(None)
    orders = {tuple(ask_all(me, view, want)) for me in (0, 1) for view in (1, 2)}
    assert len(orders) == 4


def test_neighbouring_liars_among_those_who_signed_delay_nobody_for_long() -> None:
    liars = {Member(m) for m in range(33)}
    voters = tuple(Member(m) for m in range(67))
    tries = []
    for me in range(67, 100):
        asked = ask_all(me, 5, Want(Member(32), voters=voters))
        tries.append(next(n for n, member in enumerate(asked) if member not in liars))
    assert max(tries) <= 8, "a third of the members, side by side, once cost 33 attempts"
    assert sum(tries) <= 3 * len(tries)


def test_one_alone_asks_nobody() -> None:
    fetcher = Fetcher(Params(), Member(0), 1)
    assert fetcher.update({FetchProposal(View(3), ZERO_HASH): Want(Member(0))}, 0) == []


# Schedule and tree.


def test_the_schedule_repeats_after_an_epochs_slots() -> None:
    committee, _ = make_committee((3, 1, 2, 1))
    schedule = Schedule(first_seed(CHAIN), committee)
    leaders = [schedule.leader(View(view)) for view in range(1, SLOTS + 1)]
    assert [leaders.count(Member(m)) for m in range(4)] == [439, 146, 293, 146]
    assert schedule.leader(View(1)) == schedule.leader(View(1 + SLOTS))
    other = Schedule(first_seed(ZERO_HASH), committee)
    assert leaders != [other.leader(View(view)) for view in range(1, SLOTS + 1)]


def test_the_tree_forgets_what_can_no_longer_become_final() -> None:
    rig = EngineRig()
    tree = Tree(GENESIS)
    first, rival = rig.propose(1), rig.propose(2)
    child = rig.propose(3, ref(first), rig.certify(first.vote.subject))
    orphan = rig.propose(4, ref(rival), rig.certify(rival.vote.subject))
    for proposal in (first, rival, child, orphan):
        tree.add(proposal, Member(0)).standing = BlockStatus.VALID
    assert tree.missing(ref(child)) == (None, 0)
    tree.move_root(ref(rival))
    assert ref(child) not in tree.nodes, "it goes round the root"
    assert tree.is_valid(ref(orphan))
    assert not tree.is_valid(ref(first))
    assert not tree.descends(ref(first))


def test_a_floor_above_genesis_needs_its_finalization() -> None:
    with pytest.raises(AssertionError):
        Floor(BlockRef(View(1), ZERO_HASH), None)


def test_times_that_cannot_be_meant_are_refused() -> None:
    with pytest.raises(ValueError, match="delta_ms"):
        Params(delta_ms=0)
    assert Params(pace_ms=0).pace_ms == 0


def test_a_vote_signs_a_fixed_text() -> None:
    text = about(VoteKind.FINALIZE, 7, parent=6).signing_bytes(CHAIN)
    assert len(text) == len(b"BILLCOIN/vote/1") + 32 + 1 + 8 + 8 + 8 + 32
    assert encode(Epoch(0)) not in text[:15]
