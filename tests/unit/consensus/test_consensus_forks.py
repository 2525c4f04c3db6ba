"""A third and more lies: what can't both be is told, and names who signed both (spec §4.4)."""

import pytest

from consensus.effects import Forked, Misbehaviour
from consensus.messages import Certificate, Subject
from consensus.types import BlockRef
from ledger.primitives.keys import Signature
from node.core.evidence import evidence_of
from tests.support.consensus.engine_rig import EngineRig, finalize, nullify, ref
from tests.support.consensus.network import GENESIS


def final(rig: EngineRig, note: bytes = b"good") -> Subject:
    """Make a block of view 1 final here."""
    proposal = rig.propose(1, note=note)
    rig.hear(proposal)
    rig.hear(rig.certify(proposal.vote.subject))
    rig.hear(rig.certify(finalize(proposal.vote.subject)))
    assert rig.engine.floor.block == ref(proposal)
    return proposal.vote.subject


def other(rig: EngineRig) -> Subject:
    return rig.propose(1, note=b"good, too").vote.subject


def rivals(rig: EngineRig) -> dict[str, Subject]:
    return {
        "notarization": other(rig),
        "finalization": finalize(other(rig)),
        "nullification": nullify(1),
    }


@pytest.mark.parametrize("rival", ["notarization", "finalization", "nullification"])
def test_a_certificate_that_contradicts_the_floor_names_who_signed_both(rival: str) -> None:
    rig = EngineRig()
    final(rig)
    floor = rig.engine.floor
    rig.hear(rig.certify(rivals(rig)[rival]))
    (fork,) = rig.of(Forked)
    assert fork.culprits == tuple(rig.others)
    assert rig.engine.floor == floor
    told = rig.of(Misbehaviour)
    assert {offence.member for offence in told} == set(rig.others)
    assert all(evidence_of(rig.committee, offence) for offence in told)


def test_a_fork_is_told_once_a_view() -> None:
    rig = EngineRig()
    final(rig)
    rig.hear(rig.certify(finalize(other(rig))))
    assert len(rig.of(Forked)) == 1
    rig.hear(rig.certify(finalize(other(rig))))
    rig.hear(rig.certify(nullify(1)))
    assert rig.of(Forked) == []


def test_two_blocks_notarized_in_the_current_view_are_told_before_anything_is_final() -> None:
    rig = EngineRig()
    rig.hear(rig.certify(rig.propose(1).vote.subject))
    rig.hear(rig.certify(other(rig)))
    assert len(rig.of(Forked)) == 1


def test_a_nullification_beside_a_notarization_is_no_fork() -> None:
    rig = EngineRig()
    rig.hear(rig.certify(rig.propose(1).vote.subject))
    rig.hear(rig.certify(nullify(1)))
    assert rig.of(Forked) == []
    assert rig.of(Misbehaviour) == []


def test_a_forged_contradiction_accuses_its_sender_alone() -> None:
    rig = EngineRig()
    final(rig)
    genuine = rig.certify(finalize(other(rig)))
    forged = Certificate(
        genuine.subject, tuple((m, Signature(bytes(64))) for m, _ in genuine.votes)
    )
    rig.hear(forged, rig.others[0])
    assert rig.of(Forked) == []
    assert [(o.member, o.proof) for o in rig.of(Misbehaviour)] == [(rig.others[0], None)]


def test_an_old_certificate_that_agrees_costs_no_look() -> None:
    rig = EngineRig()
    about = final(rig)
    again = rig.certify(finalize(about), rig.others[::-1])
    forged = Certificate(again.subject, tuple((m, Signature(bytes(64))) for m, _ in again.votes))
    assert rig.hear(forged) == []


def test_a_final_block_whose_ancestry_passes_beside_the_floor_is_a_fork() -> None:
    rig = EngineRig(follows=2)
    final(rig)
    floor = rig.engine.floor
    proposal = rig.propose(2, GENESIS, None, [rig.certify(nullify(1), rig.others)])
    rig.hear(proposal)
    assert [fork.other.subject for fork in rig.of(Forked)] == [nullify(1)]
    rig.hear(rig.certify(finalize(proposal.vote.subject)))
    (fork,) = rig.of(Forked)
    assert (fork.held, fork.other.subject) == (floor.finalization, finalize(proposal.vote.subject))
    assert fork.culprits == tuple(rig.others)
    assert rig.of(Misbehaviour) == [], "votes of two views are no evidence by themselves"
    assert rig.engine.floor == floor


def test_without_lies_nothing_is_told() -> None:
    rig = EngineRig(follows=2)
    about = final(rig)
    block = BlockRef(about.view, about.block_hash)
    proposal = rig.propose(2, block, rig.engine.floor.finalization)
    rig.hear(proposal)
    rig.hear(rig.certify(proposal.vote.subject))
    rig.hear(rig.certify(finalize(proposal.vote.subject)))
    assert rig.of(Forked) == []
    assert rig.engine.floor.block == ref(proposal)
