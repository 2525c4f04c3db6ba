"""When an engine signs, and when it never does (rules R3 to R6, spec §1.4).

One engine is asked; its peers are the test.
"""

from consensus.effects import Broadcast, Build, Check, Finalize, Misbehaviour, Persist, Send
from consensus.events import Checked, DeadlinePassed, Received, Verdict
from consensus.messages import Certificate, FetchCertificates, FetchProposal, Proposal, Vote
from ledger.primitives.scalars import View
from ledger.primitives.votes import VoteKind
from tests.support.consensus.engine_rig import EngineRig, finalize, nullify, ref
from tests.support.consensus.network import GENESIS

NOTARIZE, NULLIFY, FINALIZE = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE


# R3: notarize.


def test_a_good_proposal_is_stored_and_notarized() -> None:
    rig = EngineRig()
    proposal = rig.propose(1)
    rig.hear(proposal)
    assert rig.voted(NOTARIZE) == [proposal.vote.subject]
    assert [type(e) for e in rig.effects] == [Persist, Persist, Broadcast]
    assert proposal in rig.records


def test_an_invalid_block_is_nullified_and_its_leader_named() -> None:
    rig = EngineRig()
    rig.hear(rig.propose(1, note=b"bad"))
    assert rig.voted(NOTARIZE) == []
    assert rig.voted(NULLIFY) == [nullify(1)]
    assert rig.of(Misbehaviour)[0].member == rig.leader(1)


def test_nothing_is_notarized_before_the_verdict() -> None:
    rig = EngineRig()
    proposal = rig.propose(1)
    rig.handle(DeadlinePassed())
    from consensus.events import Received

    effects = rig.do(Received(rig.leader(1), proposal), judged=False)
    assert [type(e) for e in effects] == [Check]
    rig.do(Checked(View(1), ref(proposal).hash, Verdict.VALID))
    assert rig.voted(NOTARIZE) == [proposal.vote.subject]


def test_only_the_first_proposal_of_a_view_is_voted_for() -> None:
    rig = EngineRig()
    first, second = rig.propose(1), rig.propose(1, note=b"good, too")
    rig.hear(first)
    rig.hear(second)
    assert rig.voted(NOTARIZE) == []
    assert rig.of(Misbehaviour)[0].proof == (first.vote, second.vote)


def test_a_proposal_by_another_than_the_leader_is_an_offence() -> None:
    rig = EngineRig()
    proposal = rig.propose(1)
    imposter = next(m for m in rig.others if m != rig.leader(1))
    forged = Proposal(
        rig.sign(proposal.vote.subject, imposter), GENESIS.hash, proposal.payload, None, ()
    )
    rig.hear(forged, imposter)
    assert "does not lead" in rig.reasons()[0]
    assert rig.voted(NOTARIZE) == []


def test_a_proposal_with_a_wrong_signature_is_an_offence() -> None:
    rig = EngineRig()
    good, other = rig.propose(1), rig.propose(1, note=b"good, too")
    vote = Vote(good.vote.subject, good.vote.signer, other.vote.signature)
    rig.hear(Proposal(vote, GENESIS.hash, good.payload, None, ()))
    assert "wrong signature" in rig.reasons()[0]


def test_a_skipped_view_must_be_nullified() -> None:
    rig = EngineRig(follows=3)
    first = rig.propose(1)
    rig.hear(first)
    notarization = rig.certify(first.vote.subject)
    rig.hear(notarization)
    second = rig.propose(2, ref(first), notarization)
    rig.hear(rig.certify(second.vote.subject))
    # View 3's leader builds on view 1 although view 2 is notarized, and shows no nullification.
    rig.hear(rig.propose(3, ref(first), notarization))
    assert rig.voted(NOTARIZE) == []
    rig.hear(rig.certify(nullify(2)))
    assert len(rig.voted(NOTARIZE)) == 1


def test_nullifications_that_are_not_inline_are_fetched_from_the_leader() -> None:
    rig = EngineRig(follows=4)
    nullifications = [rig.certify(nullify(view)) for view in (1, 2, 3)]
    proposal = rig.propose(4, nullifications=nullifications[2:])
    rig.hear(proposal)
    assert rig.engine.view == 4
    asked = [e for e in rig.of(Send) if isinstance(e.message, FetchCertificates)]
    assert asked == [Send(rig.leader(4), FetchCertificates(View(1), View(2)))]
    rig.hear_all(nullifications[:2])
    assert rig.voted(NOTARIZE) == [proposal.vote.subject]


