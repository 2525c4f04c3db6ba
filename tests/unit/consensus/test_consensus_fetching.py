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
from tests.support.consensus.engine_rig import EngineRig, finalize, nullify, ref
from tests.support.consensus.network import GENESIS


def build_chain(rig: EngineRig, length: int) -> list[Proposal]:
    """Make a chain of proposals, each on the one before."""
    chain: list[Proposal] = []
    for view in range(1, length + 1):
        parent = chain[-1] if chain else None
        certificate = rig.certify(parent.vote.subject) if parent else None
        chain.append(rig.propose(view, ref(parent) if parent else GENESIS, certificate))
    return chain


def fetches(effects: list[Effect]) -> list[Send]:
    """List the requests for bodies among effects."""
    sends = [effect for effect in effects if isinstance(effect, Send)]
    return [send for send in sends if isinstance(send.message, FetchProposal)]


def answer_from(rig: EngineRig, chain: list[Proposal], effects: list[Effect]) -> list[Effect]:
    """Answer requests from the chain until none is made; give all effects on the way."""
    seen = list(effects)
    while requests := fetches(effects):
        (send,) = requests
        assert isinstance(send.message, FetchProposal)
        effects = rig.hear(chain[send.message.view - 1], send.to)
        seen += effects
    return seen


def test_missing_ancestors_of_a_final_block_are_fetched_backwards_and_applied() -> None:
    rig = EngineRig()
    chain = build_chain(rig, 5)
    rig.hear(rig.certify(finalize(chain[-1].vote.subject)))
    seen = answer_from(rig, chain, rig.wait(150))
    views = [send.message.view for send in fetches(seen)]
    assert views == [5, 4, 3, 2, 1]
    assert len([e for e in seen if isinstance(e, Finalize)]) == 1
    assert rig.engine.floor.block == ref(chain[-1])


def test_when_nobody_answers_block_sync_is_asked() -> None:
    rig = EngineRig()
    (block,) = build_chain(rig, 1)
    rig.hear(rig.certify(finalize(block.vote.subject)))
    effects = rig.wait(10_000)
    assert len(fetches(effects)) == FETCH_TRIES_MAX
    assert [e for e in effects if isinstance(e, Behind)]


def test_an_ancestry_that_is_too_long_is_left_to_block_sync() -> None:
    rig = EngineRig()
    chain = build_chain(rig, 20)
    rig.hear(rig.certify(finalize(chain[-1].vote.subject)))
    seen = answer_from(rig, chain, rig.wait(150))
    assert len(fetches(seen)) == ANCESTORS_FETCHED_MAX
    assert len([e for e in seen if isinstance(e, Behind)]) == 1


def test_a_body_that_is_not_the_certified_blocks_is_dropped_and_asked_of_the_next() -> None:
    rig = EngineRig()
    (block,) = build_chain(rig, 1)
    rig.hear(rig.certify(finalize(block.vote.subject)))
    (send,) = fetches(rig.wait(150))
    bogus = Proposal(block.vote, block.parent_hash, rig.propose(1, note=b"x").payload, None, ())
    rig.hear(bogus, send.to)
    assert rig.of(Misbehaviour)[0].member == send.to
    assert fetches(rig.effects) == []
    (again,) = fetches(rig.wait(250))
    assert again.message == send.message
    assert again.to != send.to
    rig.hear(block, again.to)
    assert len(rig.of(Finalize)) == 1


def test_who_signed_the_certificate_is_asked_before_who_did_not() -> None:
    rig = EngineRig(stakes=(1,) * 10)
    (block,) = build_chain(rig, 1)
    signers = [rig.leader(1), *[m for m in rig.others if m != rig.leader(1)]][:7]
    rig.hear(rig.certify(finalize(block.vote.subject), signers))
    asked = [send.to for send in fetches(rig.wait(10_000))]
    assert len(set(asked)) == FETCH_TRIES_MAX
    assert set(asked) < set(signers)


def test_bodies_that_nobody_asked_for_are_not_taken_from_others_than_their_leader() -> None:
    rig = EngineRig()
    (block,) = build_chain(rig, 1)
    rig.hear(block, next(m for m in rig.others if m != rig.leader(1)))
    assert rig.effects == []


def test_held_proposals_and_certificates_are_served() -> None:
    rig = EngineRig()
    proposal = rig.propose(1)
    rig.hear(proposal)
    notarization, nullification = rig.certify(proposal.vote.subject), rig.certify(nullify(2))
    rig.hear_all([notarization, nullification])
    asker = rig.others[0]
    rig.hear(FetchProposal(View(1), ref(proposal).hash), asker)
    assert rig.of(Send) == [Send(asker, proposal)]
    rig.hear(FetchCertificates(View(1), View(2)), asker)
    assert rig.of(Send) == [Send(asker, notarization), Send(asker, nullification)]
    rig.hear(FetchProposal(View(1), GENESIS.hash), asker)
    assert rig.of(Send) == []


def test_bodies_that_are_not_found_valid_are_not_handed_on() -> None:
    rig = EngineRig()
    true = rig.propose(1)
    lie = Proposal(true.vote, true.parent_hash, rig.propose(1, note=b"x").payload, None, ())
    rig.do(Received(rig.leader(1), lie), judged=False)
    rig.hear(FetchProposal(View(1), ref(true).hash), rig.others[0])
    assert rig.of(Send) == []


