"""A validator that may have forgotten its votes is silent until none can matter (spec §2.4)."""

from consensus.effects import Broadcast, Build, Muted, Regained, Send
from consensus.engine import Engine
from consensus.events import CaughtUp, DeadlinePassed, Received, Started
from consensus.leader import first_seed
from consensus.messages import Certificate, FetchView, Subject, ViewReport, Vote, epoch_of
from consensus.params import Params
from consensus.state import Floor
from ledger.primitives.committee import Member
from ledger.primitives.scalars import Epoch, View
from ledger.primitives.votes import VoteKind
from tests.support.consensus.engine_rig import EngineRig, Mute, nullify
from tests.support.consensus.network import CHAIN, EPOCH, Net

NOTARIZE, NULLIFY, FINALIZE = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE
STAKES = (1, 1, 1, 1, 1)
CALM = Params(pace_ms=200)


def own_votes(rig: EngineRig) -> list[Vote]:
    return [m for m in rig.said() if isinstance(m, Vote) and m.signer == rig.me]


def test_who_lost_its_journal_asks_and_says_nothing_else() -> None:
    rig = Mute(STAKES)
    assert [e.message for e in rig.of(Broadcast)] == [FetchView(EPOCH)]
    rig.hear(rig.propose(1))
    rig.hear(rig.certify(rig.propose(1).vote.subject))
    assert own_votes(rig) == []
    effects = rig.wait(20_000)
    asked = [e.message for e in effects if isinstance(e, Broadcast)]
    assert set(asked) == {FetchView(EPOCH)}
    assert len(asked) == 20


def test_a_leader_without_its_journal_does_not_propose() -> None:
    rig = Mute(STAKES, leads=1)
    rig.wait(5_000)
    assert rig.of(Build) == []


def test_it_votes_again_two_views_above_what_a_quorum_has_shown_and_not_before() -> None:
    rig = Mute(STAKES, follows=7)
    for member in rig.others:
        rig.report(member, 4)
    rig.finalize(5)
    rig.check_again()
    assert rig.engine.is_silent, "view 5 may hold a forgotten vote"
    rig.finalize(6)
    rig.check_again()
    rig.do(DeadlinePassed())
    assert rig.of(Regained) == [Regained(6)]
    assert not rig.engine.is_silent
    proposal = rig.propose(7, rig.engine.floor.block, rig.engine.floor.finalization)
    rig.hear(proposal)
    assert rig.voted(NOTARIZE) == [proposal.vote.subject]


def test_fewer_than_a_quorum_of_others_settle_nothing() -> None:
    rig = Mute(STAKES)
    for member in rig.others[:3]:
        rig.report(member, 4)
    rig.finalize(9)
    rig.wait(10_000)
    assert rig.engine.is_silent


def test_a_claim_without_its_certificate_moves_nothing() -> None:
    rig = Mute(STAKES)
    forged = rig.certify(nullify(900), rig.others)
    forged = Certificate(forged.subject, tuple((m, bytes(64)) for m, _ in forged.votes))
    rig.hear(ViewReport(EPOCH, forged, None), rig.others[0])
    assert rig.reasons()
    rig.pardon()
    for member in rig.others:
        rig.report(member, 2)
    rig.finalize(4)
    rig.check_again()
    rig.do(DeadlinePassed())
    assert not rig.engine.is_silent


def test_a_report_of_another_epoch_is_no_answer() -> None:
    rig = Mute(STAKES)
    rig.finalize(9)
    for _ in range(2):
        rig.wait(rig.params.retry_ms)
        for member in rig.others:
            rig.hear(ViewReport(Epoch(1), None, None), member)
    rig.do(DeadlinePassed())
    assert rig.engine.is_silent
    alien = Subject(NULLIFY, Epoch(1), nullify(3).view, nullify(3).parent_view, bytes(32))
    rig.hear(ViewReport(EPOCH, rig.certify(alien), None), rig.others[0])
    assert len(rig.reasons()) == 1


