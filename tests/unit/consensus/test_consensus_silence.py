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
from tests.support.consensus.lone_engine import Bench, Mute, nullify
from tests.support.consensus.network import CHAIN, EPOCH, Net

NOTARIZE, NULLIFY, FINALIZE = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE
STAKES = (1, 1, 1, 1, 1)
CALM = Params(pace_ms=200)


def own_votes(bench: Bench) -> list[Vote]:
    return [m for m in bench.said() if isinstance(m, Vote) and m.signer == bench.me]


def test_who_lost_its_journal_asks_and_says_nothing_else() -> None:
    bench = Mute(STAKES)
    assert [e.message for e in bench.of(Broadcast)] == [FetchView(EPOCH)]
    bench.hear(bench.propose(1))
    bench.hear(bench.certify(bench.propose(1).vote.subject))
    assert own_votes(bench) == []
    effects = bench.wait(20_000)
    asked = [e.message for e in effects if isinstance(e, Broadcast)]
    assert set(asked) == {FetchView(EPOCH)}
    assert len(asked) == 20


def test_a_leader_without_its_journal_does_not_propose() -> None:
    bench = Mute(STAKES, leads=1)
    bench.wait(5_000)
    assert bench.of(Build) == []


def test_it_votes_again_two_views_above_what_a_quorum_has_shown_and_not_before() -> None:
    bench = Mute(STAKES, follows=7)
    for member in bench.others:
        bench.report(member, 4)
    bench.finalize(5)
    bench.check_again()
    assert bench.engine.is_silent, "view 5 may hold a forgotten vote"
    bench.finalize(6)
    bench.check_again()
    bench.do(DeadlinePassed())
    assert bench.of(Regained) == [Regained(6)]
    assert not bench.engine.is_silent
    proposal = bench.propose(7, bench.engine.floor.block, bench.engine.floor.finalization)
    bench.hear(proposal)
    assert bench.voted(NOTARIZE) == [proposal.vote.subject]


def test_fewer_than_a_quorum_of_others_settle_nothing() -> None:
    bench = Mute(STAKES)
    for member in bench.others[:3]:
        bench.report(member, 4)
    bench.finalize(9)
    bench.wait(10_000)
    assert bench.engine.is_silent


def test_a_claim_without_its_certificate_moves_nothing() -> None:
    bench = Mute(STAKES)
    forged = bench.certify(nullify(900), bench.others)
    forged = Certificate(forged.subject, tuple((m, bytes(64)) for m, _ in forged.votes))
    bench.hear(ViewReport(EPOCH, forged, None), bench.others[0])
    assert bench.reasons()
    bench.pardon()
    for member in bench.others:
        bench.report(member, 2)
    bench.finalize(4)
    bench.check_again()
    bench.do(DeadlinePassed())
    assert not bench.engine.is_silent


def test_a_report_of_another_epoch_is_no_answer() -> None:
    bench = Mute(STAKES)
    bench.finalize(9)
    for _ in range(2):
        bench.wait(bench.params.retry_ms)
        for member in bench.others:
            bench.hear(ViewReport(Epoch(1), None, None), member)
    bench.do(DeadlinePassed())
    assert bench.engine.is_silent
    alien = Subject(NULLIFY, Epoch(1), nullify(3).view, nullify(3).parent_view, bytes(32))
    bench.hear(ViewReport(EPOCH, bench.certify(alien), None), bench.others[0])
    assert len(bench.reasons()) == 1


def test_a_vote_of_its_key_while_it_is_silent_means_a_second_copy_and_it_never_votes() -> None:
    bench = Mute(STAKES)
    for member in bench.others:
        bench.report(member, 2)
    bench.finalize(4)
    twin = bench.sign(nullify(5), bench.me)
    bench.check_again(vote=twin)
    assert len(bench.of(Muted)) == 0, "told once, when the first said so"
    bench.wait(60_000)
    bench.finalize(9)
    bench.check_again()
    bench.do(DeadlinePassed())
    assert bench.engine.is_silent


def test_an_old_vote_of_its_own_is_no_second_copy() -> None:
    bench = Mute(STAKES)
    for member in bench.others:
        bench.report(member, 4, bench.sign(nullify(5), bench.me))
    bench.finalize(6)
    bench.check_again()
    bench.do(DeadlinePassed())
    assert not bench.engine.is_silent