def test_who_asks_for_what_is_long_final_is_shown_the_finalization() -> None:
    rig = EngineRig(stakes=(1, 5_000, 5_000, 5_000))  # The engine under test never leads.
    chain = build_chain(rig, PROPOSALS_KEPT + 3)
    for proposal in chain:
        rig.hear(proposal)
    final = rig.certify(finalize(chain[-1].vote.subject))
    rig.hear(final)
    assert rig.engine.floor.finalization == final
    one, two = rig.others[:2]
    rig.hear(FetchProposal(View(1), ref(chain[0]).hash), one)
    assert rig.of(Send) == [Send(one, final)]
    rig.hear(FetchCertificates(View(1), View(3)), two)
    assert Send(two, final) in rig.of(Send)
    assert rig.engine.snapshot().memory.bodies == PROPOSALS_KEPT + 1


def test_one_member_gets_a_bounded_number_of_answers_within_a_delta() -> None:
    rig = EngineRig()
    proposal = rig.propose(1)
    rig.hear(proposal)
    asker, request = rig.others[0], FetchProposal(View(1), ref(proposal).hash)
    answers = sum(len(rig.hear(request, asker)) for _ in range(100))
    assert answers == ANSWERS_MAX // PROPOSAL_COST
    rig.hear(request, rig.others[1])
    assert len(rig.of(Send)) == 1
    rig.now_ms += rig.params.delta_ms
    rig.hear(request, asker)
    assert Send(asker, proposal) in rig.of(Send)


def test_one_request_gets_the_certificates_of_at_most_sixty_four_views() -> None:
    rig = EngineRig()
    rig.hear_all(rig.certify(nullify(view)) for view in range(1, 101))
    rig.hear(FetchCertificates(View(1), View(10**6)), rig.others[0])
    views = [e.message.subject.view for e in rig.of(Send) if isinstance(e.message, Certificate)]
    assert views == list(range(1, 65))


def test_proposals_of_old_views_that_nobody_vouched_for_are_forgotten() -> None:
    rig = EngineRig()
    for view in range(1, 60):
        if rig.leader(view) != rig.me:
            rig.hear(rig.propose(view, note=b"bad", nullifications=[]))
        rig.hear(rig.certify(nullify(view)))
    kept = rig.engine.snapshot().memory
    assert kept.bodies <= PROPOSALS_KEPT + 2
    assert kept.pending_proposals <= PROPOSALS_KEPT + 2


def test_views_far_ahead_leave_no_trace_in_memory() -> None:
    rig = EngineRig()
    before = rig.engine.snapshot().memory
    for view in range(10, 200):
        rig.hear(rig.propose(view))
        rig.hear(rig.sign(nullify(view), rig.others[0]))
    assert rig.engine.snapshot().memory == before
    assert before.bodies == 0


def test_a_round_holds_three_votes_a_member_whatever_is_sent() -> None:
    rig = EngineRig(stakes=(10, 1, 1, 1))
    for note in range(50):
        subject = rig.propose(1, note=b"%d" % note).vote.subject
        for member in [m for m in rig.others if rig.committee.stake(m) == 1]:
            for about in (subject, finalize(subject), nullify(1)):
                rig.hear(rig.sign(about, member))
    kept = rig.engine.snapshot().memory
    assert kept.votes_a_view_max <= 3 * len(rig.keys)
    assert kept.subjects_a_view_max <= 3 * len(rig.keys)
    assert kept.subjects_a_view_max >= len(VoteKind), "votes of every kind were counted"


def test_rounds_below_the_floor_are_forgotten() -> None:
    rig = EngineRig()
    rig.hear(rig.propose(1))
    for view in range(1, 200):
        rig.hear(rig.certify(nullify(view)))
    proposal = rig.propose(200, nullifications=[])
    rig.hear(proposal)
    rig.hear(rig.certify(finalize(proposal.vote.subject)))
    assert rig.engine.floor.block == ref(proposal)
    known = rig.engine.snapshot()
    assert min(known.certificates) == 200 - 32
    assert known.memory.rounds == len(known.certificates) + 1, "and the current view"
    assert known.memory.signed_views <= 2


@pytest.mark.parametrize("is_certified", [True, False])
def test_the_application_is_told_whether_a_quorum_stands_behind_a_block(
    is_certified: bool,
) -> None:
    rig = EngineRig(follows=1)
    proposal = rig.propose(1)
    if is_certified:
        rig.hear(rig.certify(proposal.vote.subject))
        rig.wait(rig.params.delta_ms)
    rig.do(Received(rig.leader(1), proposal), judged=False)
    assert [check.is_certified for check in rig.of(Check)] == [is_certified]


def test_a_body_found_valid_before_its_certificate_is_durable_with_it() -> None:
    rig = EngineRig(follows=1)
    rig.wait(1_000)
    proposal = rig.propose(1)
    rig.hear(proposal)
    assert proposal not in rig.records, "one's own nullify of the view is out"
    rig.hear(rig.certify(proposal.vote.subject))
    assert proposal in rig.records


def test_great_bodies_are_served_but_few_a_delta() -> None:
    rig = EngineRig(follows=1)
    proposal = rig.propose(1, note=b"good" * 250_000)
    rig.do(Received(rig.leader(1), proposal), judged=False)
    rig.do(Checked(View(1), ref(proposal).hash, Verdict.VALID))
    request = FetchProposal(View(1), ref(proposal).hash)
    for _ in range(2):
        served = 0
        for _ in range(8):
            rig.hear(request, rig.others[0])
            served += sum(isinstance(m, Proposal) for m in rig.said())
        assert served == ANSWERS_MAX // (PROPOSAL_COST + len(proposal.payload) // ANSWER_BYTES) == 2
        rig.now_ms += rig.params.delta_ms