def test_a_vote_of_its_key_while_it_is_silent_means_a_second_copy_and_it_never_votes() -> None:
    rig = Mute(STAKES)
    for member in rig.others:
        rig.report(member, 2)
    rig.finalize(4)
    twin = rig.sign(nullify(5), rig.me)
    rig.check_again(vote=twin)
    assert len(rig.of(Muted)) == 0, "told once, when the first said so"
    rig.wait(60_000)
    rig.finalize(9)
    rig.check_again()
    rig.do(DeadlinePassed())
    assert rig.engine.is_silent


def test_an_old_vote_of_its_own_is_no_second_copy() -> None:
    rig = Mute(STAKES)
    for member in rig.others:
        rig.report(member, 4, rig.sign(nullify(5), rig.me))
    rig.finalize(6)
    rig.check_again()
    rig.do(DeadlinePassed())
    assert not rig.engine.is_silent


def test_a_forged_vote_can_not_silence_anyone() -> None:
    rig = Mute(STAKES)
    for member in rig.others:
        rig.report(member, 2)
    rig.finalize(4)
    forged = Vote(nullify(5), rig.me, rig.sign(nullify(6), rig.me).signature)
    rig.check_again(vote=forged)
    rig.do(DeadlinePassed())
    assert not rig.engine.is_silent


def test_a_certificate_with_a_vote_never_cast_silences_a_validator_at_once() -> None:
    rig = EngineRig(STAKES)
    signers = [rig.me, *rig.others[:3]]
    rig.hear(rig.certify(nullify(1), signers))
    assert len(rig.of(Muted)) == 1
    assert rig.engine.is_silent
    proposal = rig.propose(2, nullifications=[rig.certify(nullify(1), signers)])
    rig.hear(proposal)
    assert own_votes(rig) == []
    rig.boot()
    assert rig.engine.is_silent, "the certificate is in the journal, the vote is not"


def test_a_certificate_with_its_own_vote_silences_nobody() -> None:
    rig = EngineRig(STAKES)
    rig.wait(800)
    assert rig.voted(NULLIFY) == [nullify(1)]
    rig.hear(rig.certify(nullify(1), [rig.me, *rig.others[:3]]))
    assert not rig.engine.is_silent
    rig.boot()
    assert not rig.engine.is_silent


def test_a_vote_from_ones_own_name_is_a_twins() -> None:
    rig = EngineRig(STAKES)
    rig.do(Received(rig.me, rig.sign(nullify(1), rig.me)))
    assert len(rig.of(Muted)) == 1
    rig = EngineRig(STAKES)
    forged = Vote(nullify(1), rig.me, rig.sign(nullify(2), rig.me).signature)
    rig.do(Received(rig.me, forged))
    assert rig.of(Muted) == []


def test_the_asked_show_their_certificate_and_the_askers_newest_vote() -> None:
    rig = EngineRig(STAKES)
    asker = rig.others[0]
    rig.hear(FetchView(EPOCH), asker)
    assert rig.of(Send) == [Send(asker, ViewReport(EPOCH, None, None))]
    nullification = rig.certify(nullify(1))
    rig.hear(nullification)
    vote = rig.sign(nullify(2), asker)
    rig.hear(vote)
    rig.hear(FetchView(EPOCH), asker)
    assert rig.of(Send) == [Send(asker, ViewReport(EPOCH, nullification, vote))]
    rig.hear(FetchView(Epoch(1)), asker)
    assert rig.of(Send) == []
    assert epoch_of(FetchView(EPOCH)) == EPOCH


def test_who_is_not_silent_ignores_reports() -> None:
    rig = EngineRig(STAKES)
    rig.hear(ViewReport(EPOCH, rig.certify(nullify(8)), None), rig.others[0])
    assert rig.engine.view == 1
    assert rig.of(Muted) == []


