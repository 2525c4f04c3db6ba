"""Time, admission, observers and catching up, asked of one engine (spec §1.5 to §1.10)."""

from consensus.effects import Behind, Broadcast, Build, Misbehaviour, Send
from consensus.events import CaughtUp, WorkPending
from consensus.messages import Subject, Vote
from consensus.params import Params
from ledger.primitives.scalars import Epoch, View
from ledger.primitives.votes import VoteKind
from tests.support.consensus.engine_rig import EngineRig, finalize, nullify, ref
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
    rig = EngineRig(leads=1, work=False)
    assert rig.wait(rig.params.heartbeat_ms - 1) == []
    rig.wait(1)
    assert len(rig.of(Build)) == 1


def test_the_pace_holds_the_leader_and_the_others_patience() -> None:
    rig = EngineRig(leads=2, params=Params(pace_ms=400))
    rig.wait(399)
    assert rig.of(Build) == []
    rig.hear(rig.propose(1))
    rig.hear(rig.certify(rig.propose(1).vote.subject))
    assert rig.of(Build) == []
    rig.wait(400)
    assert len(rig.of(Build)) == 1


def test_a_tip_without_finality_makes_the_next_leader_propose_without_work() -> None:
    rig = EngineRig(leads=2, work=False)
    proposal = rig.propose(1)
    rig.hear(proposal)
    rig.hear(rig.certify(proposal.vote.subject))
    assert rig.of(Build) == []
    rig.wait(rig.params.advance_ms)
    assert len(rig.of(Build)) == 1


def test_timers_stop_when_what_was_due_came_with_a_late_block() -> None:
    rig = EngineRig(follows=2)
    proposal = rig.propose(1)
    rig.hear(rig.certify(proposal.vote.subject))
    rig.wait(rig.params.delta_ms)  # Work has waited for so long: the view's timers run.
    rig.hear(proposal)
    rig.hear(rig.certify(finalize(proposal.vote.subject)))
    rig.do(WorkPending(None))
    assert rig.wait(rig.params.heartbeat_ms - 500) == []


def test_timers_go_on_once_a_vote_of_the_view_is_cast() -> None:
    rig = EngineRig()
    rig.hear(rig.propose(1))
    rig.do(WorkPending(None))
    rig.wait(rig.params.advance_ms)
    assert rig.voted(NULLIFY) == [nullify(1)]


# Admission.


def test_a_vote_counts_only_from_its_signer() -> None:
    rig = EngineRig()
    one, two = rig.others[:2]
    rig.hear(rig.sign(nullify(1), one), two)
    assert rig.of(Misbehaviour)[0].member == two


def test_votes_far_ahead_and_of_other_epochs_are_dropped() -> None:
    rig = EngineRig()
    rig.hear_all(rig.votes(nullify(3)))
    other = Subject(NULLIFY, Epoch(1), View(1), View(0), nullify(1).block_hash)
    rig.hear_all(rig.votes(other))
    assert rig.engine.view == 1
    rig.hear_all(rig.votes(nullify(2)))
    assert rig.engine.view == 3


def test_a_nullify_that_names_a_block_is_an_offence() -> None:
    rig = EngineRig()
    odd = Subject(NULLIFY, Epoch(0), View(1), View(0), GENESIS.hash)
    rig.hear(rig.sign(odd, rig.others[0]))
    assert len(rig.of(Misbehaviour)) == 1


def test_forged_votes_are_found_when_they_would_matter_and_only_then() -> None:
    rig = EngineRig()
    forger = rig.leader(1)
    one, two = [m for m in rig.others if m != forger]
    rig.hear(Vote(nullify(1), forger, rig.sign(nullify(2), forger).signature))
    # The leader gave up, so this validator does: two of four, and nothing to verify yet.
    assert rig.of(Misbehaviour) == []
    rig.hear(rig.sign(nullify(1), one))
    assert [offence.member for offence in rig.of(Misbehaviour)] == [forger]
    assert rig.engine.view == 1
    rig.hear(rig.sign(nullify(1), two))
    assert rig.engine.view == 2


# Observers.


def test_an_observer_follows_and_says_nothing() -> None:
    rig = EngineRig(observer=True)
    proposal = rig.propose(1)
    effects = rig.hear(proposal)
    effects += rig.hear_all(rig.votes(proposal.vote.subject))
    effects += rig.hear_all(rig.votes(finalize(proposal.vote.subject)))
    assert rig.engine.floor.block == ref(proposal)
    effects += rig.wait(60_000)
    assert [m for m in effects if isinstance(m, Send | Broadcast)] == []


# Catching up.


def test_a_finalization_out_of_reach_asks_for_block_sync_until_caught_up() -> None:
    rig = EngineRig()
    far = rig.certify(finalize(rig.propose(99).vote.subject))
    rig.hear(far)
    assert rig.of(Behind) == [Behind(far, rig.others[0])]
    rig.wait(rig.params.standstill_ms)
    assert len(rig.of(Behind)) == 1
    rig.do(CaughtUp(far))
    assert rig.engine.floor.block.view == 99
    assert rig.engine.view == 100
    rig.wait(rig.params.standstill_ms)
    assert rig.of(Behind) == []
    rig.do(CaughtUp(far))
    assert rig.engine.view >= 100
