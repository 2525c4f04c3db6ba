"""The proposals above the floor, as a tree of blocks (spec §1.7).

Invariant: a block is checked only after its parent is valid or the root, so a valid block has
valid ancestors all the way down to a block that was once final. The tree asks nobody for anything;
it tells what is missing and what can be checked.
"""

from dataclasses import dataclass, field
from enum import Enum

from consensus.messages import Proposal
from consensus.params import ANCESTORS_FETCHED_MAX, PROPOSALS_KEPT
from consensus.types import BlockRef
from ledger.primitives.committee import Member
from ledger.primitives.scalars import View


def block_of(proposal: Proposal) -> BlockRef:
    """Name the proposed block."""
    return BlockRef(proposal.vote.subject.view, proposal.vote.subject.block_hash)


def parent_of(proposal: Proposal) -> BlockRef:
    """Name the parent that the proposal claims."""
    return BlockRef(proposal.vote.subject.parent_view, proposal.parent_hash)


class BlockStatus(Enum):
    """How far the application has judged a block."""

    HELD = "held"
    CHECKING = "checking"
    VALID = "valid"
    INVALID = "invalid"


@dataclass(slots=True)
class ProposalNode:
    """One proposal, who sent it, and what is known of it."""

    proposal: Proposal
    source: Member
    standing: BlockStatus = BlockStatus.HELD
    durable: bool = False


@dataclass(slots=True)
class Tree:
    """Proposals by block. Those a little below the root stay to be served."""

    root: BlockRef
    nodes: dict[BlockRef, ProposalNode] = field(default_factory=dict)

    def get(self, block: BlockRef) -> ProposalNode | None:
        """Find a block's node."""
        return self.nodes.get(block)

    def add(self, proposal: Proposal, source: Member) -> ProposalNode:
        """Take a proposal in, or give the node that is there already."""
        return self.nodes.setdefault(block_of(proposal), ProposalNode(proposal, source))

    def drop(self, block: BlockRef) -> None:
        """Forget a body, so that another copy can be had."""
        self.nodes.pop(block, None)

    def is_valid(self, block: BlockRef) -> bool:
        """Tell whether one can build on the block: it is final or checked."""
        if block.view <= self.root.view:
            return block == self.root
        node = self.nodes.get(block)
        return node is not None and node.standing is BlockStatus.VALID

    def ready(self) -> list[tuple[BlockRef, ProposalNode]]:
        """List the blocks that can be checked now."""
        held = BlockStatus.HELD
        waiting = [(block, node) for block, node in self.nodes.items() if node.standing is held]
        return [one for one in waiting if self.is_valid(parent_of(one[1].proposal))]

    def missing(self, block: BlockRef) -> tuple[BlockRef | None, int]:
        """Find the first block on the way down whose body is not here, and how deep it lies.

        None if nothing is missing, or if the way passes beside the root: then no body helps.
        """
        depth = 0
        while block.view > self.root.view and not self.is_valid(block):
            node = self.nodes.get(block)
            if node is None or node.standing is BlockStatus.INVALID:
                return block, depth
            block, depth = parent_of(node.proposal), depth + 1
        return None, depth

    def is_too_deep(self, depth: int) -> bool:
        """Tell whether fetching backwards has gone on for long enough."""
        return depth >= ANCESTORS_FETCHED_MAX

    def descends(self, block: BlockRef) -> bool:
        """Tell whether the block's ancestry leads to the root."""
        while block.view > self.root.view and block in self.nodes:
            block = parent_of(self.nodes[block].proposal)
        return block == self.root

    def move_root(self, root: BlockRef) -> None:
        """Make a block final: forget what lies well below it, and what can't descend from it."""
        self.root = root
        lowest = View(root.view - PROPOSALS_KEPT)
        for block in list(self.nodes):
            parent = parent_of(self.nodes[block].proposal)
            beside = block.view > root.view and parent != root and parent.view <= root.view
            if block.view < lowest or beside:
                del self.nodes[block]
