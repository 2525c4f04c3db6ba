"""What a crash must not change: own votes, certificates, blocks, the view (spec §2)."""

from consensus.effects import Broadcast, Build, Check, Finalize, Misbehaviour
from consensus.events import Built
from consensus.messages import Proposal, Vote
from consensus.types import BlockRef
from ledger.primitives.scalars import View
from ledger.primitives.votes import VoteKind
from tests.support.consensus.lone_engine import Bench, finalize, nullify, ref
from tests.support.consensus.network import GENESIS, make_block

NOTARIZE, NULLIFY, FINALIZE = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE


def test_after_a_restart_the_stored_votes_are_said_again_and_none_is_signed_anew() -> None:
    bench = Bench()
    proposal = bench.propose(1)
    bench.hear(proposal)
    (vote,) = [m for m in bench.said() if isinstance(m, Vote)]
    bench.boot()
    assert vote in bench.said()
    bench.hear(proposal)
    bench.hear(bench.propose(1, note=b"good, too"))
    own = [r for r in bench.records if isinstance(r, Vote) and r.signer == bench.me]
    assert [r.subject.kind for r in own] == [NOTARIZE, NULLIFY]
    assert own[0] == vote


def test_after_a_restart_a_nullified_view_is_neither_notarized_nor_finalized() -> None:
    bench = Bench()
    bench.wait(800)
    assert bench.voted(NULLIFY) == [nullify(1)]
    bench.boot()
    proposal = bench.propose(1)
    bench.hear(proposal)
    assert bench.voted(NOTARIZE) == []
    bench.hear(bench.certify(proposal.vote.subject))
    assert bench.voted(FINALIZE) == []


def test_the_guard_itself_remembers_what_the_journal_holds() -> None:
    bench = Bench()
    bench.hear(bench.propose(1))
    signed = bench.engine.snapshot().memory.signed_views
    bench.boot()
    assert bench.engine.snapshot().memory.signed_views == signed == 1


def test_after_a_restart_a_nullify_is_retried_again() -> None:
    bench = Bench()
    bench.wait(800)
    bench.boot()
    assert bench.voted(NULLIFY) == [nullify(1)]
    bench.wait(bench.params.retry_ms)
    assert bench.voted(NULLIFY) == [nullify(1)]


def test_the_view_after_a_restart_is_the_highest_not_the_last_recorded() -> None:
    bench = Bench()
    proposal = bench.propose(1)
    bench.hear_all([bench.certify(nullify(4)), bench.certify(proposal.vote.subject)])
    bench.hear(proposal)
    assert bench.records[-1].subject.view == 1
    bench.boot()
    assert bench.engine.view == 5


def test_blocks_above_the_floor_are_checked_again_parents_first() -> None:
    bench = Bench(follows=2)
    first = bench.propose(1)
    bench.hear(first)
    notarization = bench.certify(first.vote.subject)
    bench.hear(notarization)
    second = bench.propose(2, ref(first), notarization)
    bench.hear(second)
    bench.records.reverse()
    checked: list[View] = []
    handle = bench.handle

    def spy(event):
        effects = handle(event)
        checked.extend(e.view for e in effects if isinstance(e, Check))
        return effects

    bench.handle = spy
    bench.boot()
    assert checked == [1, 2]


def test_a_block_that_was_notarized_before_the_crash_becomes_final_after_it() -> None:
    bench = Bench()
    proposal = bench.propose(1)
    bench.hear(proposal)
    bench.hear(bench.certify(proposal.vote.subject))
    bench.boot()
    bench.hear_all(bench.votes(finalize(proposal.vote.subject)))
    assert len(bench.of(Finalize)) == 1
    assert bench.engine.floor.block == ref(proposal)


def test_a_finalization_whose_block_was_not_committed_is_applied_again() -> None:
    bench = Bench()
    proposal = bench.propose(1)
    bench.hear(proposal)
    bench.hear(bench.certify(finalize(proposal.vote.subject)))
    assert len(bench.of(Finalize)) == 1
    bench.boot()
    assert len(bench.of(Finalize)) == 1


def test_records_at_or_below_the_floor_are_left_alone() -> None:
    bench = Bench()
    proposal = bench.propose(1)
    bench.hear(proposal)
    bench.hear(bench.certify(finalize(proposal.vote.subject)))
    bench.floor = bench.engine.floor
    bench.boot()
    assert bench.engine.view == 2
    assert bench.of(Finalize) == []


def test_a_leader_that_crashed_before_sending_sends_the_same_proposal() -> None:
    bench = Bench(leads=1)
    bench.do(Built(View(1), make_block(View(1), GENESIS, b"good")))
    (proposal,) = [m for m in bench.said() if isinstance(m, Proposal)]
    bench.boot()
    assert Broadcast(proposal) in bench.effects
    assert bench.of(Build) == []


def test_equivocation_is_remembered_across_a_restart() -> None:
    bench = Bench()
    first, second = bench.propose(1), bench.propose(1, note=b"good, too")
    bench.hear(first)
    bench.hear(second)
    bench.boot()
    assert bench.of(Misbehaviour)[0].proof == (first.vote, second.vote)
    bench.hear(bench.certify(first.vote.subject))
    assert bench.voted(FINALIZE) == []


def test_a_body_that_was_fetched_outlives_a_restart() -> None:
    bench = Bench(leads=2)
    mine, theirs = bench.propose(1), bench.propose(1, note=b"theirs")
    bench.hear(mine)
    bench.hear(bench.certify(theirs.vote.subject))
    bench.hear(theirs)
    bench.wait(200)
    bench.hear(theirs, bench.leader(1))
    assert theirs in bench.records
    bench.boot()
    parents = [BlockRef(b.parent_view, b.parent_hash) for b in bench.of(Build)]
    assert parents == [ref(theirs)]
    assert bench.voted(FINALIZE) == []
