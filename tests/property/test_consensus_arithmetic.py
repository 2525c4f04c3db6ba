"""Laws of stake, quorums, leaders and journals, for every committee."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from consensus.journal import encode_record, frame, read
from consensus.leader import SLOTS, quotas, shuffle
from consensus.messages import Certificate, Subject, Vote
from consensus.params import Params
from consensus.quorum import assemble, stake_of
from consensus.votes import are_exclusive
from ledger.primitives.committee import Member
from ledger.primitives.hashing import Domain, Hash, digest
from ledger.primitives.keys import Signature
from ledger.primitives.scalars import Epoch, View
from ledger.primitives.votes import VoteKind
from tests.support.consensus.network import make_committee

STAKES = st.lists(st.integers(1, 2**40), min_size=1, max_size=24)
KINDS = st.sampled_from(VoteKind)
BLOCKS = st.sampled_from([Hash(bytes([i]) * 32) for i in range(3)])
SUBJECTS = st.builds(
    lambda kind, view, block: Subject(kind, Epoch(0), View(view), View(0), block),
    KINDS,
    st.integers(1, 2),
    BLOCKS,
)


@given(STAKES, st.data())
def test_two_quorums_share_more_than_a_third(stakes: list[int], data: st.DataObject) -> None:
    committee, _ = make_committee(stakes)
    members = [Member(i) for i in range(len(stakes))]
    one, other = (data.draw(st.sets(st.sampled_from(members))) for _ in range(2))
    if min(stake_of(committee, one), stake_of(committee, other)) >= committee.quorum:
        assert 3 * stake_of(committee, one & other) > committee.total


@given(STAKES)
def test_the_quorum_is_the_least_stake_above_two_thirds(stakes: list[int]) -> None:
    committee, _ = make_committee(stakes)
    assert 3 * committee.quorum > 2 * committee.total >= 3 * (committee.quorum - 1)
    # Whatever is left, were a quorum's complement to fail, can't stop the honest two thirds.
    assert committee.quorum <= committee.total


@given(STAKES, st.data())
def test_a_certificate_is_made_exactly_at_quorum_and_is_minimal(
    stakes: list[int], data: st.DataObject
) -> None:
    committee, _ = make_committee(stakes)
    members = [Member(i) for i in range(len(stakes))]
    voters = data.draw(st.sets(st.sampled_from(members), min_size=1))
    subject = Subject(VoteKind.NOTARIZE, Epoch(0), View(1), View(0), Hash(bytes(32)))
    certificate = assemble(committee, subject, {m: Signature(bytes(64)) for m in voters})
    assert (certificate is not None) == (stake_of(committee, voters) >= committee.quorum)
    if certificate is not None:
        chosen = [member for member, _ in certificate.votes]
        assert chosen == sorted(set(chosen))
        stake = stake_of(committee, chosen)
        assert stake >= committee.quorum > stake - min(map(committee.stake, chosen))


@given(STAKES)
def test_every_member_leads_by_its_stake_within_one_slot(stakes: list[int]) -> None:
    shares = quotas(stakes)
    assert sum(shares) == SLOTS
    total = sum(stakes)
    for stake, share in zip(stakes, shares, strict=True):
        assert stake * SLOTS // total <= share <= -(-stake * SLOTS // total)


@given(STAKES)
def test_who_has_more_stake_never_leads_less(stakes: list[int]) -> None:
    pairs = sorted(zip(stakes, quotas(stakes), strict=True))
    for (small, few), (large, many) in pairwise(pairs):
        assert small == large or few <= many


@given(st.integers(0, 300), st.binary(max_size=8))
def test_the_shuffle_permutes_and_hangs_on_the_seed_alone(size: int, salt: bytes) -> None:
    seed = digest(Domain.SEED, salt)
    shuffled = shuffle(range(size), seed)
    assert sorted(shuffled) == list(range(size))
    assert shuffled == shuffle(range(size), seed)


@given(SUBJECTS, SUBJECTS)
def test_exclusion_is_symmetric_and_nothing_excludes_itself(one: Subject, other: Subject) -> None:
    assert are_exclusive(one, other) == are_exclusive(other, one)
    assert not are_exclusive(one, one)


@given(st.integers(1, 10_000), st.integers(0, 10_000))
def test_patience_grows_with_barren_views_and_ends(base_ms: int, barren: int) -> None:
    params = Params()
    now, then = params.stretched_ms(base_ms, barren), params.stretched_ms(base_ms, barren + 1)
    assert base_ms <= now <= then <= max(base_ms, params.timeout_max_ms)


@given(st.lists(st.lists(SUBJECTS, min_size=1, max_size=3), max_size=4), st.data())
def test_a_journal_survives_every_cut_and_every_torn_write(
    calls: list[list[Subject]], data: st.DataObject
) -> None:
    signature = Signature(bytes(64))
    frames = [
        frame([encode_record(Vote(subject, Member(0), signature)) for subject in subjects])
        for subjects in calls
    ]
    raw = b"".join(frames)
    assert read(raw).clean_bytes == len(raw)
    torn = frame([encode_record(Certificate(_ANY, ((Member(0), signature),)))])
    keep = data.draw(st.integers(0, len(torn) - 1))
    holes = data.draw(st.sets(st.integers(0, keep)))
    tail = bytes(0 if i in holes else byte for i, byte in enumerate(torn[:keep]))
    replay = read(raw + tail)
    assert replay.clean_bytes == len(raw)
    assert len(replay.records) == sum(map(len, calls))


_ANY = Subject(VoteKind.NULLIFY, Epoch(0), View(1), View(0), Hash(bytes(32)))
