"""When an engine signs, and when it never does (rules R3 to R6, spec §1.4).

One engine is asked; its peers are the test.
"""

from consensus.effects import Broadcast, Build, Check, Finalize, Misbehaviour, Persist, Send
from consensus.events import Checked, DeadlinePassed, Received, Verdict
from consensus.messages import Certificate, FetchCertificates, FetchProposal, Proposal, Vote
from ledger.primitives.scalars import View
from ledger.primitives.votes import VoteKind
from tests.support.consensus.lone_engine import Bench, finalize, nullify, ref
from tests.support.consensus.network import GENESIS

NOTARIZE, NULLIFY, FINALIZE = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE


# R3: notarize.


def test_a_good_proposal_is_stored_and_notarized() -> None:
    bench = Bench()
    proposal = bench.propose(1)
    bench.hear(proposal)
    assert bench.voted(NOTARIZE) == [proposal.vote.subject]
    assert [type(e) for e in bench.effects] == [Persist, Persist, Broadcast]
    assert proposal in bench.records


def test_an_invalid_block_is_nullified_and_its_leader_named() -> None:
    bench = Bench()
    bench.hear(bench.propose(1, note=b"bad"))
    assert bench.voted(NOTARIZE) == []
    assert bench.voted(NULLIFY) == [nullify(1)]
    assert bench.of(Misbehaviour)[0].member == bench.leader(1)


def test_nothing_is_notarized_before_the_verdict() -> None:
    bench = Bench()
    proposal = bench.propose(1)
    bench.handle(DeadlinePassed())
    from consensus.events import Received

    effects = bench.do(Received(bench.leader(1), proposal), judged=False)
    assert [type(e) for e in effects] == [Check]
    bench.do(Checked(View(1), ref(proposal).hash, Verdict.VALID))
    assert bench.voted(NOTARIZE) == [proposal.vote.subject]


def test_only_the_first_proposal_of_a_view_is_voted_for() -> None:
    bench = Bench()
    first, second = bench.propose(1), bench.propose(1, note=b"good, too")
    bench.hear(first)
    bench.hear(second)
    assert bench.voted(NOTARIZE) == []
    assert bench.of(Misbehaviour)[0].proof == (first.vote, second.vote)


def test_a_proposal_by_another_than_the_leader_is_an_offence() -> None:
    bench = Bench()
    proposal = bench.propose(1)
    imposter = next(m for m in bench.others if m != bench.leader(1))
    forged = Proposal(
        bench.sign(proposal.vote.subject, imposter), GENESIS.hash, proposal.payload, None, ()
    )
    bench.hear(forged, imposter)
    assert "does not lead" in bench.reasons()[0]
    assert bench.voted(NOTARIZE) == []


def test_a_proposal_with_a_wrong_signature_is_an_offence() -> None:
    bench = Bench()
    good, other = bench.propose(1), bench.propose(1, note=b"good, too")
    vote = Vote(good.vote.subject, good.vote.signer, other.vote.signature)
    bench.hear(Proposal(vote, GENESIS.hash, good.payload, None, ()))
    assert "wrong signature" in bench.reasons()[0]


def test_a_skipped_view_must_be_nullified() -> None:
    bench = Bench(follows=3)
    first = bench.propose(1)
    bench.hear(first)
    notarization = bench.certify(first.vote.subject)
    bench.hear(notarization)
    second = bench.propose(2, ref(first), notarization)
    bench.hear(bench.certify(second.vote.subject))
    # View 3's leader builds on view 1 although view 2 is notarized, and shows no nullification.
    bench.hear(bench.propose(3, ref(first), notarization))
    assert bench.voted(NOTARIZE) == []
    bench.hear(bench.certify(nullify(2)))
    assert len(bench.voted(NOTARIZE)) == 1


def test_nullifications_that_are_not_inline_are_fetched_from_the_leader() -> None:
    bench = Bench(follows=4)
    nullifications = [bench.certify(nullify(view)) for view in (1, 2, 3)]
    proposal = bench.propose(4, nullifications=nullifications[2:])
    bench.hear(proposal)
    assert bench.engine.view == 4
    asked = [e for e in bench.of(Send) if isinstance(e.message, FetchCertificates)]
    assert asked == [Send(bench.leader(4), FetchCertificates(View(1), View(2)))]
    bench.hear_all(nullifications[:2])
    assert bench.voted(NOTARIZE) == [proposal.vote.subject]


