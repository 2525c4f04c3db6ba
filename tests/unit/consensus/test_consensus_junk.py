"""Words that only some can see through: no liar may keep a body from who needs it (spec §1.8)."""

import pytest
from msgspec.structs import replace

from consensus.effects import Forked, Misbehaviour, Send
from consensus.events import CaughtUp, Received
from consensus.leader import Schedule, first_seed
from consensus.messages import Certificate, FetchProposal, Message, Proposal, Subject, Vote
from consensus.params import IGNORED_FIRST_MS, IGNORED_MAX_MS
from consensus.quorum import verify_certificate
from consensus.tree import ANCESTORS_FETCHED_MAX
from consensus.types import BlockRef
from ledger.primitives.committee import Member
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Signature
from ledger.primitives.scalars import Epoch, View
from ledger.primitives.votes import VoteKind
from tests.support.consensus.engine_rig import EngineRig, finalize, nullify, ref
from tests.support.consensus.network import CHAIN, EPOCH, Net

STRANGE = Hash(bytes(31) + b"\x07")


def junk(certificate: Certificate) -> Certificate:
    """Replace the signatures by nothing."""
    return replace(
        certificate, votes=tuple((m, Signature(bytes(64))) for m, _ in certificate.votes)
    )


def asked(rig: EngineRig) -> list[FetchProposal]:
    return [m for m in rig.said() if isinstance(m, FetchProposal)]


def with_junk(rig: EngineRig) -> Proposal:
    """Make view 2's proposal, whose proof that view 1 may be skipped is none."""
    return rig.propose(2, nullifications=[junk(rig.certify(nullify(1)))])


def test_a_justification_that_nobody_looked_at_is_never_handed_on() -> None:
    rig = EngineRig(follows=2)
    rig.hear(rig.certify(nullify(1)))
    proposal = with_junk(rig)
    rig.hear(proposal)
    assert rig.voted(VoteKind.NOTARIZE) == [proposal.vote.subject]
    rig.hear(FetchProposal(*ref_parts(proposal)), rig.others[0])
    (served,) = [m for m in rig.said() if isinstance(m, Proposal)]
    assert served.vote == proposal.vote
    for certificate in served.nullifications:
        verify_certificate(rig.committee, CHAIN, certificate)


def ref_parts(proposal: Proposal) -> tuple[View, Hash]:
    return proposal.vote.subject.view, proposal.vote.subject.block_hash


def test_a_body_that_was_asked_for_is_taken_whatever_comes_with_it() -> None:
    rig = EngineRig(follows=2)
    proposal = with_junk(rig)
    rig.hear(rig.certify(proposal.vote.subject))
    rig.wait(1_000)
    server = next(m for m in rig.others if m != rig.leader(2))
    assert Send(server, FetchProposal(*ref_parts(proposal))) in rig.of(Send)
    rig.hear(proposal, server)
    known = rig.engine.snapshot()
    assert known.is_valid(ref(proposal))
    assert known.holds(VoteKind.NULLIFY, 1) is None, "junk is no certificate"


def test_junk_that_came_with_a_body_never_lets_one_vote() -> None:
    rig = EngineRig(follows=2)
    rig.hear(with_junk(rig))
    assert rig.voted(VoteKind.NOTARIZE) == []
    assert [o.member for o in rig.of(Misbehaviour)] == [rig.leader(2)]


def test_one_liar_can_not_halt_the_chain_by_a_justification_that_some_can_not_check() -> None:
    view = View(42)
    schedule = Schedule(first_seed(CHAIN), Net().committee)
    liar = schedule.leader(view)
    lonely = Member((liar + 1) % 4)
    net = Net(0)
    net.byzantine = {liar}
    silenced: list[bool] = []

    def tamper(net: Net, sender: Member, to: Member, message: Message) -> list[Message]:
        if silenced or (isinstance(message, Vote) and message.subject.kind is VoteKind.FINALIZE):
            return []
        mine = isinstance(message, Proposal) and message.vote.subject.view == view
        if isinstance(message, Proposal) and mine and message.nullifications:
            first, *rest = message.nullifications
            return [replace(message, nullifications=(junk(first), *rest))]
        return [message]

    carry = net.carry

    def lose_proposals(sender: Member, to: Member, message: Message) -> None:
        if not isinstance(message, Proposal) or (
            message.vote.signer == liar and (message.vote.subject.view == view)
        ):
            carry(sender, to, message)

    net.tamper = tamper
    net.carry = lose_proposals  # type: ignore[method-assign]  # The network until it settles.
    net.partition([lonely], [m for m in range(4) if m != lonely])
    witness = next(m for m in net.machines if m.member not in (liar, lonely))
    assert net.run(3_000_000, lambda: witness.engine is not None and witness.engine.view > view)
    assert witness.engine is not None
    assert witness.engine.snapshot().holds(VoteKind.NOTARIZE, view)
    silenced.append(True)
    net.carry = carry  # type: ignore[method-assign]
    net.heal()
    honest = [m for m in net.machines if m.member != liar]
    assert net.run(net.now_ms + 120_000, lambda: min(len(m.chain) for m in honest) >= 3)
    assert {o.member for m in honest for o in m.offences} <= {liar}