def test_a_proposal_opens_its_view_by_its_own_justification() -> None:
    rig = EngineRig(follows=3)
    both = [rig.certify(nullify(view)) for view in (1, 2)]
    rig.hear(rig.propose(3, nullifications=both))
    assert rig.engine.view == 3
    assert len(rig.voted(NOTARIZE)) == 1


def test_a_forged_justification_is_an_offence() -> None:
    rig = EngineRig(follows=2)
    good = rig.certify(nullify(1))
    forged = Certificate(nullify(1), ((good.votes[0][0], good.votes[1][1]), *good.votes[1:]))
    rig.hear(rig.propose(2, nullifications=[forged]))
    assert "signature" in rig.reasons()[0]
    assert rig.voted(NOTARIZE) == []


def test_a_proposal_that_skips_a_final_view_is_nullified() -> None:
    rig = EngineRig(follows=2)
    first = rig.propose(1)
    rig.hear(first)
    rig.hear(rig.certify(finalize(first.vote.subject)))
    assert rig.engine.floor.block == ref(first)
    rig.hear(rig.propose(2))
    assert rig.voted(NULLIFY) == [nullify(2)]


def test_proposals_that_contradict_themselves_are_offences() -> None:
    rig = EngineRig(follows=3)
    first = rig.propose(1)
    notarization = rig.certify(first.vote.subject)
    nullification = rig.certify(nullify(2))
    other = rig.certify(rig.propose(1, note=b"other").vote.subject)
    for proposal in (
        rig.propose(3, ref(first), None, [nullification]),
        rig.propose(3, ref(first), other, [nullification]),
        rig.propose(3, ref(first), rig.certify(nullify(1)), [nullification]),
        rig.propose(3, ref(first), notarization, [nullification, nullification]),
        rig.propose(3, ref(first), notarization, [notarization]),
        rig.propose(3, ref(first), notarization, [rig.certify(nullify(3))]),
    ):
        rig.hear(proposal)
        assert len(rig.reasons()) == 1
        assert rig.engine.view == 1
        rig.pardon()


def test_an_early_proposal_far_ahead_is_not_kept() -> None:
    rig = EngineRig()
    rig.hear(rig.propose(9))
    assert rig.effects == []
    assert rig.engine.view == 1


def test_a_parent_is_lawful_only_if_it_is_the_notarized_block_of_its_view() -> None:
    rig = EngineRig(follows=2)
    seen, notarized = rig.propose(1), rig.propose(1, note=b"good, too")
    rig.hear(seen)
    true = rig.certify(notarized.vote.subject)
    rig.hear(true)
    # The block is valid and here; its certificate is another's with the hash exchanged.
    forged = Certificate(seen.vote.subject, true.votes)
    rig.hear(rig.propose(2, ref(seen), forged))
    assert rig.voted(NOTARIZE) == []


# R4: nullify.


def test_a_view_without_a_proposal_is_nullified_after_two_deltas() -> None:
    rig = EngineRig()
    # Work has to be held for a delta before the timers start.
    rig.wait(rig.params.delta_ms + rig.params.leader_ms - 1)
    assert rig.voted(NULLIFY) == []
    rig.wait(1)
    assert rig.voted(NULLIFY) == [nullify(1)]


def test_a_view_without_a_notarization_is_nullified_after_three_deltas() -> None:
    rig = EngineRig()
    rig.hear(rig.propose(1))
    rig.wait(rig.params.advance_ms - 1)
    assert rig.voted(NULLIFY) == []
    rig.wait(1)
    assert rig.voted(NULLIFY) == [nullify(1)]


def test_the_leaders_own_nullify_is_followed_at_once() -> None:
    rig = EngineRig()
    rig.hear(rig.sign(nullify(1), rig.leader(1)))
    assert rig.voted(NULLIFY) == [nullify(1)]


def test_after_a_nullify_the_view_is_not_notarized() -> None:
    rig = EngineRig()
    rig.wait(800)
    assert rig.voted(NULLIFY) == [nullify(1)]
    rig.hear(rig.propose(1))
    assert rig.voted(NOTARIZE) == []


def test_an_unanswered_nullify_is_sent_again_as_it_is() -> None:
    rig = EngineRig()
    rig.wait(800)
    (vote,) = [m for m in rig.said() if isinstance(m, Vote)]
    rig.wait(rig.params.retry_ms)
    assert rig.said().count(vote) == 1