def test_a_proposal_opens_its_view_by_its_own_justification() -> None:
    bench = Bench(follows=3)
    both = [bench.certify(nullify(view)) for view in (1, 2)]
    bench.hear(bench.propose(3, nullifications=both))
    assert bench.engine.view == 3
    assert len(bench.voted(NOTARIZE)) == 1


def test_a_forged_justification_is_an_offence() -> None:
    bench = Bench(follows=2)
    good = bench.certify(nullify(1))
    forged = Certificate(nullify(1), ((good.votes[0][0], good.votes[1][1]), *good.votes[1:]))
    bench.hear(bench.propose(2, nullifications=[forged]))
    assert "signature" in bench.reasons()[0]
    assert bench.voted(NOTARIZE) == []


def test_a_proposal_that_skips_a_final_view_is_nullified() -> None:
    bench = Bench(follows=2)
    first = bench.propose(1)
    bench.hear(first)
    bench.hear(bench.certify(finalize(first.vote.subject)))
    assert bench.engine.floor.block == ref(first)
    bench.hear(bench.propose(2))
    assert bench.voted(NULLIFY) == [nullify(2)]


def test_proposals_that_contradict_themselves_are_offences() -> None:
    bench = Bench(follows=3)
    first = bench.propose(1)
    notarization = bench.certify(first.vote.subject)
    nullification = bench.certify(nullify(2))
    other = bench.certify(bench.propose(1, note=b"other").vote.subject)
    for proposal in (
        bench.propose(3, ref(first), None, [nullification]),
        bench.propose(3, ref(first), other, [nullification]),
        bench.propose(3, ref(first), bench.certify(nullify(1)), [nullification]),
        bench.propose(3, ref(first), notarization, [nullification, nullification]),
        bench.propose(3, ref(first), notarization, [notarization]),
        bench.propose(3, ref(first), notarization, [bench.certify(nullify(3))]),
    ):
        bench.hear(proposal)
        assert len(bench.reasons()) == 1
        assert bench.engine.view == 1
        bench.pardon()


def test_an_early_proposal_far_ahead_is_not_kept() -> None:
    bench = Bench()
    bench.hear(bench.propose(9))
    assert bench.effects == []
    assert bench.engine.view == 1


def test_a_parent_is_lawful_only_if_it_is_the_notarized_block_of_its_view() -> None:
    bench = Bench(follows=2)
    seen, notarized = bench.propose(1), bench.propose(1, note=b"good, too")
    bench.hear(seen)
    true = bench.certify(notarized.vote.subject)
    bench.hear(true)
    # The block is valid and here; its certificate is another's with the hash exchanged.
    forged = Certificate(seen.vote.subject, true.votes)
    bench.hear(bench.propose(2, ref(seen), forged))
    assert bench.voted(NOTARIZE) == []


# R4: nullify.


def test_a_view_without_a_proposal_is_nullified_after_two_deltas() -> None:
    bench = Bench()
    # Work has to be held for a delta before the timers start.
    bench.wait(bench.params.delta_ms + bench.params.leader_ms - 1)
    assert bench.voted(NULLIFY) == []
    bench.wait(1)
    assert bench.voted(NULLIFY) == [nullify(1)]


def test_a_view_without_a_notarization_is_nullified_after_three_deltas() -> None:
    bench = Bench()
    bench.hear(bench.propose(1))
    bench.wait(bench.params.advance_ms - 1)
    assert bench.voted(NULLIFY) == []
    bench.wait(1)
    assert bench.voted(NULLIFY) == [nullify(1)]


def test_the_leaders_own_nullify_is_followed_at_once() -> None:
    bench = Bench()
    bench.hear(bench.sign(nullify(1), bench.leader(1)))
    assert bench.voted(NULLIFY) == [nullify(1)]


def test_after_a_nullify_the_view_is_not_notarized() -> None:
    bench = Bench()
    bench.wait(800)
    assert bench.voted(NULLIFY) == [nullify(1)]
    bench.hear(bench.propose(1))
    assert bench.voted(NOTARIZE) == []


def test_an_unanswered_nullify_is_sent_again_as_it_is() -> None:
    bench = Bench()
    bench.wait(800)
    (vote,) = [m for m in bench.said() if isinstance(m, Vote)]
    bench.wait(bench.params.retry_ms)
    assert bench.said().count(vote) == 1


