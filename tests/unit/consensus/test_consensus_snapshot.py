"""What an engine shows of itself: the whole, unchanging, and nothing that could change it."""

from dataclasses import FrozenInstanceError, fields

import pytest

from consensus.effects import Build
from consensus.events import DeadlinePassed
from consensus.snapshot import EngineSnapshot, MemoryUse
from consensus.tree import BlockStatus
from ledger.primitives.scalars import View
from ledger.primitives.votes import VoteKind
from tests.support.consensus.engine_rig import EngineRig, Mute, finalize, nullify, ref
from tests.support.consensus.network import GENESIS


def test_a_snapshot_stays_what_it_was_whatever_the_engine_does_next() -> None:
    rig = EngineRig(follows=2)
    before = rig.engine.snapshot()
    proposal = rig.propose(1)
    rig.hear(proposal)
    rig.hear(rig.certify(proposal.vote.subject))
    after = rig.engine.snapshot()
    assert (before.view, dict(before.certificates), dict(before.blocks)) == (1, {}, {})
    assert (after.view, list(after.certificates)) == (2, [1])
    assert after.blocks == {ref(proposal): BlockStatus.VALID}
    assert after.highest == after.holds(VoteKind.NOTARIZE, 1)


def test_nothing_can_be_changed_through_a_snapshot() -> None:
    rig = EngineRig()
    rig.hear(rig.certify(nullify(1)))
    known = rig.engine.snapshot()
    with pytest.raises(FrozenInstanceError):
        known.view = View(9)  # type: ignore[misc]  # It is frozen: that is what is tested.
    for mapping in (known.certificates, known.certificates[View(1)], known.blocks):
        with pytest.raises(TypeError):
            mapping[next(iter(mapping), None)] = None  # type: ignore[index]  # Read-only.
    assert rig.engine.snapshot() == known


@pytest.mark.parametrize("kind", [EngineSnapshot, MemoryUse])
def test_every_part_of_a_snapshot_has_a_name_at_the_call(kind: type) -> None:
    assert all(field.kw_only for field in fields(kind))


def test_the_parent_is_the_one_on_which_the_engine_itself_builds() -> None:
    rig = EngineRig(leads=3)
    first = rig.propose(1)
    rig.hear(first)
    certified = rig.certify(first.vote.subject)
    rig.hear(certified)
    assert rig.engine.snapshot().parent is not None
    skipped = rig.certify(nullify(2))
    built = [e for e in rig.hear(skipped) + rig.wait(1_000) if isinstance(e, Build)]
    parent = rig.engine.snapshot().parent
    assert parent is not None
    assert [(each.parent_view, each.parent_hash) for each in built] == [(1, ref(first).hash)]
    assert (parent.block, parent.certificate) == (ref(first), certified)
    assert parent.nullifications == (skipped,)


def test_a_parent_that_is_not_here_or_not_proven_is_none() -> None:
    rig = EngineRig(follows=2)
    assert rig.engine.snapshot().parent is not None, "the block on which the epoch began"
    first = rig.propose(1)
    rig.hear(rig.certify(first.vote.subject))
    assert rig.engine.snapshot().parent is None, "its body is not here"
    rig.hear(rig.certify(nullify(5)))
    assert rig.engine.snapshot().parent is None, "views 2 to 4 are not proven empty"


def test_only_the_floor_is_valid_at_its_height_and_below() -> None:
    rig = EngineRig(follows=1)
    proposal = rig.propose(1)
    rig.hear(proposal)
    assert rig.engine.snapshot().is_valid(ref(proposal))
    assert rig.engine.snapshot().is_valid(GENESIS)
    rig.hear(rig.certify(finalize(proposal.vote.subject)))
    known = rig.engine.snapshot()
    assert known.is_valid(ref(proposal))
    assert not known.is_valid(GENESIS)


def test_who_resumes_voting_votes_as_one_that_never_forgot() -> None:
    rig = Mute(follows=1)
    proposal, other = rig.propose(1), rig.propose(1, note=b"good, too")
    rig.hear(proposal)
    assert rig.voted(VoteKind.NOTARIZE) == []
    rig.engine.resume_voting()
    rig.do(DeadlinePassed())
    assert not rig.engine.is_silent
    assert rig.voted(VoteKind.NOTARIZE) == [proposal.vote.subject]
    rig.hear(other)
    assert rig.voted(VoteKind.NOTARIZE) == [], "what it signed from then on it remembers"
