"""What an engine knows at one moment, to look at: the door for oracles, tools and tests.

Plain frozen data: no later event changes a snapshot, and nothing done to one changes the engine.
The engine's own rules work on the state itself and never on this.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from consensus.justify import Gap, choose_parent, justification
from consensus.messages import Certificate
from consensus.state import Floor, State
from consensus.tree import BlockStatus
from consensus.types import BlockRef
from ledger.primitives.committee import Committee, Member
from ledger.primitives.scalars import Epoch, View
from ledger.primitives.votes import VoteKind


@dataclass(frozen=True, slots=True, kw_only=True)
class LawfulParent:
    """The block on which one of the current view must stand (R2), and what proves it lawful."""

    block: BlockRef
    certificate: Certificate | None
    """None stands for the block on which the epoch began."""
    nullifications: tuple[Certificate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryUse:
    """How much an engine keeps, in things; each has a bound that no peer can move."""

    rounds: int
    """Views of which it keeps anything."""
    bodies: int
    """Proposals in the tree of blocks."""
    pending_proposals: int
    """Views that keep their leader's proposal."""
    votes_a_view_max: int
    """First votes, one for each signer and kind, in the view that has most."""
    subjects_a_view_max: int
    """What votes are counted for, in the view that has most."""
    signed_views: int
    """Views of which the signer guard remembers own votes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSnapshot:
    """One engine's knowledge, after an event was handled and before the next."""

    epoch: Epoch
    committee: Committee
    me: Member | None
    """The member as which it votes; None if it observes."""
    view: View
    floor: Floor
    """The newest block that is final and applied here, and its proof."""
    finalization: Certificate | None
    """The highest one seen; its block may not be applied yet."""
    highest: Certificate | None
    """The certificate of the highest view: it let the engine into the current one."""
    certificates: Mapping[View, Mapping[VoteKind, Certificate]]
    """Those held, by view and kind; views without any are left out."""
    blocks: Mapping[BlockRef, BlockStatus]
    """The blocks above the floor, and a little below, whose bodies are here."""
    parent: LawfulParent | None
    """None while certificates are missing, or the block is not here or not found valid."""
    memory: MemoryUse

    def holds(self, kind: VoteKind, view: int) -> Certificate | None:
        """Find the certificate of a kind and view, if it is held."""
        return self.certificates.get(View(view), {}).get(kind)

    def is_valid(self, block: BlockRef) -> bool:
        """Tell whether the block is the floor, or stands above it and was found valid."""
        if block.view <= self.floor.block.view:
            return block == self.floor.block
        return self.blocks.get(block) is BlockStatus.VALID


def take_snapshot(s: State) -> EngineSnapshot:
    """Copy what there is to see."""
    return EngineSnapshot(
        epoch=s.epoch,
        committee=s.committee,
        me=s.me,
        view=s.view,
        floor=s.floor,
        finalization=s.finalization,
        highest=s.highest,
        certificates=MappingProxyType(
            {
                view: MappingProxyType(dict(known.certificates))
                for view, known in s.rounds.items()
                if known.certificates
            }
        ),
        blocks=MappingProxyType({block: node.standing for block, node in s.tree.nodes.items()}),
        parent=_lawful_parent(s),
        memory=_memory_use(s),
    )


def _lawful_parent(s: State) -> LawfulParent | None:
    block = choose_parent(s)
    if isinstance(block, Gap) or not s.tree.is_valid(block):
        return None
    certificate, nullifications = justification(s, block)
    return LawfulParent(block=block, certificate=certificate, nullifications=nullifications)


def _memory_use(s: State) -> MemoryUse:
    rounds = s.rounds.values()
    return MemoryUse(
        rounds=len(rounds),
        bodies=len(s.tree.nodes),
        pending_proposals=sum(known.proposal is not None for known in rounds),
        votes_a_view_max=max((len(known.tally.first) for known in rounds), default=0),
        subjects_a_view_max=max((known.tally.subjects for known in rounds), default=0),
        signed_views=0 if s.guard is None else s.guard.signed_views,
    )
