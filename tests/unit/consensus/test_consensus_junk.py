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
from tests.support.consensus.lone_engine import Bench, finalize, nullify, ref
from tests.support.consensus.network import CHAIN, EPOCH, Net

STRANGE = Hash(bytes(31) + b"\x07")


def junk(certificate: Certificate) -> Certificate:
    """Replace the signatures by nothing."""
    return replace(
        certificate, votes=tuple((m, Signature(bytes(64))) for m, _ in certificate.votes)
    )


def asked(bench: Bench) -> list[FetchProposal]:
    return [m for m in bench.said() if isinstance(m, FetchProposal)]


def with_junk(bench: Bench) -> Proposal:
    """Make view 2's proposal, whose proof that view 1 may be skipped is none."""
    return bench.propose(2, nullifications=[junk(bench.certify(nullify(1)))])


def test_a_justification_that_nobody_looked_at_is_never_handed_on() -> None:
    bench = Bench(follows=2)
    bench.hear(bench.certify(nullify(1)))
    proposal = with_junk(bench)
    bench.hear(proposal)
    assert bench.voted(VoteKind.NOTARIZE) == [proposal.vote.subject]
    bench.hear(FetchProposal(*ref_parts(proposal)), bench.others[0])
    (served,) = [m for m in bench.said() if isinstance(m, Proposal)]
    assert served.vote == proposal.vote
    for certificate in served.nullifications:
        verify_certificate(bench.committee, CHAIN, certificate)


def ref_parts(proposal: Proposal) -> tuple[View, Hash]:
    return proposal.vote.subject.view, proposal.vote.subject.block_hash


def test_a_body_that_was_asked_for_is_taken_whatever_comes_with_it() -> None:
    bench = Bench(follows=2)
    proposal = with_junk(bench)
    bench.hear(bench.certify(proposal.vote.subject))
    bench.wait(1_000)
    server = next(m for m in bench.others if m != bench.leader(2))
    assert Send(server, FetchProposal(*ref_parts(proposal))) in bench.of(Send)
    bench.hear(proposal, server)
    known = bench.engine.snapshot()
    assert known.is_valid(ref(proposal))
    assert known.holds(VoteKind.NULLIFY, 1) is None, "junk is no certificate"


def test_junk_that_came_with_a_body_never_lets_one_vote() -> None:
    bench = Bench(follows=2)
    bench.hear(with_junk(bench))
    assert bench.voted(VoteKind.NOTARIZE) == []
    assert [o.member for o in bench.of(Misbehaviour)] == [bench.leader(2)]


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


def astray(bench: Bench, proposal: Proposal, parent: BlockRef) -> Proposal:
    """Sign the same block again, as if it stood on another parent."""
    about = replace(proposal.vote.subject, parent_view=parent.view)
    vote = bench.sign(about, bench.leader(about.view))
    return replace(proposal, vote=vote, parent_hash=parent.hash)


def settle_on(bench: Bench, proposal: Proposal, *ancestors: Proposal) -> None:
    """Let the others certify the block and serve its true body, and ancestors', when asked."""
    bench.hear(bench.certify(proposal.vote.subject))
    bench.hear(bench.certify(finalize(proposal.vote.subject)))
    serve(bench, proposal, *ancestors)


def serve(bench: Bench, *proposals: Proposal) -> None:
    """Answer whenever one of the blocks is asked for."""
    answers = {FetchProposal(*ref_parts(each)): each for each in proposals}
    for _ in range(8):
        bench.wait(bench.params.fetch_ms)
        for effect in bench.of(Send):
            if isinstance(effect.message, FetchProposal) and effect.message in answers:
                bench.do(Received(effect.to, answers[effect.message]))


def test_a_first_block_on_a_strange_parent_keeps_nobody_from_the_true_one() -> None:
    bench = Bench(follows=1)
    proposal = bench.propose(1)
    bench.hear(replace(proposal, parent_hash=STRANGE))
    assert [o.member for o in bench.of(Misbehaviour)] == [bench.leader(1)]
    settle_on(bench, proposal)
    assert bench.engine.floor.block == ref(proposal)


@pytest.mark.parametrize("is_early", [True, False])
def test_a_body_on_a_parent_below_the_floor_keeps_nobody_from_the_true_one(
    is_early: bool,
) -> None:
    bench = Bench(follows=2)
    first = bench.propose(1)
    bench.hear(first)
    bench.hear(bench.certify(first.vote.subject))
    final = bench.certify(finalize(first.vote.subject))
    if not is_early:
        bench.hear(final)
    second = bench.propose(2, ref(first), final)
    false = astray(bench, second, BlockRef(View(0), STRANGE))
    bench.hear(replace(false, parent=None))
    if is_early:
        bench.hear(final)
    settle_on(bench, second)
    assert bench.engine.floor.block == ref(second)
    assert bench.of(Forked) == [], "one liar raises no alarm"


