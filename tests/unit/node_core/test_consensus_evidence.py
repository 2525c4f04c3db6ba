"""From an engine's offence to a body that the ledger punishes (spec §4.3)."""

import pytest
from msgspec.structs import replace

from consensus.effects import Misbehaviour
from consensus.messages import Subject, Vote
from ledger.primitives.scalars import View
from ledger.primitives.votes import VoteKind
from ledger.types.votes import FaultKind, fault_between
from node.core.evidence import evidence_of
from tests.support.consensus.lone_engine import Bench, finalize, nullify
from tests.support.consensus.network import CHAIN

NOTARIZE, FINALIZE = VoteKind.NOTARIZE, VoteKind.FINALIZE


def pair(bench: Bench, fault: FaultKind) -> tuple[Subject, Subject]:
    """Two subjects that make the fault."""
    one = bench.propose(1).vote.subject
    other = bench.propose(1, note=b"good, too").vote.subject
    return {
        FaultKind.TWO_NOTARIZED: (one, other),
        FaultKind.TWO_FINALIZED: (finalize(one), finalize(other)),
        FaultKind.NULLIFIED_AND_FINALIZED: (nullify(1), finalize(one)),
        FaultKind.NOTARIZED_ANOTHER: (one, finalize(other)),
    }[fault]


@pytest.mark.parametrize("fault", FaultKind)
@pytest.mark.parametrize("turn", [1, -1])
def test_each_fault_that_the_engine_sees_is_one_that_the_ledger_punishes(
    fault: FaultKind, turn: int
) -> None:
    bench = Bench()
    culprit = bench.others[0]
    bench.hear(bench.sign(pair(bench, fault)[::turn][0], culprit))
    bench.hear(bench.sign(pair(bench, fault)[::turn][1], culprit))
    (offence,) = bench.of(Misbehaviour)
    evidence = evidence_of(bench.committee, offence)
    assert evidence is not None
    assert evidence.validator == bench.keys[culprit].public
    assert fault_between(evidence.first, evidence.second) is fault
    shown = {(v.signing_bytes(CHAIN), v.signature) for v in (evidence.first, evidence.second)}
    assert shown == {
        (subject.signing_bytes(CHAIN), bench.sign(subject, culprit).signature)
        for subject in pair(bench, fault)
    }


def test_the_same_two_votes_make_the_same_body_in_whichever_order_they_came() -> None:
    bench = Bench()
    one, other = (
        bench.sign(subject, bench.others[0]) for subject in pair(bench, FaultKind.TWO_NOTARIZED)
    )
    bodies = [
        evidence_of(bench.committee, Misbehaviour(bench.others[0], "", proof))
        for proof in ((one, other), (other, one))
    ]
    assert bodies[0] == bodies[1]


def test_a_fault_without_proof_is_no_evidence() -> None:
    bench = Bench()
    assert (
        evidence_of(bench.committee, Misbehaviour(bench.others[0], "it sent garbage", None)) is None
    )


def test_votes_that_differ_in_the_parents_view_alone_are_no_evidence() -> None:
    bench = Bench()
    about = replace(bench.propose(1).vote.subject, view=View(3))
    votes = tuple(
        bench.sign(replace(about, parent_view=View(parent)), bench.others[0]) for parent in (1, 2)
    )
    offence = Misbehaviour(bench.others[0], "", (votes[0], votes[1]))
    assert evidence_of(bench.committee, offence) is None


def test_an_offence_is_told_again_after_a_restart() -> None:
    bench = Bench()
    for subject in pair(bench, FaultKind.TWO_NOTARIZED):
        bench.hear(bench.sign(subject, bench.others[0]))
    (before,) = bench.of(Misbehaviour)
    bench.boot()
    (after,) = bench.of(Misbehaviour)
    assert (after.member, set(after.proof or ())) == (before.member, set(before.proof or ()))


def test_notarize_and_then_nullify_is_no_offence() -> None:
    bench = Bench()
    bench.hear(bench.sign(bench.propose(1).vote.subject, bench.others[0]))
    bench.hear(bench.sign(nullify(1), bench.others[0]))
    assert bench.of(Misbehaviour) == []


def test_a_forged_pair_makes_no_evidence() -> None:
    bench = Bench()
    culprit = bench.others[0]
    one, other = pair(bench, FaultKind.TWO_NOTARIZED)
    bench.hear(bench.sign(one, culprit))
    forged = replace(bench.sign(other, culprit), signature=bench.sign(one, culprit).signature)
    bench.hear(forged)
    assert [offence.proof for offence in bench.of(Misbehaviour)] == [None]


def test_two_votes_of_which_one_hides_in_a_certificate_are_proof() -> None:
    bench = Bench()
    liar = bench.others[0]
    seen = bench.propose(1, note=b"good, too").vote.subject
    bench.hear(bench.sign(seen, liar))
    certified = bench.propose(1).vote.subject
    bench.hear(bench.certify(certified))
    (offence,) = bench.of(Misbehaviour)
    assert offence.member == liar
    assert offence.proof is not None
    assert {vote.subject for vote in offence.proof} == {seen, certified}
    assert evidence_of(bench.committee, offence) is not None


def test_a_vote_that_was_never_signed_makes_nobody_immune() -> None:
    bench = Bench()
    liar = bench.others[0]
    subjects = [bench.propose(1, note=note).vote.subject for note in (b"good", b"good, too")]
    bench.hear(bench.sign(subjects[0], liar))
    forged = bench.sign(subjects[1], bench.others[1])
    bench.hear(Vote(forged.subject, liar, forged.signature))
    assert [offence.proof for offence in bench.of(Misbehaviour)] == [None]
    bench.pardon()
    bench.hear(bench.sign(subjects[1], liar))
    (offence,) = bench.of(Misbehaviour)
    assert offence.proof is not None


def test_a_forged_vote_beside_a_certificate_is_its_senders_fault_alone() -> None:
    bench = Bench()
    liar, messenger = bench.others[:2]
    forged = bench.sign(bench.propose(1, note=b"good, too").vote.subject, messenger)
    bench.hear(Vote(forged.subject, liar, forged.signature))
    bench.hear(bench.certify(bench.propose(1).vote.subject), messenger)
    assert [(o.member, o.proof) for o in bench.of(Misbehaviour)] == [(liar, None)]
    assert bench.engine.view == 2
