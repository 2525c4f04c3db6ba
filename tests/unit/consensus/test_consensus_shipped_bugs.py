"""Bugs that other consensus engines shipped, each shown to be absent here (spec §3.4)."""

from consensus.effects import Build, Check, Finalize, Misbehaviour
from consensus.events import Checked, Received, Verdict, WorkPending
from consensus.messages import Certificate, Proposal
from consensus.params import Params
from consensus.types import BlockRef
from ledger.primitives.scalars import View
from ledger.primitives.votes import VoteKind
from tests.support.consensus.engine_rig import EngineRig, finalize, nullify, ref
from tests.support.consensus.network import GENESIS

NOTARIZE, NULLIFY, FINALIZE = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE


def test_no_finalize_follows_a_nullify_however_often_and_late_things_are_resent() -> None:
    rig = EngineRig()
    proposal = rig.propose(1)
    rig.hear(proposal)
    rig.wait(rig.params.advance_ms)
    notarization = rig.certify(proposal.vote.subject)
    rig.hear(notarization)
    for view in range(2, 50):
        rig.hear(rig.certify(nullify(view)))
    rig.boot()
    rig.hear(notarization)
    rig.hear(proposal)
    effects = rig.wait(60_000)
    assert effects
    assert rig.voted(FINALIZE) == []
    assert not [r for r in rig.records if getattr(r, "subject", nullify(1)).kind is FINALIZE]


def test_a_proposal_may_not_skip_a_notarized_view_without_its_nullification() -> None:
    rig = EngineRig(follows=3)
    first = rig.propose(1)
    rig.hear(first)
    notarization = rig.certify(first.vote.subject)
    second = rig.propose(2, ref(first), notarization)
    rig.hear(second)
    rig.hear(rig.certify(second.vote.subject))
    assert rig.engine.view == 3
    rig.hear(rig.propose(3, ref(first), notarization))
    assert rig.voted(NOTARIZE) == []


def test_votes_for_another_digest_are_not_aggregated() -> None:
    rig = EngineRig()
    subjects = [rig.propose(1, note=b"good %d" % n).vote.subject for n in range(3)]
    effects = rig.hear_all(rig.sign(s, m) for s, m in zip(subjects, rig.others, strict=True))
    assert rig.engine.view == 1
    assert not [m for m in rig.said() if isinstance(m, Certificate)], effects


def test_a_nullify_is_retried_after_a_restart() -> None:
    rig = EngineRig()
    rig.wait(rig.params.delta_ms + rig.params.leader_ms)
    assert rig.voted(NULLIFY) == [nullify(1)]
    rig.boot()
    for _ in range(3):
        rig.wait(rig.params.retry_ms)
        assert nullify(1) in rig.voted(NULLIFY)


def test_a_block_whose_check_failed_is_never_approved() -> None:
    rig = EngineRig()
    bad = rig.propose(1, note=b"bad")
    rig.hear(bad)
    rig.hear(bad)
    rig.hear(rig.certify(bad.vote.subject))
    rig.wait(5_000)
    assert not [
        r
        for r in rig.records
        if getattr(r, "signer", None) == rig.me and r.subject.kind is not NULLIFY
    ]
    assert rig.of(Finalize) == []


def test_equivocation_is_not_forgotten_in_a_restart() -> None:
    rig = EngineRig()
    first, second = rig.propose(1), rig.propose(1, note=b"good, too")
    rig.hear(first)
    rig.hear(second)
    rig.boot()
    assert [o.proof for o in rig.of(Misbehaviour)] == [(first.vote, second.vote)]


def test_the_application_is_never_ahead_of_what_is_final() -> None:
    rig = EngineRig()
    proposal = rig.propose(1)
    rig.handle(Received(rig.leader(1), proposal))
    rig.do(Received(rig.others[0], rig.certify(finalize(proposal.vote.subject))), judged=False)
    assert rig.of(Finalize) == []
    assert rig.engine.floor.block == GENESIS
    rig.do(Checked(View(1), ref(proposal).hash, Verdict.VALID))
    assert len(rig.of(Finalize)) == 1


def test_who_does_not_lead_cannot_propose() -> None:
    rig = EngineRig()
    body = rig.propose(1)
    for imposter in [m for m in rig.others if m != rig.leader(1)]:
        vote = rig.sign(body.vote.subject, imposter)
        rig.hear(Proposal(vote, body.parent_hash, body.payload, None, ()), imposter)
        assert len(rig.of(Misbehaviour)) == 1
        assert rig.of(Check) == []


def test_finality_is_believed_by_its_certificate_alone() -> None:
    rig = EngineRig()
    proposal = rig.propose(1)
    rig.hear(proposal)
    true = rig.certify(finalize(proposal.vote.subject))
    for votes in (true.votes[:2], tuple((m, true.votes[0][1]) for m, _ in true.votes)):
        rig.hear(Certificate(true.subject, votes))
        assert len(rig.of(Misbehaviour)) == 1
        assert rig.engine.finalized_view == 0
        rig.pardon()
    rig.hear(true)
    assert rig.engine.finalized_view == 1


def test_the_backoff_is_not_reset_by_a_notarization() -> None:
    rig = EngineRig(follows=9, params=Params(heartbeat_ms=10**6))
    for view in range(1, 8):
        rig.hear(rig.certify(nullify(view)))
    eighth = rig.propose(8, nullifications=[])
    rig.hear(rig.certify(eighth.vote.subject))
    rig.hear(eighth, rig.leader(8))
    rig.do(WorkPending(rig.now_ms - 10_000))
    assert rig.engine.view == 9
    patience_ms = rig.params.stretched_ms(rig.params.leader_ms, 8)
    rig.wait(patience_ms - 1)
    assert nullify(9) not in rig.voted(NULLIFY)
    rig.wait(1)
    assert nullify(9) in rig.voted(NULLIFY)


def test_stake_decides_where_heads_would_decide_otherwise() -> None:
    # Three of four heads, but 30 of 130 of stake: no quorum.
    rig = EngineRig(stakes=(100, 10, 10, 10))
    light = [m for m in range(4) if rig.committee.stake(m) == 10]
    heavy = next(m for m in range(4) if rig.committee.stake(m) == 100)
    if rig.me == heavy:
        rig.me = light[0]
        rig.boot()
    for member in [m for m in light if m != rig.me]:
        rig.hear(rig.sign(nullify(1), member))
    rig.wait(2_000)
    assert rig.engine.view == 1
    rig.hear(rig.sign(nullify(1), heavy))
    assert rig.engine.view == 2


def test_a_leader_does_not_build_on_a_block_it_has_not_checked() -> None:
    rig = EngineRig(leads=2)
    first = rig.propose(1)
    rig.hear(rig.certify(first.vote.subject))
    assert rig.of(Build) == []
    rig.hear(first)
    assert [BlockRef(b.parent_view, b.parent_hash) for b in rig.of(Build)] == [ref(first)]