def astray(rig: EngineRig, proposal: Proposal, parent: BlockRef) -> Proposal:
    """Sign the same block again, as if it stood on another parent."""
    about = replace(proposal.vote.subject, parent_view=parent.view)
    vote = rig.sign(about, rig.leader(about.view))
    return replace(proposal, vote=vote, parent_hash=parent.hash)


def settle_on(rig: EngineRig, proposal: Proposal, *ancestors: Proposal) -> None:
    """Let the others certify the block and serve its true body, and ancestors', when asked."""
    rig.hear(rig.certify(proposal.vote.subject))
    rig.hear(rig.certify(finalize(proposal.vote.subject)))
    serve(rig, proposal, *ancestors)


def serve(rig: EngineRig, *proposals: Proposal) -> None:
    """Answer whenever one of the blocks is asked for."""
    answers = {FetchProposal(*ref_parts(each)): each for each in proposals}
    for _ in range(8):
        rig.wait(rig.params.fetch_ms)
        for effect in rig.of(Send):
            if isinstance(effect.message, FetchProposal) and effect.message in answers:
                rig.do(Received(effect.to, answers[effect.message]))


def test_a_first_block_on_a_strange_parent_keeps_nobody_from_the_true_one() -> None:
    rig = EngineRig(follows=1)
    proposal = rig.propose(1)
    rig.hear(replace(proposal, parent_hash=STRANGE))
    assert [o.member for o in rig.of(Misbehaviour)] == [rig.leader(1)]
    settle_on(rig, proposal)
    assert rig.engine.floor.block == ref(proposal)


@pytest.mark.parametrize("is_early", [True, False])
def test_a_body_on_a_parent_below_the_floor_keeps_nobody_from_the_true_one(
    is_early: bool,
) -> None:
    rig = EngineRig(follows=2)
    first = rig.propose(1)
    rig.hear(first)
    rig.hear(rig.certify(first.vote.subject))
    final = rig.certify(finalize(first.vote.subject))
    if not is_early:
        rig.hear(final)
    second = rig.propose(2, ref(first), final)
    false = astray(rig, second, BlockRef(View(0), STRANGE))
    rig.hear(replace(false, parent=None))
    if is_early:
        rig.hear(final)
    settle_on(rig, second)
    assert rig.engine.floor.block == ref(second)
    assert rig.of(Forked) == [], "one liar raises no alarm"


def test_a_body_on_another_certified_parent_keeps_nobody_from_the_true_one() -> None:
    rig = EngineRig(follows=3)
    first = rig.propose(1)
    certified = rig.certify(first.vote.subject)
    unseen = Subject(VoteKind.NOTARIZE, EPOCH, View(2), View(1), STRANGE)
    rig.hear(first)
    rig.hear(certified)
    skipped = rig.certify(nullify(2))
    rig.hear(skipped)
    third = rig.propose(3, ref(first), certified, [skipped])
    false = astray(rig, third, BlockRef(View(2), STRANGE))
    rig.hear(replace(false, parent=rig.certify(unseen), nullifications=()))
    settle_on(rig, third)
    assert rig.engine.floor.block == ref(third)


def test_an_offender_is_not_heard_for_a_time_that_doubles() -> None:
    rig = EngineRig()
    liar = rig.others[0]
    bad = junk(rig.certify(nullify(1)))
    for wait_ms in (1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000):
        rig.hear(bad, liar)
        assert rig.reasons()
        rig.now_ms += wait_ms - 1
        rig.hear(bad, liar)
        assert rig.reasons() == [], "it is not even looked at"
        rig.now_ms += 1


def test_a_liar_that_behaves_for_long_begins_anew() -> None:
    rig = EngineRig()
    liar = rig.others[0]
    bad = junk(rig.certify(nullify(1)))
    rig.hear(bad, liar)
    rig.now_ms += IGNORED_FIRST_MS
    rig.hear(bad, liar)
    rig.now_ms += 2 * IGNORED_FIRST_MS + IGNORED_MAX_MS
    rig.hear(bad, liar)
    assert rig.reasons()
    rig.now_ms += IGNORED_FIRST_MS
    rig.hear(bad, liar)
    assert rig.reasons(), "not four times as long, as if nothing had been between"


def test_an_offence_silences_nobody_but_its_sender() -> None:
    rig = EngineRig()
    rig.hear(junk(rig.certify(nullify(1))), rig.others[0])
    rig.hear(rig.certify(nullify(1)), rig.others[1])
    assert rig.engine.view == 2


