"""What a crash must not change: own votes, certificates, blocks, the view (spec §2)."""

from consensus.effects import Broadcast, Build, Check, Finalize, Misbehaviour
from consensus.events import Built
from consensus.messages import Proposal, Vote
from consensus.types import BlockRef
from ledger.primitives.scalars import View
from ledger.primitives.votes import VoteKind
from tests.support.consensus.engine_rig import EngineRig, finalize, nullify, ref
from tests.support.consensus.network import GENESIS, make_block

NOTARIZE, NULLIFY, FINALIZE = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE


def test_after_a_restart_the_stored_votes_are_said_again_and_none_is_signed_anew() -> None:
    rig = EngineRig()
    proposal = rig.propose(1)
    rig.hear(proposal)
    (vote,) = [m for m in rig.said() if isinstance(m, Vote)]
    rig.boot()
    assert vote in rig.said()
    rig.hear(proposal)
    rig.hear(rig.propose(1, note=b"good, too"))
    own = [r for r in rig.records if isinstance(r, Vote) and r.signer == rig.me]
    assert [r.subject.kind for r in own] == [NOTARIZE, NULLIFY]
    assert own[0] == vote


def test_after_a_restart_a_nullified_view_is_neither_notarized_nor_finalized() -> None:
    rig = EngineRig()
    rig.wait(800)
    assert rig.voted(NULLIFY) == [nullify(1)]
    rig.boot()
    proposal = rig.propose(1)
    rig.hear(proposal)
    assert rig.voted(NOTARIZE) == []
    rig.hear(rig.certify(proposal.vote.subject))
    assert rig.voted(FINALIZE) == []


def test_the_guard_itself_remembers_what_the_journal_holds() -> None:
    rig = EngineRig()
    rig.hear(rig.propose(1))
    signed = rig.engine.snapshot().memory.signed_views
    rig.boot()
    assert rig.engine.snapshot().memory.signed_views == signed == 1


def test_after_a_restart_a_nullify_is_retried_again() -> None:
    rig = EngineRig()
    rig.wait(800)
    rig.boot()
    assert rig.voted(NULLIFY) == [nullify(1)]
    rig.wait(rig.params.retry_ms)
    assert rig.voted(NULLIFY) == [nullify(1)]


def test_the_view_after_a_restart_is_the_highest_not_the_last_recorded() -> None:
    rig = EngineRig()
    proposal = rig.propose(1)
    rig.hear_all([rig.certify(nullify(4)), rig.certify(proposal.vote.subject)])
    rig.hear(proposal)
    assert rig.records[-1].subject.view == 1
    rig.boot()
    assert rig.engine.view == 5


def test_blocks_above_the_floor_are_checked_again_parents_first() -> None:
    rig = EngineRig(follows=2)
    first = rig.propose(1)
    rig.hear(first)
    notarization = rig.certify(first.vote.subject)
    rig.hear(notarization)
    second = rig.propose(2, ref(first), notarization)
    rig.hear(second)
    rig.records.reverse()
    checked: list[View] = []
    handle = rig.handle

    def spy(event):
        effects = handle(event)
        checked.extend(e.view for e in effects if isinstance(e, Check))
        return effects

    rig.handle = spy
    rig.boot()
    assert checked == [1, 2]


def test_a_block_that_was_notarized_before_the_crash_becomes_final_after_it() -> None:
    rig = EngineRig()
    proposal = rig.propose(1)
    rig.hear(proposal)
    rig.hear(rig.certify(proposal.vote.subject))
    rig.boot()
    rig.hear_all(rig.votes(finalize(proposal.vote.subject)))
    assert len(rig.of(Finalize)) == 1
    assert rig.engine.floor.block == ref(proposal)


def test_a_finalization_whose_block_was_not_committed_is_applied_again() -> None:
    rig = EngineRig()
    proposal = rig.propose(1)
    rig.hear(proposal)
    rig.hear(rig.certify(finalize(proposal.vote.subject)))
    assert len(rig.of(Finalize)) == 1
    rig.boot()
    assert len(rig.of(Finalize)) == 1


def test_records_at_or_below_the_floor_are_left_alone() -> None:
    rig = EngineRig()
    proposal = rig.propose(1)
    rig.hear(proposal)
    rig.hear(rig.certify(finalize(proposal.vote.subject)))
    rig.floor = rig.engine.floor
    rig.boot()
    assert rig.engine.view == 2
    assert rig.of(Finalize) == []


def test_a_leader_that_crashed_before_sending_sends_the_same_proposal() -> None:
    rig = EngineRig(leads=1)
    rig.do(Built(View(1), make_block(View(1), GENESIS, b"good")))
    (proposal,) = [m for m in rig.said() if isinstance(m, Proposal)]
    rig.boot()
    assert Broadcast(proposal) in rig.effects
    assert rig.of(Build) == []


def test_equivocation_is_remembered_across_a_restart() -> None:
    rig = EngineRig()
    first, second = rig.propose(1), rig.propose(1, note=b"good, too")
    rig.hear(first)
    rig.hear(second)
    rig.boot()
    assert rig.of(Misbehaviour)[0].proof == (first.vote, second.vote)
    rig.hear(rig.certify(first.vote.subject))
    assert rig.voted(FINALIZE) == []


def test_a_body_that_was_fetched_outlives_a_restart() -> None:
    rig = EngineRig(leads=2)
    mine, theirs = rig.propose(1), rig.propose(1, note=b"theirs")
    rig.hear(mine)
    rig.hear(rig.certify(theirs.vote.subject))
    rig.hear(theirs)
    rig.wait(200)
    rig.hear(theirs, rig.leader(1))
    assert theirs in rig.records
    rig.boot()
    parents = [BlockRef(b.parent_view, b.parent_hash) for b in rig.of(Build)]
    assert parents == [ref(theirs)]
    assert rig.voted(FINALIZE) == []
