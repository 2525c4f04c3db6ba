"""Bugs that other consensus engines shipped, each shown to be absent here (spec §3.4)."""

from consensus.effects import Build, Check, Finalize, Misbehaviour
from consensus.events import Checked, Received, Verdict, WorkPending
from consensus.messages import Certificate, Proposal
from consensus.params import Params
from consensus.types import BlockRef
from ledger.primitives.scalars import View
from ledger.primitives.votes import VoteKind
from tests.support.consensus.lone_engine import Bench, finalize, nullify, ref
from tests.support.consensus.network import GENESIS

NOTARIZE, NULLIFY, FINALIZE = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE


def test_no_finalize_follows_a_nullify_however_often_and_late_things_are_resent() -> None:
    bench = Bench()
    proposal = bench.propose(1)
    bench.hear(proposal)
    bench.wait(bench.params.advance_ms)
    notarization = bench.certify(proposal.vote.subject)
    bench.hear(notarization)
    for view in range(2, 50):
        bench.hear(bench.certify(nullify(view)))
    bench.boot()
    bench.hear(notarization)
    bench.hear(proposal)
    effects = bench.wait(60_000)
    assert effects
    assert bench.voted(FINALIZE) == []
    assert not [r for r in bench.records if getattr(r, "subject", nullify(1)).kind is FINALIZE]


def test_a_proposal_may_not_skip_a_notarized_view_without_its_nullification() -> None:
    bench = Bench(follows=3)
    first = bench.propose(1)
    bench.hear(first)
    notarization = bench.certify(first.vote.subject)
    second = bench.propose(2, ref(first), notarization)
    bench.hear(second)
    bench.hear(bench.certify(second.vote.subject))
    assert bench.engine.view == 3
    bench.hear(bench.propose(3, ref(first), notarization))
    assert bench.voted(NOTARIZE) == []


def test_votes_for_another_digest_are_not_aggregated() -> None:
    bench = Bench()
    subjects = [bench.propose(1, note=b"good %d" % n).vote.subject for n in range(3)]
    effects = bench.hear_all(bench.sign(s, m) for s, m in zip(subjects, bench.others, strict=True))
    assert bench.engine.view == 1
    assert not [m for m in bench.said() if isinstance(m, Certificate)], effects


def test_a_nullify_is_retried_after_a_restart() -> None:
    bench = Bench()
    bench.wait(bench.params.delta_ms + bench.params.leader_ms)
    assert bench.voted(NULLIFY) == [nullify(1)]
    bench.boot()
    for _ in range(3):
        bench.wait(bench.params.retry_ms)
        assert nullify(1) in bench.voted(NULLIFY)


def test_a_block_whose_check_failed_is_never_approved() -> None:
    bench = Bench()
    bad = bench.propose(1, note=b"bad")
    bench.hear(bad)
    bench.hear(bad)
    bench.hear(bench.certify(bad.vote.subject))
    bench.wait(5_000)
    assert not [
        r
        for r in bench.records
        if getattr(r, "signer", None) == bench.me and r.subject.kind is not NULLIFY
    ]
    assert bench.of(Finalize) == []


def test_equivocation_is_not_forgotten_in_a_restart() -> None:
    bench = Bench()
    first, second = bench.propose(1), bench.propose(1, note=b"good, too")
    bench.hear(first)
    bench.hear(second)
    bench.boot()
    assert [o.proof for o in bench.of(Misbehaviour)] == [(first.vote, second.vote)]


def test_the_application_is_never_ahead_of_what_is_final() -> None:
    bench = Bench()
    proposal = bench.propose(1)
    bench.handle(Received(bench.leader(1), proposal))
    bench.do(
        Received(bench.others[0], bench.certify(finalize(proposal.vote.subject))), judged=False
    )
    assert bench.of(Finalize) == []
    assert bench.engine.floor.block == GENESIS
    bench.do(Checked(View(1), ref(proposal).hash, Verdict.VALID))
    assert len(bench.of(Finalize)) == 1


def test_who_does_not_lead_cannot_propose() -> None:
    bench = Bench()
    body = bench.propose(1)
    for imposter in [m for m in bench.others if m != bench.leader(1)]:
        vote = bench.sign(body.vote.subject, imposter)
        bench.hear(Proposal(vote, body.parent_hash, body.payload, None, ()), imposter)
        assert len(bench.of(Misbehaviour)) == 1
        assert bench.of(Check) == []


def test_finality_is_believed_by_its_certificate_alone() -> None:
    bench = Bench()
    proposal = bench.propose(1)
    bench.hear(proposal)
    true = bench.certify(finalize(proposal.vote.subject))
    for votes in (true.votes[:2], tuple((m, true.votes[0][1]) for m, _ in true.votes)):
        bench.hear(Certificate(true.subject, votes))
        assert len(bench.of(Misbehaviour)) == 1
        assert bench.engine.finalized_view == 0
        bench.pardon()
    bench.hear(true)
    assert bench.engine.finalized_view == 1


def test_the_backoff_is_not_reset_by_a_notarization() -> None:
    bench = Bench(follows=9, params=Params(heartbeat_ms=10**6))
    for view in range(1, 8):
        bench.hear(bench.certify(nullify(view)))
    eighth = bench.propose(8, nullifications=[])
    bench.hear(bench.certify(eighth.vote.subject))
    bench.hear(eighth, bench.leader(8))
    bench.do(WorkPending(bench.now_ms - 10_000))
    assert bench.engine.view == 9
    patience_ms = bench.params.stretched_ms(bench.params.leader_ms, 8)
    bench.wait(patience_ms - 1)
    assert nullify(9) not in bench.voted(NULLIFY)
    bench.wait(1)
    assert nullify(9) in bench.voted(NULLIFY)


def test_stake_decides_where_heads_would_decide_otherwise() -> None:
    # Three of four heads, but 30 of 130 of stake: no quorum.
    bench = Bench(stakes=(100, 10, 10, 10))
    light = [m for m in range(4) if bench.committee.stake(m) == 10]
    heavy = next(m for m in range(4) if bench.committee.stake(m) == 100)
    if bench.me == heavy:
        bench.me = light[0]
        bench.boot()
    for member in [m for m in light if m != bench.me]:
        bench.hear(bench.sign(nullify(1), member))
    bench.wait(2_000)
    assert bench.engine.view == 1
    bench.hear(bench.sign(nullify(1), heavy))
    assert bench.engine.view == 2


def test_a_leader_does_not_build_on_a_block_it_has_not_checked() -> None:
    bench = Bench(leads=2)
    first = bench.propose(1)
    bench.hear(bench.certify(first.vote.subject))
    assert bench.of(Build) == []
    bench.hear(first)
    assert [BlockRef(b.parent_view, b.parent_hash) for b in bench.of(Build)] == [ref(first)]
