"""From an engine's offence to a body that the ledger punishes (spec §4.3)."""

import pytest
from msgspec.structs import replace

from consensus.effects import Misbehaviour
from consensus.messages import Subject, Vote
from ledger.primitives.scalars import View
from ledger.primitives.votes import VoteKind
from ledger.types.votes import FaultKind, fault_between
from node.core.evidence import evidence_of
from tests.support.consensus.engine_rig import EngineRig, finalize, nullify
from tests.support.consensus.network import CHAIN

NOTARIZE, FINALIZE = VoteKind.NOTARIZE, VoteKind.FINALIZE


def pair(rig: EngineRig, fault: FaultKind) -> tuple[Subject, Subject]:
    """Two subjects that make the fault."""
    one = rig.propose(1).vote.subject
    other = rig.propose(1, note=b"good, too").vote.subject
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
    rig = EngineRig()
    culprit = rig.others[0]
    rig.hear(rig.sign(pair(rig, fault)[::turn][0], culprit))
    rig.hear(rig.sign(pair(rig, fault)[::turn][1], culprit))
    (offence,) = rig.of(Misbehaviour)
    evidence = evidence_of(rig.committee, offence)
    assert evidence is not None
    assert evidence.validator == rig.keys[culprit].public
    assert fault_between(evidence.first, evidence.second) is fault
    shown = {(v.signing_bytes(CHAIN), v.signature) for v in (evidence.first, evidence.second)}
    assert shown == {
        (subject.signing_bytes(CHAIN), rig.sign(subject, culprit).signature)
        for subject in pair(rig, fault)
    }


def test_the_same_two_votes_make_the_same_body_in_whichever_order_they_came() -> None:
    rig = EngineRig()
    one, other = (
        rig.sign(subject, rig.others[0]) for subject in pair(rig, FaultKind.TWO_NOTARIZED)
    )
    bodies = [
        evidence_of(rig.committee, Misbehaviour(rig.others[0], "", proof))
        for proof in ((one, other), (other, one))
    ]
    assert bodies[0] == bodies[1]


def test_a_fault_without_proof_is_no_evidence() -> None:
    rig = EngineRig()
    assert evidence_of(rig.committee, Misbehaviour(rig.others[0], "it sent garbage", None)) is None


def test_votes_that_differ_in_the_parents_view_alone_are_no_evidence() -> None:
    rig = EngineRig()
    about = replace(rig.propose(1).vote.subject, view=View(3))
    votes = tuple(
        rig.sign(replace(about, parent_view=View(parent)), rig.others[0]) for parent in (1, 2)
    )
    offence = Misbehaviour(rig.others[0], "", (votes[0], votes[1]))
    assert evidence_of(rig.committee, offence) is None


def test_an_offence_is_told_again_after_a_restart() -> None:
    rig = EngineRig()
    for subject in pair(rig, FaultKind.TWO_NOTARIZED):
        rig.hear(rig.sign(subject, rig.others[0]))
    (before,) = rig.of(Misbehaviour)
    rig.boot()
    (after,) = rig.of(Misbehaviour)
    assert (after.member, set(after.proof or ())) == (before.member, set(before.proof or ()))


def test_notarize_and_then_nullify_is_no_offence() -> None:
    rig = EngineRig()
    rig.hear(rig.sign(rig.propose(1).vote.subject, rig.others[0]))
    rig.hear(rig.sign(nullify(1), rig.others[0]))
    assert rig.of(Misbehaviour) == []


def test_a_forged_pair_makes_no_evidence() -> None:
    rig = EngineRig()
    culprit = rig.others[0]
    one, other = pair(rig, FaultKind.TWO_NOTARIZED)
    rig.hear(rig.sign(one, culprit))
    forged = replace(rig.sign(other, culprit), signature=rig.sign(one, culprit).signature)
    rig.hear(forged)
    assert [offence.proof for offence in rig.of(Misbehaviour)] == [None]


def test_two_votes_of_which_one_hides_in_a_certificate_are_proof() -> None:
    rig = EngineRig()
    liar = rig.others[0]
    seen = rig.propose(1, note=b"good, too").vote.subject
    rig.hear(rig.sign(seen, liar))
    certified = rig.propose(1).vote.subject
    rig.hear(rig.certify(certified))
    (offence,) = rig.of(Misbehaviour)
    assert offence.member == liar
    assert offence.proof is not None
    assert {vote.subject for vote in offence.proof} == {seen, certified}
    assert evidence_of(rig.committee, offence) is not None


def test_a_vote_that_was_never_signed_makes_nobody_immune() -> None:
    rig = EngineRig()
    liar = rig.others[0]
    subjects = [rig.propose(1, note=note).vote.subject for note in (b"good", b"good, too")]
    rig.hear(rig.sign(subjects[0], liar))
    forged = rig.sign(subjects[1], rig.others[1])
    rig.hear(Vote(forged.subject, liar, forged.signature))
    assert [offence.proof for offence in rig.of(Misbehaviour)] == [None]
    rig.pardon()
    rig.hear(rig.sign(subjects[1], liar))
    (offence,) = rig.of(Misbehaviour)
    assert offence.proof is not None


def test_a_forged_vote_beside_a_certificate_is_its_senders_fault_alone() -> None:
    rig = EngineRig()
    liar, messenger = rig.others[:2]
    forged = rig.sign(rig.propose(1, note=b"good, too").vote.subject, messenger)
    rig.hear(Vote(forged.subject, liar, forged.signature))
    rig.hear(rig.certify(rig.propose(1).vote.subject), messenger)
    assert [(o.member, o.proof) for o in rig.of(Misbehaviour)] == [(liar, None)]
    assert rig.engine.view == 2
