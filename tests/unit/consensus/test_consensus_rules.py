"""Entering, leading, sharing and waiting (rules R1, R2 and R7 to R10, spec §1.4).

One engine is asked, whose peers are the test. When it signs is told by `test_consensus_voting`.
"""

from itertools import pairwise

from consensus.effects import Broadcast, Build, Effect, Persist, Send
from consensus.events import Built, Received, WorkPending
from consensus.messages import Certificate, FetchCertificates, FetchView, Message, Proposal, Subject
from consensus.params import Params
from ledger.primitives.scalars import View
from ledger.primitives.votes import VoteKind
from tests.support.consensus.engine_rig import EngineRig, finalize, nullify, ref
from tests.support.consensus.network import EPOCH, GENESIS, make_block

NOTARIZE, NULLIFY, FINALIZE = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE


# R1: enter.


def test_a_notarization_opens_the_next_view() -> None:
    rig = EngineRig()
    rig.hear(rig.certify(rig.propose(1).vote.subject))
    assert rig.engine.view == 2


def test_a_nullification_opens_the_next_view() -> None:
    rig = EngineRig()
    rig.hear(rig.certify(nullify(1)))
    assert rig.engine.view == 2


def test_any_higher_certificate_is_followed_and_a_lower_one_never() -> None:
    rig = EngineRig()
    rig.hear(rig.certify(nullify(700)))
    assert rig.engine.view == 701
    rig.hear(rig.certify(nullify(5)))
    assert rig.engine.view == 701


# R2: propose.


def test_the_leader_asks_for_a_block_and_proposes_it() -> None:
    rig = EngineRig(leads=1)
    assert rig.of(Build) == [Build(View(1), GENESIS.view, GENESIS.hash)]
    rig.do(Built(View(1), make_block(View(1), GENESIS, b"good")))
    (sent,) = rig.of(Broadcast)
    assert isinstance(sent.message, Proposal)
    assert sent.message.parent is None
    # The proposal and its vote are durable before they leave.
    assert [type(effect) for effect in rig.effects] == [Persist, Persist, Broadcast]


def test_a_build_that_fails_gives_the_view_up_at_once() -> None:
    rig = EngineRig(leads=1)
    rig.do(Built(View(1), None))
    assert rig.voted(NULLIFY) == [nullify(1)]


def test_the_parent_is_the_highest_notarized_view_under_nullified_ones() -> None:
    rig = EngineRig(leads=4)
    first = rig.propose(1)
    rig.hear(first)
    notarization = rig.certify(first.vote.subject)
    rig.hear(notarization)
    rig.hear_all([rig.certify(nullify(2)), rig.certify(nullify(3))])
    (build,) = rig.of(Build)
    assert (build.parent_view, build.parent_hash) == (1, ref(first).hash)
    rig.do(Built(View(4), make_block(View(4), ref(first), b"good")))
    (proposal,) = [m for m in rig.said() if isinstance(m, Proposal)]
    assert proposal.parent == notarization
    assert [c.subject for c in proposal.nullifications] == [nullify(2), nullify(3)]


def test_a_leader_fetches_the_certificates_that_hide_its_parent() -> None:
    rig = EngineRig(leads=4)
    rig.hear(rig.certify(nullify(3)))
    assert rig.of(Build) == []
    assert FetchCertificates(View(1), View(2)) in rig.said()
    rig.hear_all([rig.certify(nullify(1)), rig.certify(nullify(2))])
    assert rig.of(Build) == [Build(View(4), GENESIS.view, GENESIS.hash)]


def test_a_block_built_too_late_is_not_proposed() -> None:
    rig = EngineRig(leads=1)
    rig.hear(rig.certify(nullify(1)))
    rig.do(Built(View(1), make_block(View(1), GENESIS, b"good")))
    assert not [m for m in rig.said() if isinstance(m, Proposal)]


# R7: certificates.