def on_a_synced_parent(rig: EngineRig, *, is_junk: bool) -> Proposal:
    """Have view 2's block found valid on a parent that block sync brought, and made final."""
    first = rig.propose(1)
    final = rig.certify(finalize(first.vote.subject))
    rig.do(CaughtUp(final))
    second = rig.propose(2, ref(first), junk(final) if is_junk else final)
    rig.hear(second)
    rig.hear(rig.certify(second.vote.subject))
    rig.hear(rig.certify(finalize(second.vote.subject)))
    assert rig.engine.floor.block == ref(second)
    return second


@pytest.mark.parametrize("is_junk", [True, False])
def test_a_parents_proof_that_is_not_held_is_looked_at_before_it_is_handed_on(
    is_junk: bool,
) -> None:
    rig = EngineRig(follows=2)
    second = on_a_synced_parent(rig, is_junk=is_junk)
    rig.hear(FetchProposal(*ref_parts(second)), rig.others[0])
    served = [m for m in rig.said() if isinstance(m, Proposal)]
    assert served == ([] if is_junk else [second])


def test_an_answer_on_another_parent_than_the_certified_is_not_kept() -> None:
    rig = EngineRig(follows=3)
    first = rig.propose(1)
    certified = rig.certify(first.vote.subject)
    for message in (first, certified, rig.certify(nullify(2))):
        rig.hear(message)
    unseen = Subject(VoteKind.NOTARIZE, EPOCH, View(2), View(1), STRANGE)
    third = rig.propose(3, ref(first), certified)
    rig.hear(rig.certify(third.vote.subject))
    rig.wait(rig.params.delta_ms)
    false = astray(rig, third, BlockRef(View(2), STRANGE))
    rig.hear(replace(false, parent=rig.certify(unseen)), rig.leader(3))
    assert ref(third) not in rig.engine.snapshot().blocks
    settle_on(rig, third)
    assert rig.engine.floor.block == ref(third)


def test_a_false_body_makes_way_for_the_one_that_a_final_block_needs() -> None:
    rig = EngineRig(follows=2)
    first = rig.propose(1)
    rig.hear(replace(first, payload=rig.propose(1, note=b"other").payload))
    second = rig.propose(2, ref(first), rig.certify(first.vote.subject))
    settle_on(rig, second, first)
    assert rig.engine.floor.block == ref(second)


@pytest.mark.parametrize("epoch", [EPOCH, Epoch(9)], ids=["noise", "another epoch's proof"])
@pytest.mark.parametrize("is_answer", [False, True], ids=["from the leader", "as an answer"])
def test_no_body_is_kept_on_a_parent_that_is_not_there(epoch: Epoch, is_answer: bool) -> None:
    rig = EngineRig(follows=2)
    first = rig.propose(1)
    rig.hear(first)
    proof = rig.certify(first.vote.subject)
    rig.hear(proof)
    second = rig.propose(2, ref(first), proof)
    about = replace(proof.subject, block_hash=STRANGE, epoch=epoch)
    false = replace(second, parent_hash=STRANGE, parent=replace(proof, subject=about))
    if not is_answer:
        rig.hear(false)
    rig.hear(rig.certify(second.vote.subject))
    rig.wait(rig.params.delta_ms)
    if is_answer:
        rig.hear(false, rig.leader(2))
    rig.wait(IGNORED_FIRST_MS)
    serve(rig, second)
    assert rig.engine.snapshot().is_valid(ref(second))


def test_many_blocks_notarized_without_one_final_are_fetched_all_the_same() -> None:
    liar, lonely = Member(0), Member(1)
    net = Net(0)
    net.byzantine = {liar}
    silenced: list[bool] = []

    def never_finalize(net: Net, sender: Member, to: Member, message: Message) -> list[Message]:
        is_finalize = isinstance(message, Vote) and message.subject.kind is VoteKind.FINALIZE
        return [] if silenced or is_finalize else [message]

    carry = net.carry

    def keep_from_liar(sender: Member, to: Member, message: Message) -> None:
        if to != liar or never_finalize(net, sender, to, message):
            carry(sender, to, message)

    net.tamper = never_finalize
    net.carry = keep_from_liar  # type: ignore[method-assign]  # It could count with its own vote.
    net.partition([lonely], [m for m in range(4) if m != lonely])
    many = 2 * ANCESTORS_FETCHED_MAX
    honest = [machine for machine in net.machines if machine.member != liar]
    assert net.run(60_000, lambda: honest[-1].engine.view > many)
    assert honest[-1].engine.floor.block.view < many // 2
    silenced.append(True)
    net.heal()
    final = [machine.engine for machine in honest]
    limit_ms = net.now_ms + 20_000
    assert net.run(limit_ms, lambda: min(e.floor.block.view for e in final) > many)
