"""A third and more lies: what can't both be is told, and names who signed both (spec §4.4)."""

import pytest

from consensus.effects import Forked, Misbehaviour
from consensus.messages import Certificate, Subject
from consensus.types import BlockRef
from ledger.primitives.keys import Signature
from node.core.evidence import evidence_of
from tests.support.consensus.lone_engine import Bench, finalize, nullify, ref
from tests.support.consensus.network import GENESIS


def final(bench: Bench, note: bytes = b"good") -> Subject:
    """Make a block of view 1 final here."""
    proposal = bench.propose(1, note=note)
    bench.hear(proposal)
    bench.hear(bench.certify(proposal.vote.subject))
    bench.hear(bench.certify(finalize(proposal.vote.subject)))
    assert bench.engine.floor.block == ref(proposal)
    return proposal.vote.subject


def other(bench: Bench) -> Subject:
    return bench.propose(1, note=b"good, too").vote.subject


def rivals(bench: Bench) -> dict[str, Subject]:
    return {
        "notarization": other(bench),
        "finalization": finalize(other(bench)),
        "nullification": nullify(1),
    }


@pytest.mark.parametrize("rival", ["notarization", "finalization", "nullification"])
def test_a_certificate_that_contradicts_the_floor_names_who_signed_both(rival: str) -> None:
    bench = Bench()
    final(bench)
    floor = bench.engine.floor
    bench.hear(bench.certify(rivals(bench)[rival]))
    (fork,) = bench.of(Forked)
    assert fork.culprits == tuple(bench.others)
    assert bench.engine.floor == floor
    told = bench.of(Misbehaviour)
    assert {offence.member for offence in told} == set(bench.others)
    assert all(evidence_of(bench.committee, offence) for offence in told)


def test_a_fork_is_told_once_a_view() -> None:
    bench = Bench()
    final(bench)
    bench.hear(bench.certify(finalize(other(bench))))
    assert len(bench.of(Forked)) == 1
    bench.hear(bench.certify(finalize(other(bench))))
    bench.hear(bench.certify(nullify(1)))
    assert bench.of(Forked) == []


def test_two_blocks_notarized_in_the_current_view_are_told_before_anything_is_final() -> None:
    bench = Bench()
    bench.hear(bench.certify(bench.propose(1).vote.subject))
    bench.hear(bench.certify(other(bench)))
    assert len(bench.of(Forked)) == 1


def test_a_nullification_beside_a_notarization_is_no_fork() -> None:
    bench = Bench()
    bench.hear(bench.certify(bench.propose(1).vote.subject))
    bench.hear(bench.certify(nullify(1)))
    assert bench.of(Forked) == []
    assert bench.of(Misbehaviour) == []


def test_a_forged_contradiction_accuses_its_sender_alone() -> None:
    bench = Bench()
    final(bench)
    genuine = bench.certify(finalize(other(bench)))
    forged = Certificate(
        genuine.subject, tuple((m, Signature(bytes(64))) for m, _ in genuine.votes)
    )
    bench.hear(forged, bench.others[0])
    assert bench.of(Forked) == []
    assert [(o.member, o.proof) for o in bench.of(Misbehaviour)] == [(bench.others[0], None)]


def test_an_old_certificate_that_agrees_costs_no_look() -> None:
    bench = Bench()
    about = final(bench)
    again = bench.certify(finalize(about), bench.others[::-1])
    forged = Certificate(again.subject, tuple((m, Signature(bytes(64))) for m, _ in again.votes))
    assert bench.hear(forged) == []


def test_a_final_block_whose_ancestry_passes_beside_the_floor_is_a_fork() -> None:
    bench = Bench(follows=2)
    final(bench)
    floor = bench.engine.floor
    proposal = bench.propose(2, GENESIS, None, [bench.certify(nullify(1), bench.others)])
    bench.hear(proposal)
    assert [fork.other.subject for fork in bench.of(Forked)] == [nullify(1)]
    bench.hear(bench.certify(finalize(proposal.vote.subject)))
    (fork,) = bench.of(Forked)
    assert (fork.held, fork.other.subject) == (floor.finalization, finalize(proposal.vote.subject))
    assert fork.culprits == tuple(bench.others)
    assert bench.of(Misbehaviour) == [], "votes of two views are no evidence by themselves"
    assert bench.engine.floor == floor


def test_without_lies_nothing_is_told() -> None:
    bench = Bench(follows=2)
    about = final(bench)
    block = BlockRef(about.view, about.block_hash)
    proposal = bench.propose(2, block, bench.engine.floor.finalization)
    bench.hear(proposal)
    bench.hear(bench.certify(proposal.vote.subject))
    bench.hear(bench.certify(finalize(proposal.vote.subject)))
    assert bench.of(Forked) == []
    assert bench.engine.floor.block == ref(proposal)