def test_a_formed_certificate_goes_to_the_next_leader_at_once_and_late_to_the_lost() -> None:
    rig = EngineRig()
    rig.hear_all(rig.votes(nullify(1)))
    pushed = [e.to for e in rig.of(Send) if isinstance(e.message, Certificate)]
    assert pushed == [m for m in [rig.leader(2)] if m != rig.me]
    ahead = next(m for m in rig.others)
    rig.hear(rig.sign(nullify(2), ahead))
    rig.wait(rig.params.delta_ms // 2)
    shared = [e.to for e in rig.of(Send) if isinstance(e.message, Certificate)]
    assert shared == [m for m in rig.others if m != ahead]


def test_one_who_repeats_a_vote_is_told_its_outcome_once_a_delta() -> None:
    rig = EngineRig()
    votes = rig.votes(nullify(1))
    rig.hear_all(votes)
    rig.hear(votes[0])
    assert [e.to for e in rig.of(Send)] == [votes[0].signer]
    rig.hear(votes[0])
    assert rig.of(Send) == []


# R8: late notarization.


def test_a_notarization_after_ones_own_nullify_is_still_a_parent() -> None:
    rig = EngineRig(leads=2)
    proposal = rig.propose(1)
    rig.hear(proposal)
    rig.wait(rig.params.advance_ms)
    assert rig.voted(NULLIFY) == [nullify(1)]
    rig.hear(rig.certify(proposal.vote.subject))
    assert [(b.parent_view, b.parent_hash) for b in rig.of(Build)] == [(1, ref(proposal).hash)]


# R9: inactive leaders.


def silent_leader(rig: EngineRig, chatty: int) -> list[Subject]:
    """Let twelve seconds and five views pass in which the leader of the sixth is silent."""
    awake = [m for m in rig.others if m != rig.leader(6)][:chatty]
    skipped = []
    for view in range(1, 6):
        rig.now_ms += 2_500
        for member in awake:
            rig.hear(rig.sign(nullify(view), member))
            skipped += rig.voted(NULLIFY)
        rig.hear(rig.certify(nullify(view)), awake[0])
        skipped += rig.voted(NULLIFY)
    assert rig.engine.view == 6
    return skipped


def test_a_silent_leader_gets_no_time_while_a_quorum_is_awake() -> None:
    rig = EngineRig(follows=6)
    assert nullify(6) in silent_leader(rig, chatty=2)


def test_a_leader_that_only_asks_gets_no_time_either() -> None:
    rig = EngineRig(follows=6)
    hear, silent = rig.hear, rig.leader(6)

    def hear_beside_questions(message: Message, sender: int | None = None) -> list[Effect]:
        rig.do(Received(silent, FetchView(EPOCH)))
        return hear(message, sender)

    rig.hear = hear_beside_questions  # type: ignore[method-assign]  # Of this rig alone.
    assert nullify(6) in silent_leader(rig, chatty=2)


def test_after_a_long_silence_of_all_the_leader_gets_its_time() -> None:
    rig = EngineRig(stakes=(1, 1, 1, 1, 1, 1, 1), params=Params(heartbeat_ms=10**6), work=False)
    rig.wait(60_000)
    rig.do(WorkPending(rig.now_ms - 1_000))
    awake = [m for m in rig.others if m != rig.leader(1)]
    request = FetchCertificates(View(1), View(1))
    effects = [effect for member in awake for effect in rig.hear(request, member)]
    assert effects + rig.wait(rig.params.leader_ms - 1) == []
    rig.wait(1)
    assert rig.voted(VoteKind.NULLIFY) == [nullify(1)], "its time began with the quorum"


def test_without_an_awake_quorum_the_leader_gets_its_time() -> None:
    rig = EngineRig(stakes=(1, 1, 1, 1, 1, 1, 1), follows=6)
    assert nullify(6) not in silent_leader(rig, chatty=2)


# R10: standstill.


def test_without_finality_own_votes_are_resent_at_doubling_intervals() -> None:
    rig = EngineRig(params=Params(heartbeat_ms=500_000))
    proposal = rig.propose(1)
    rig.hear(proposal)
    rig.do(WorkPending(None))
    rig.hear(rig.certify(proposal.vote.subject))
    own = finalize(proposal.vote.subject)
    times = []
    for _ in range(300):
        rig.wait(100)
        times += [rig.now_ms] * rig.voted(FINALIZE).count(own)
    gaps = [b - a for a, b in pairwise(times)]
    assert gaps == [4_000, 8_000, 16_000]
    assert len(rig.records) == len({repr(r) for r in rig.records}), "nothing is signed twice"