def test_a_body_on_another_certified_parent_keeps_nobody_from_the_true_one() -> None:
    bench = Bench(follows=3)
    first = bench.propose(1)
    certified = bench.certify(first.vote.subject)
    unseen = Subject(VoteKind.NOTARIZE, EPOCH, View(2), View(1), STRANGE)
    bench.hear(first)
    bench.hear(certified)
    skipped = bench.certify(nullify(2))
    bench.hear(skipped)
    third = bench.propose(3, ref(first), certified, [skipped])
    false = astray(bench, third, BlockRef(View(2), STRANGE))
    bench.hear(replace(false, parent=bench.certify(unseen), nullifications=()))
    settle_on(bench, third)
    assert bench.engine.floor.block == ref(third)


def test_an_offender_is_not_heard_for_a_time_that_doubles() -> None:
    bench = Bench()
    liar = bench.others[0]
    bad = junk(bench.certify(nullify(1)))
    for wait_ms in (1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000):
        bench.hear(bad, liar)
        assert bench.reasons()
        bench.now_ms += wait_ms - 1
        bench.hear(bad, liar)
        assert bench.reasons() == [], "it is not even looked at"
        bench.now_ms += 1


def test_a_liar_that_behaves_for_long_begins_anew() -> None:
    bench = Bench()
    liar = bench.others[0]
    bad = junk(bench.certify(nullify(1)))
    bench.hear(bad, liar)
    bench.now_ms += IGNORED_FIRST_MS
    bench.hear(bad, liar)
    bench.now_ms += 2 * IGNORED_FIRST_MS + IGNORED_MAX_MS
    bench.hear(bad, liar)
    assert bench.reasons()
    bench.now_ms += IGNORED_FIRST_MS
    bench.hear(bad, liar)
    assert bench.reasons(), "not four times as long, as if nothing had been between"


def test_an_offence_silences_nobody_but_its_sender() -> None:
    bench = Bench()
    bench.hear(junk(bench.certify(nullify(1))), bench.others[0])
    bench.hear(bench.certify(nullify(1)), bench.others[1])
    assert bench.engine.view == 2


def on_a_synced_parent(bench: Bench, *, is_junk: bool) -> Proposal:
    """Have view 2's block found valid on a parent that block sync brought, and made final."""
    first = bench.propose(1)
    final = bench.certify(finalize(first.vote.subject))
    bench.do(CaughtUp(final))
    second = bench.propose(2, ref(first), junk(final) if is_junk else final)
    bench.hear(second)
    bench.hear(bench.certify(second.vote.subject))
    bench.hear(bench.certify(finalize(second.vote.subject)))
    assert bench.engine.floor.block == ref(second)
    return second


@pytest.mark.parametrize("is_junk", [True, False])
def test_a_parents_proof_that_is_not_held_is_looked_at_before_it_is_handed_on(
    is_junk: bool,
) -> None:
    bench = Bench(follows=2)
    second = on_a_synced_parent(bench, is_junk=is_junk)
    bench.hear(FetchProposal(*ref_parts(second)), bench.others[0])
    served = [m for m in bench.said() if isinstance(m, Proposal)]
    assert served == ([] if is_junk else [second])


def test_an_answer_on_another_parent_than_the_certified_is_not_kept() -> None:
    bench = Bench(follows=3)
    first = bench.propose(1)
    certified = bench.certify(first.vote.subject)
    for message in (first, certified, bench.certify(nullify(2))):
        bench.hear(message)
    unseen = Subject(VoteKind.NOTARIZE, EPOCH, View(2), View(1), STRANGE)
    third = bench.propose(3, ref(first), certified)
    bench.hear(bench.certify(third.vote.subject))
    bench.wait(bench.params.delta_ms)
    false = astray(bench, third, BlockRef(View(2), STRANGE))
    bench.hear(replace(false, parent=bench.certify(unseen)), bench.leader(3))
    assert ref(third) not in bench.engine.snapshot().blocks
    settle_on(bench, third)
    assert bench.engine.floor.block == ref(third)


def test_a_false_body_makes_way_for_the_one_that_a_final_block_needs() -> None:
    bench = Bench(follows=2)
    first = bench.propose(1)
    bench.hear(replace(first, payload=bench.propose(1, note=b"other").payload))
    second = bench.propose(2, ref(first), bench.certify(first.vote.subject))
    settle_on(bench, second, first)
    assert bench.engine.floor.block == ref(second)


@pytest.mark.parametrize("epoch", [EPOCH, Epoch(9)], ids=["noise", "another epoch's proof"])
@pytest.mark.parametrize("is_answer", [False, True], ids=["from the leader", "as an answer"])
def test_no_body_is_kept_on_a_parent_that_is_not_there(epoch: Epoch, is_answer: bool) -> None:
    bench = Bench(follows=2)
    first = bench.propose(1)
    bench.hear(first)
    proof = bench.certify(first.vote.subject)
    bench.hear(proof)
    second = bench.propose(2, ref(first), proof)
    about = replace(proof.subject, block_hash=STRANGE, epoch=epoch)
    false = replace(second, parent_hash=STRANGE, parent=replace(proof, subject=about))
    if not is_answer:
        bench.hear(false)
    bench.hear(bench.certify(second.vote.subject))
    bench.wait(bench.params.delta_ms)
    if is_answer:
        bench.hear(false, bench.leader(2))
    bench.wait(IGNORED_FIRST_MS)
    serve(bench, second)
    assert bench.engine.snapshot().is_valid(ref(second))


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
