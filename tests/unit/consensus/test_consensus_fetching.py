"""Asking for bodies and certificates, and answering those who ask (spec §1.8)."""

import pytest

from consensus.effects import Behind, Check, Effect, Finalize, Misbehaviour, Send
from consensus.events import Checked, Received, Verdict
from consensus.messages import Certificate, FetchCertificates, FetchProposal, Proposal
from consensus.params import (
    ANCESTORS_FETCHED_MAX,
    ANSWER_BYTES,
    ANSWERS_MAX,
    FETCH_TRIES_MAX,
    PROPOSAL_COST,
    PROPOSALS_KEPT,
)
from ledger.primitives.scalars import View
from ledger.primitives.votes import VoteKind
from tests.support.consensus.lone_engine import Bench, finalize, nullify, ref
from tests.support.consensus.network import GENESIS


def build_chain(bench: Bench, length: int) -> list[Proposal]:
    """Make a chain of proposals, each on the one before."""
    chain: list[Proposal] = []
    for view in range(1, length + 1):
        parent = chain[-1] if chain else None
        certificate = bench.certify(parent.vote.subject) if parent else None
        chain.append(bench.propose(view, ref(parent) if parent else GENESIS, certificate))
    return chain


def fetches(effects: list[Effect]) -> list[Send]:
    """List the requests for bodies among effects."""
    sends = [effect for effect in effects if isinstance(effect, Send)]
    return [send for send in sends if isinstance(send.message, FetchProposal)]


def answer_from(bench: Bench, chain: list[Proposal], effects: list[Effect]) -> list[Effect]:
    """Answer requests from the chain until none is made; give all effects on the way."""
    seen = list(effects)
    while requests := fetches(effects):
        (send,) = requests
        assert isinstance(send.message, FetchProposal)
        effects = bench.hear(chain[send.message.view - 1], send.to)
        seen += effects
    return seen


def test_missing_ancestors_of_a_final_block_are_fetched_backwards_and_applied() -> None:
    bench = Bench()
    chain = build_chain(bench, 5)
    bench.hear(bench.certify(finalize(chain[-1].vote.subject)))
    seen = answer_from(bench, chain, bench.wait(150))
    views = [send.message.view for send in fetches(seen)]
    assert views == [5, 4, 3, 2, 1]
    assert len([e for e in seen if isinstance(e, Finalize)]) == 1
    assert bench.engine.floor.block == ref(chain[-1])


def test_when_nobody_answers_block_sync_is_asked() -> None:
    bench = Bench()
    (block,) = build_chain(bench, 1)
    bench.hear(bench.certify(finalize(block.vote.subject)))
    effects = bench.wait(10_000)
    assert len(fetches(effects)) == FETCH_TRIES_MAX
    assert [e for e in effects if isinstance(e, Behind)]


def test_an_ancestry_that_is_too_long_is_left_to_block_sync() -> None:
    bench = Bench()
    chain = build_chain(bench, 20)
    bench.hear(bench.certify(finalize(chain[-1].vote.subject)))
    seen = answer_from(bench, chain, bench.wait(150))
    assert len(fetches(seen)) == ANCESTORS_FETCHED_MAX
    assert len([e for e in seen if isinstance(e, Behind)]) == 1


def test_a_body_that_is_not_the_certified_blocks_is_dropped_and_asked_of_the_next() -> None:
    bench = Bench()
    (block,) = build_chain(bench, 1)
    bench.hear(bench.certify(finalize(block.vote.subject)))
    (send,) = fetches(bench.wait(150))
    bogus = Proposal(block.vote, block.parent_hash, bench.propose(1, note=b"x").payload, None, ())
    bench.hear(bogus, send.to)
    assert bench.of(Misbehaviour)[0].member == send.to
    assert fetches(bench.effects) == []
    (again,) = fetches(bench.wait(250))
    assert again.message == send.message
    assert again.to != send.to
    bench.hear(block, again.to)
    assert len(bench.of(Finalize)) == 1


