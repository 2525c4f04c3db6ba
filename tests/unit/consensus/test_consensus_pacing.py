"""Time, admission, observers and catching up, asked of one engine (spec §1.5 to §1.10)."""

from consensus.effects import Behind, Broadcast, Build, Misbehaviour, Send
from consensus.events import CaughtUp, WorkPending
from consensus.messages import Subject, Vote
from consensus.params import Params
from ledger.primitives.scalars import Epoch, View
from ledger.primitives.votes import VoteKind
from tests.support.consensus.lone_engine import Bench, finalize, nullify, ref
from tests.support.consensus.network import GENESIS

NOTARIZE, NULLIFY, FINALIZE = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE


# Timers and idleness.


def test_timeouts_grow_from_the_fourth_barren_view_and_only_finality_resets_them() -> None:
    params = Params()
    grown = [params.stretched_ms(params.leader_ms, barren) for barren in range(12)]
    assert grown[:6] == [500, 500, 500, 750, 1_125, 1_687]
    assert grown[-1] == 10_000
    assert params.stretched_ms(params.leader_ms, 10**9) == 10_000


def test_an_idle_validator_has_nothing_to_say_until_the_heartbeat() -> None:
    bench = Bench(leads=1, work=False)
    assert bench.wait(bench.params.heartbeat_ms - 1) == []
    bench.wait(1)
    assert len(bench.of(Build)) == 1


def test_the_pace_holds_the_leader_and_the_others_patience() -> None:
    bench = Bench(leads=2, params=Params(pace_ms=400))
    bench.wait(399)
    assert bench.of(Build) == []
    bench.hear(bench.propose(1))
    bench.hear(bench.certify(bench.propose(1).vote.subject))
    assert bench.of(Build) == []
    bench.wait(400)
    assert len(bench.of(Build)) == 1


def test_a_tip_without_finality_makes_the_next_leader_propose_without_work() -> None:
    bench = Bench(leads=2, work=False)
    proposal = bench.propose(1)
    bench.hear(proposal)
    bench.hear(bench.certify(proposal.vote.subject))
    assert bench.of(Build) == []
    bench.wait(bench.params.advance_ms)
    assert len(bench.of(Build)) == 1


def test_timers_stop_when_what_was_due_came_with_a_late_block() -> None:
    bench = Bench(follows=2)
    proposal = bench.propose(1)
    bench.hear(bench.certify(proposal.vote.subject))
    bench.wait(bench.params.delta_ms)  # Work has waited for so long: the view's timers run.
    bench.hear(proposal)
    bench.hear(bench.certify(finalize(proposal.vote.subject)))
    bench.do(WorkPending(None))
    assert bench.wait(bench.params.heartbeat_ms - 500) == []


def test_timers_go_on_once_a_vote_of_the_view_is_cast() -> None:
    bench = Bench()
    bench.hear(bench.propose(1))
    bench.do(WorkPending(None))
    bench.wait(bench.params.advance_ms)
    assert bench.voted(NULLIFY) == [nullify(1)]


# Admission.


def test_a_vote_counts_only_from_its_signer() -> None:
    bench = Bench()
    one, two = bench.others[:2]
    bench.hear(bench.sign(nullify(1), one), two)
    assert bench.of(Misbehaviour)[0].member == two


def test_votes_far_ahead_and_of_other_epochs_are_dropped() -> None:
    bench = Bench()
    bench.hear_all(bench.votes(nullify(3)))
    other = Subject(NULLIFY, Epoch(1), View(1), View(0), nullify(1).block_hash)
    bench.hear_all(bench.votes(other))
    assert bench.engine.view == 1
    bench.hear_all(bench.votes(nullify(2)))
    assert bench.engine.view == 3


def test_a_nullify_that_names_a_block_is_an_offence() -> None:
    bench = Bench()
    odd = Subject(NULLIFY, Epoch(0), View(1), View(0), GENESIS.hash)
    bench.hear(bench.sign(odd, bench.others[0]))
    assert len(bench.of(Misbehaviour)) == 1


def test_forged_votes_are_found_when_they_would_matter_and_only_then() -> None:
    bench = Bench()
    forger = bench.leader(1)
    one, two = [m for m in bench.others if m != forger]
    bench.hear(Vote(nullify(1), forger, bench.sign(nullify(2), forger).signature))
    # The leader gave up, so this validator does: two of four, and nothing to verify yet.
    assert bench.of(Misbehaviour) == []
    bench.hear(bench.sign(nullify(1), one))
    assert [offence.member for offence in bench.of(Misbehaviour)] == [forger]
    assert bench.engine.view == 1
    bench.hear(bench.sign(nullify(1), two))
    assert bench.engine.view == 2


# Observers.


def test_an_observer_follows_and_says_nothing() -> None:
    bench = Bench(observer=True)
    proposal = bench.propose(1)
    effects = bench.hear(proposal)
    effects += bench.hear_all(bench.votes(proposal.vote.subject))
    effects += bench.hear_all(bench.votes(finalize(proposal.vote.subject)))
    assert bench.engine.floor.block == ref(proposal)
    effects += bench.wait(60_000)
    assert [m for m in effects if isinstance(m, Send | Broadcast)] == []


# Catching up.


def test_a_finalization_out_of_reach_asks_for_block_sync_until_caught_up() -> None:
    bench = Bench()
    far = bench.certify(finalize(bench.propose(99).vote.subject))
    bench.hear(far)
    assert bench.of(Behind) == [Behind(far, bench.others[0])]
    bench.wait(bench.params.standstill_ms)
    assert len(bench.of(Behind)) == 1
    bench.do(CaughtUp(far))
    assert bench.engine.floor.block.view == 99
    assert bench.engine.view == 100
    bench.wait(bench.params.standstill_ms)
    assert bench.of(Behind) == []
    bench.do(CaughtUp(far))
    assert bench.engine.view >= 100