def test_activity_above_a_third_starts_the_timers_of_an_idle_validator() -> None:
    bench = Bench(work=False)
    (one, two) = [m for m in bench.others if m != bench.leader(1)][:2]
    bench.hear(bench.sign(nullify(1), one))
    bench.wait(2_000)
    assert bench.voted(NULLIFY) == []
    bench.hear(bench.sign(nullify(1), two))
    bench.wait(bench.params.leader_ms)
    assert bench.voted(NULLIFY) == [nullify(1)]


# R5: finalize.


def test_a_notarized_valid_block_is_voted_final_after_the_view_is_left() -> None:
    bench = Bench()
    proposal = bench.propose(1)
    bench.hear(bench.certify(proposal.vote.subject))
    assert bench.voted(FINALIZE) == []
    bench.hear(proposal)
    assert bench.engine.view == 2
    assert bench.voted(FINALIZE) == [finalize(proposal.vote.subject)]
    order = [type(effect) for effect in bench.effects]
    assert order.index(Broadcast) > max(i for i, kind in enumerate(order) if kind is Persist)
    assert proposal in bench.records


def test_after_a_nullify_the_view_is_never_voted_final() -> None:
    bench = Bench()
    proposal = bench.propose(1)
    bench.hear(proposal)
    bench.wait(bench.params.advance_ms)
    assert bench.voted(NULLIFY) == [nullify(1)]
    bench.hear(bench.certify(proposal.vote.subject))
    assert bench.voted(FINALIZE) == []


def test_a_quorum_of_finalize_votes_makes_the_block_final() -> None:
    bench = Bench()
    proposal = bench.propose(1)
    bench.hear(proposal)
    bench.hear(bench.certify(proposal.vote.subject))
    bench.hear_all(bench.votes(finalize(proposal.vote.subject), 2))
    (final,) = bench.of(Finalize)
    assert final.finalization.subject == finalize(proposal.vote.subject)
    assert bench.engine.floor.block == ref(proposal)


def test_an_equivocating_leaders_view_is_never_voted_final() -> None:
    bench = Bench()
    first, second = bench.propose(1), bench.propose(1, note=b"good, too")
    bench.hear(first)
    bench.hear(second)
    bench.hear(bench.certify(first.vote.subject))
    assert bench.voted(FINALIZE) == []


def test_equivocation_that_shows_after_the_view_is_left_forbids_finality_all_the_same() -> None:
    bench = Bench()
    first, second = bench.propose(1), bench.propose(1, note=b"good, too")
    bench.hear(second.vote)
    bench.hear(bench.certify(first.vote.subject))
    assert len(bench.of(Misbehaviour)) == 1
    bench.hear(first)
    bench.wait(bench.params.delta_ms)
    bench.hear(first)
    assert bench.engine.view == 2
    assert bench.engine.snapshot().is_valid(ref(first))
    assert bench.voted(FINALIZE) == []


def test_a_block_not_voted_for_is_durable_before_it_is_voted_final() -> None:
    bench = Bench(follows=4)
    proposal = bench.propose(4, nullifications=[bench.certify(nullify(3))])
    bench.hear(proposal)
    assert bench.voted(NOTARIZE) == []
    assert proposal not in bench.records
    bench.hear(bench.certify(proposal.vote.subject))
    assert bench.voted(FINALIZE) == [finalize(proposal.vote.subject)]
    assert proposal in bench.records


# R6: conflict.


def test_a_view_with_a_certificate_for_another_block_is_not_voted_final() -> None:
    bench = Bench()
    mine, theirs = bench.propose(1), bench.propose(1, note=b"theirs")
    bench.do(Received(bench.leader(1), mine), judged=False)
    bench.hear(bench.certify(theirs.vote.subject))
    request = FetchProposal(View(1), ref(theirs).hash)
    asked = [e.to for e in bench.wait(400) if isinstance(e, Send) and e.message == request]
    assert asked[0] == bench.leader(1)
    bench.hear(theirs, asked[1])
    assert theirs in bench.records
    assert bench.voted(FINALIZE) == []


def test_a_certificate_overrides_the_local_proposal_and_is_built_on() -> None:
    bench = Bench(leads=2)
    mine, theirs = bench.propose(1), bench.propose(1, note=b"theirs")
    bench.hear(mine)
    bench.hear(bench.certify(theirs.vote.subject))
    request = FetchProposal(View(1), ref(theirs).hash)
    asked = [e.to for e in bench.wait(200) if isinstance(e, Send) and e.message == request]
    bench.hear(theirs, asked[0])
    assert bench.voted(FINALIZE) == []
    assert [(b.parent_view, b.parent_hash) for b in bench.of(Build)] == [(1, ref(theirs).hash)]