def test_who_signed_the_certificate_is_asked_before_who_did_not() -> None:
    bench = Bench(stakes=(1,) * 10)
    (block,) = build_chain(bench, 1)
    signers = [bench.leader(1), *[m for m in bench.others if m != bench.leader(1)]][:7]
    bench.hear(bench.certify(finalize(block.vote.subject), signers))
    asked = [send.to for send in fetches(bench.wait(10_000))]
    assert len(set(asked)) == FETCH_TRIES_MAX
    assert set(asked) < set(signers)


def test_bodies_that_nobody_asked_for_are_not_taken_from_others_than_their_leader() -> None:
    bench = Bench()
    (block,) = build_chain(bench, 1)
    bench.hear(block, next(m for m in bench.others if m != bench.leader(1)))
    assert bench.effects == []


def test_held_proposals_and_certificates_are_served() -> None:
    bench = Bench()
    proposal = bench.propose(1)
    bench.hear(proposal)
    notarization, nullification = bench.certify(proposal.vote.subject), bench.certify(nullify(2))
    bench.hear_all([notarization, nullification])
    asker = bench.others[0]
    bench.hear(FetchProposal(View(1), ref(proposal).hash), asker)
    assert bench.of(Send) == [Send(asker, proposal)]
    bench.hear(FetchCertificates(View(1), View(2)), asker)
    assert bench.of(Send) == [Send(asker, notarization), Send(asker, nullification)]
    bench.hear(FetchProposal(View(1), GENESIS.hash), asker)
    assert bench.of(Send) == []


def test_bodies_that_are_not_found_valid_are_not_handed_on() -> None:
    bench = Bench()
    true = bench.propose(1)
    lie = Proposal(true.vote, true.parent_hash, bench.propose(1, note=b"x").payload, None, ())
    bench.do(Received(bench.leader(1), lie), judged=False)
    bench.hear(FetchProposal(View(1), ref(true).hash), bench.others[0])
    assert bench.of(Send) == []


def test_who_asks_for_what_is_long_final_is_shown_the_finalization() -> None:
    bench = Bench(stakes=(1, 5_000, 5_000, 5_000))  # The engine under test never leads.
    chain = build_chain(bench, PROPOSALS_KEPT + 3)
    for proposal in chain:
        bench.hear(proposal)
    final = bench.certify(finalize(chain[-1].vote.subject))
    bench.hear(final)
    assert bench.engine.floor.finalization == final
    one, two = bench.others[:2]
    bench.hear(FetchProposal(View(1), ref(chain[0]).hash), one)
    assert bench.of(Send) == [Send(one, final)]
    bench.hear(FetchCertificates(View(1), View(3)), two)
    assert Send(two, final) in bench.of(Send)
    assert bench.engine.snapshot().memory.bodies == PROPOSALS_KEPT + 1


def test_one_member_gets_a_bounded_number_of_answers_within_a_delta() -> None:
    bench = Bench()
    proposal = bench.propose(1)
    bench.hear(proposal)
    asker, request = bench.others[0], FetchProposal(View(1), ref(proposal).hash)
    answers = sum(len(bench.hear(request, asker)) for _ in range(100))
    assert answers == ANSWERS_MAX // PROPOSAL_COST
    bench.hear(request, bench.others[1])
    assert len(bench.of(Send)) == 1
    bench.now_ms += bench.params.delta_ms
    bench.hear(request, asker)
    assert Send(asker, proposal) in bench.of(Send)


def test_one_request_gets_the_certificates_of_at_most_sixty_four_views() -> None:
    bench = Bench()
    bench.hear_all(bench.certify(nullify(view)) for view in range(1, 101))
    bench.hear(FetchCertificates(View(1), View(10**6)), bench.others[0])
    views = [e.message.subject.view for e in bench.of(Send) if isinstance(e.message, Certificate)]
    assert views == list(range(1, 65))