def test_activity_above_a_third_starts_the_timers_of_an_idle_validator() -> None:
    rig = EngineRig(work=False)
    (one, two) = [m for m in rig.others if m != rig.leader(1)][:2]
    rig.hear(rig.sign(nullify(1), one))
    rig.wait(2_000)
    assert rig.voted(NULLIFY) == []
    rig.hear(rig.sign(nullify(1), two))
    rig.wait(rig.params.leader_ms)
    assert rig.voted(NULLIFY) == [nullify(1)]


# R5: finalize.


def test_a_notarized_valid_block_is_voted_final_after_the_view_is_left() -> None:
    rig = EngineRig()
    proposal = rig.propose(1)
    rig.hear(rig.certify(proposal.vote.subject))
    assert rig.voted(FINALIZE) == []
    rig.hear(proposal)
    assert rig.engine.view == 2
    assert rig.voted(FINALIZE) == [finalize(proposal.vote.subject)]
    order = [type(effect) for effect in rig.effects]
    assert order.index(Broadcast) > max(i for i, kind in enumerate(order) if kind is Persist)
    assert proposal in rig.records


def test_after_a_nullify_the_view_is_never_voted_final() -> None:
    rig = EngineRig()
    proposal = rig.propose(1)
    rig.hear(proposal)
    rig.wait(rig.params.advance_ms)
    assert rig.voted(NULLIFY) == [nullify(1)]
    rig.hear(rig.certify(proposal.vote.subject))
    assert rig.voted(FINALIZE) == []


def test_a_quorum_of_finalize_votes_makes_the_block_final() -> None:
    rig = EngineRig()
    proposal = rig.propose(1)
    rig.hear(proposal)
    rig.hear(rig.certify(proposal.vote.subject))
    rig.hear_all(rig.votes(finalize(proposal.vote.subject), 2))
    (final,) = rig.of(Finalize)
    assert final.finalization.subject == finalize(proposal.vote.subject)
    assert rig.engine.floor.block == ref(proposal)


def test_an_equivocating_leaders_view_is_never_voted_final() -> None:
    rig = EngineRig()
    first, second = rig.propose(1), rig.propose(1, note=b"good, too")
    rig.hear(first)
    rig.hear(second)
    rig.hear(rig.certify(first.vote.subject))
    assert rig.voted(FINALIZE) == []


def test_equivocation_that_shows_after_the_view_is_left_forbids_finality_all_the_same() -> None:
    rig = EngineRig()
    first, second = rig.propose(1), rig.propose(1, note=b"good, too")
    rig.hear(second.vote)
    rig.hear(rig.certify(first.vote.subject))
    assert len(rig.of(Misbehaviour)) == 1
    rig.hear(first)
    rig.wait(rig.params.delta_ms)
    rig.hear(first)
    assert rig.engine.view == 2
    assert rig.engine.snapshot().is_valid(ref(first))
    assert rig.voted(FINALIZE) == []


def test_a_block_not_voted_for_is_durable_before_it_is_voted_final() -> None:
    rig = EngineRig(follows=4)
    proposal = rig.propose(4, nullifications=[rig.certify(nullify(3))])
    rig.hear(proposal)
    assert rig.voted(NOTARIZE) == []
    assert proposal not in rig.records
    rig.hear(rig.certify(proposal.vote.subject))
    assert rig.voted(FINALIZE) == [finalize(proposal.vote.subject)]
    assert proposal in rig.records


# R6: conflict.


def test_a_view_with_a_certificate_for_another_block_is_not_voted_final() -> None:
    rig = EngineRig()
    mine, theirs = rig.propose(1), rig.propose(1, note=b"theirs")
    rig.do(Received(rig.leader(1), mine), judged=False)
    rig.hear(rig.certify(theirs.vote.subject))
    request = FetchProposal(View(1), ref(theirs).hash)
    asked = [e.to for e in rig.wait(400) if isinstance(e, Send) and e.message == request]
    assert asked[0] == rig.leader(1)
    rig.hear(theirs, asked[1])
    assert theirs in rig.records
    assert rig.voted(FINALIZE) == []


def test_a_certificate_overrides_the_local_proposal_and_is_built_on() -> None:
    rig = EngineRig(leads=2)
    mine, theirs = rig.propose(1), rig.propose(1, note=b"theirs")
    rig.hear(mine)
    rig.hear(rig.certify(theirs.vote.subject))
    request = FetchProposal(View(1), ref(theirs).hash)
    asked = [e.to for e in rig.wait(200) if isinstance(e, Send) and e.message == request]
    rig.hear(theirs, asked[0])
    assert rig.voted(FINALIZE) == []
    assert [(b.parent_view, b.parent_hash) for b in rig.of(Build)] == [(1, ref(theirs).hash)]