def test_in_a_net_the_one_that_lost_its_journal_comes_back_and_nobody_is_slashable() -> None:
    for seed in range(4):
        net = Net(seed, stakes=STAKES, params=CALM)
        net.run(3_000)
        machine = net.machines[seed % 5]
        net.stop(machine.member)
        machine.journal = b""
        net.start(machine, silent=True)
        assert machine.engine is not None
        net.run(net.now_ms + 6_000)
        assert not machine.engine.is_silent
        before = net.now_ms
        net.run(before + 2_000)
        said = [m for at, by, _, m in net.sent if at > before and by == machine.member]
        assert any(isinstance(m, Vote) for m in said)
        assert all(m.offences == [] for m in net.machines)


def test_two_silent_ones_of_seven_come_back_together() -> None:
    net = Net(3, stakes=(1,) * 7, params=CALM)
    net.run(2_000)
    for member in (2, 5):
        net.stop(member)
        net.machines[member].journal = b""
    for member in (2, 5):
        net.start(net.machines[member], silent=True)
    net.run(net.now_ms + 8_000)
    assert [m.engine.is_silent for m in net.machines if m.engine] == [False] * 7


def test_a_second_copy_of_a_key_is_found_by_the_one_that_comes_back() -> None:
    net = Net(4, stakes=STAKES, params=CALM)
    net.run(2_000)
    machine = net.machines[0]
    twin = Engine(
        net.params,
        CHAIN,
        EPOCH,
        net.committee,
        first_seed(CHAIN),
        Member(0),
        machine.key,
        Floor(net.machines[1].floor.block, net.machines[1].floor.finalization),
        silent=True,
    )
    twin.handle(Started(), net.now_ms)
    for _ in range(40):
        for effect in twin.handle(DeadlinePassed(), net.now_ms):
            if isinstance(effect, Broadcast) and isinstance(effect.message, FetchView):
                for other in net.machines[1:]:
                    assert other.engine is not None
                    for answer in other.engine.handle(
                        Received(Member(0), effect.message), net.now_ms
                    ):
                        if isinstance(answer, Send) and isinstance(answer.message, ViewReport):
                            twin.handle(Received(other.member, answer.message), net.now_ms)
        floor = net.machines[1].floor
        if floor.finalization is not None:
            twin.handle(CaughtUp(floor.finalization), net.now_ms)
        net.run(net.now_ms + 250)
    assert twin.is_silent
    assert machine.engine is not None
    assert not machine.engine.is_silent


def test_an_epochs_end_frees_if_nobody_had_seen_its_last_block_when_asked() -> None:
    rig = Mute(STAKES)
    assert not rig.engine.is_freed_by(View(900)), "nobody has answered"
    for member in rig.others:
        rig.report(member, 4)
    assert not rig.engine.is_freed_by(View(3)), "some had left its view, so it may have been over"
    assert rig.engine.is_freed_by(View(4))


def test_an_epochs_end_frees_nobody_who_has_a_twin() -> None:
    rig = Mute(STAKES)
    for member in rig.others:
        rig.report(member, 4)
    rig.report(rig.others[0], 4, rig.sign(nullify(6), rig.me))
    assert rig.engine.has_twin
    assert not rig.engine.is_freed_by(View(900))


def test_an_epochs_end_does_not_free_who_met_a_vote_that_it_would_not_have_forgotten() -> None:
    rig = EngineRig(STAKES)
    rig.do(Received(rig.me, rig.sign(nullify(1), rig.me)))
    assert rig.engine.is_silent
    for member in rig.others:
        rig.hear(ViewReport(EPOCH, None, None), member)
    assert not rig.engine.is_freed_by(View(900))


def test_a_word_on_a_connection_of_ones_own_key_silences_only_if_it_is_ones_own_vote() -> None:
    rig = EngineRig()
    about = rig.propose(1).vote.subject
    for signer in (*rig.others, Member(99)):
        vote = rig.sign(about, rig.others[0])
        rig.hear(Vote(about, signer, vote.signature), rig.me)
    assert not rig.engine.is_silent
    rig.hear(rig.sign(about, rig.me), rig.me)
    assert rig.engine.is_silent