def test_proposals_of_old_views_that_nobody_vouched_for_are_forgotten() -> None:
    bench = Bench()
    for view in range(1, 60):
        if bench.leader(view) != bench.me:
            bench.hear(bench.propose(view, note=b"bad", nullifications=[]))
        bench.hear(bench.certify(nullify(view)))
    kept = bench.engine.snapshot().memory
    assert kept.bodies <= PROPOSALS_KEPT + 2
    assert kept.pending_proposals <= PROPOSALS_KEPT + 2


def test_views_far_ahead_leave_no_trace_in_memory() -> None:
    bench = Bench()
    before = bench.engine.snapshot().memory
    for view in range(10, 200):
        bench.hear(bench.propose(view))
        bench.hear(bench.sign(nullify(view), bench.others[0]))
    assert bench.engine.snapshot().memory == before
    assert before.bodies == 0


def test_a_round_holds_three_votes_a_member_whatever_is_sent() -> None:
    bench = Bench(stakes=(10, 1, 1, 1))
    for note in range(50):
        subject = bench.propose(1, note=b"%d" % note).vote.subject
        for member in [m for m in bench.others if bench.committee.stake(m) == 1]:
            for about in (subject, finalize(subject), nullify(1)):
                bench.hear(bench.sign(about, member))
    kept = bench.engine.snapshot().memory
    assert kept.votes_a_view_max <= 3 * len(bench.keys)
    assert kept.subjects_a_view_max <= 3 * len(bench.keys)
    assert kept.subjects_a_view_max >= len(VoteKind), "votes of every kind were counted"


def test_rounds_below_the_floor_are_forgotten() -> None:
    bench = Bench()
    bench.hear(bench.propose(1))
    for view in range(1, 200):
        bench.hear(bench.certify(nullify(view)))
    proposal = bench.propose(200, nullifications=[])
    bench.hear(proposal)
    bench.hear(bench.certify(finalize(proposal.vote.subject)))
    assert bench.engine.floor.block == ref(proposal)
    known = bench.engine.snapshot()
    assert min(known.certificates) == 200 - 32
    assert known.memory.rounds == len(known.certificates) + 1, "and the current view"
    assert known.memory.signed_views <= 2


@pytest.mark.parametrize("is_certified", [True, False])
def test_the_application_is_told_whether_a_quorum_stands_behind_a_block(
    is_certified: bool,
) -> None:
    bench = Bench(follows=1)
    proposal = bench.propose(1)
    if is_certified:
        bench.hear(bench.certify(proposal.vote.subject))
        bench.wait(bench.params.delta_ms)
    bench.do(Received(bench.leader(1), proposal), judged=False)
    assert [check.is_certified for check in bench.of(Check)] == [is_certified]


def test_a_body_found_valid_before_its_certificate_is_durable_with_it() -> None:
    bench = Bench(follows=1)
    bench.wait(1_000)
    proposal = bench.propose(1)
    bench.hear(proposal)
    assert proposal not in bench.records, "one's own nullify of the view is out"
    bench.hear(bench.certify(proposal.vote.subject))
    assert proposal in bench.records


def test_great_bodies_are_served_but_few_a_delta() -> None:
    bench = Bench(follows=1)
    proposal = bench.propose(1, note=b"good" * 250_000)
    bench.do(Received(bench.leader(1), proposal), judged=False)
    bench.do(Checked(View(1), ref(proposal).hash, Verdict.VALID))
    request = FetchProposal(View(1), ref(proposal).hash)
    for _ in range(2):
        served = 0
        for _ in range(8):
            bench.hear(request, bench.others[0])
            served += sum(isinstance(m, Proposal) for m in bench.said())
        assert served == ANSWERS_MAX // (PROPOSAL_COST + len(proposal.payload) // ANSWER_BYTES) == 2
        bench.now_ms += bench.params.delta_ms