def test_a_forged_vote_can_not_silence_anyone() -> None:
    bench = Mute(STAKES)
    for member in bench.others:
        bench.report(member, 2)
    bench.finalize(4)
    forged = Vote(nullify(5), bench.me, bench.sign(nullify(6), bench.me).signature)
    bench.check_again(vote=forged)
    bench.do(DeadlinePassed())
    assert not bench.engine.is_silent


def test_a_certificate_with_a_vote_never_cast_silences_a_validator_at_once() -> None:
    bench = Bench(STAKES)
    signers = [bench.me, *bench.others[:3]]
    bench.hear(bench.certify(nullify(1), signers))
    assert len(bench.of(Muted)) == 1
    assert bench.engine.is_silent
    proposal = bench.propose(2, nullifications=[bench.certify(nullify(1), signers)])
    bench.hear(proposal)
    assert own_votes(bench) == []
    bench.boot()
    assert bench.engine.is_silent, "the certificate is in the journal, the vote is not"


def test_a_certificate_with_its_own_vote_silences_nobody() -> None:
    bench = Bench(STAKES)
    bench.wait(800)
    assert bench.voted(NULLIFY) == [nullify(1)]
    bench.hear(bench.certify(nullify(1), [bench.me, *bench.others[:3]]))
    assert not bench.engine.is_silent
    bench.boot()
    assert not bench.engine.is_silent


def test_a_vote_from_ones_own_name_is_a_twins() -> None:
    bench = Bench(STAKES)
    bench.do(Received(bench.me, bench.sign(nullify(1), bench.me)))
    assert len(bench.of(Muted)) == 1
    bench = Bench(STAKES)
    forged = Vote(nullify(1), bench.me, bench.sign(nullify(2), bench.me).signature)
    bench.do(Received(bench.me, forged))
    assert bench.of(Muted) == []


def test_the_asked_show_their_certificate_and_the_askers_newest_vote() -> None:
    bench = Bench(STAKES)
    asker = bench.others[0]
    bench.hear(FetchView(EPOCH), asker)
    assert bench.of(Send) == [Send(asker, ViewReport(EPOCH, None, None))]
    nullification = bench.certify(nullify(1))
    bench.hear(nullification)
    vote = bench.sign(nullify(2), asker)
    bench.hear(vote)
    bench.hear(FetchView(EPOCH), asker)
    assert bench.of(Send) == [Send(asker, ViewReport(EPOCH, nullification, vote))]
    bench.hear(FetchView(Epoch(1)), asker)
    assert bench.of(Send) == []
    assert epoch_of(FetchView(EPOCH)) == EPOCH


def test_who_is_not_silent_ignores_reports() -> None:
    bench = Bench(STAKES)
    bench.hear(ViewReport(EPOCH, bench.certify(nullify(8)), None), bench.others[0])
    assert bench.engine.view == 1
    assert bench.of(Muted) == []


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
    bench = Mute(STAKES)
    assert not bench.engine.is_freed_by(View(900)), "nobody has answered"
    for member in bench.others:
        bench.report(member, 4)
    assert not bench.engine.is_freed_by(View(3)), "some had left its view, so it may have been over"
    assert bench.engine.is_freed_by(View(4))


def test_an_epochs_end_frees_nobody_who_has_a_twin() -> None:
    bench = Mute(STAKES)
    for member in bench.others:
        bench.report(member, 4)
    bench.report(bench.others[0], 4, bench.sign(nullify(6), bench.me))
    assert bench.engine.has_twin
    assert not bench.engine.is_freed_by(View(900))


def test_an_epochs_end_does_not_free_who_met_a_vote_that_it_would_not_have_forgotten() -> None:
    bench = Bench(STAKES)
    bench.do(Received(bench.me, bench.sign(nullify(1), bench.me)))
    assert bench.engine.is_silent
    for member in bench.others:
        bench.hear(ViewReport(EPOCH, None, None), member)
    assert not bench.engine.is_freed_by(View(900))


def test_a_word_on_a_connection_of_ones_own_key_silences_only_if_it_is_ones_own_vote() -> None:
    bench = Bench()
    about = bench.propose(1).vote.subject
    for signer in (*bench.others, Member(99)):
        vote = bench.sign(about, bench.others[0])
        bench.hear(Vote(about, signer, vote.signature), bench.me)
    assert not bench.engine.is_silent
    bench.hear(bench.sign(about, bench.me), bench.me)
    assert bench.engine.is_silent
