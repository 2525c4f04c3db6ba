"""What one validator knows of one view (spec §1.2).

Certificates and own votes are never replaced. `proposal` is the first that the view's leader
sent; a second one from it only marks the round as equivocated.
"""

from dataclasses import dataclass, field

from consensus.messages import Certificate, Proposal, Vote
from consensus.tree import block_of
from consensus.types import BlockRef
from consensus.votes import Tally
from ledger.primitives.committee import Member
from ledger.primitives.scalars import View
from ledger.primitives.votes import VoteKind


def certified_block(certificate: Certificate) -> BlockRef:
    """Name the block that a notarization or finalization is about."""
    return BlockRef(certificate.subject.view, certificate.subject.block_hash)


@dataclass(slots=True)
class Round:
    """One view's votes, certificates and proposal."""

    view: View
    tally: Tally
    proposal: Proposal | None = None
    proposed_ms: int | None = None
    own: dict[VoteKind, Vote] = field(default_factory=dict)
    certificates: dict[VoteKind, Certificate] = field(default_factory=dict)
    refused: bool = False
    """The proposal can't be voted for, or could not be built: nullify."""
    equivocated: bool = False
    """Two blocks were seen here (R5, R6): neither notarize nor finalize."""
    reported: set[Member] = field(default_factory=set)

    def note_block(self, block: BlockRef) -> None:
        """Note a block that the leader or a quorum signed: two are one too many (spec §1.4 R6)."""
        proposed = None if self.proposal is None else block_of(self.proposal)
        if any(seen not in (None, block) for seen in (proposed, self.block)):
            self.note_equivocation()

    def note_equivocation(self) -> None:
        """Note that the leader signed two blocks, or one on two parents."""
        self.equivocated = True

    @property
    def notarization(self) -> Certificate | None:
        """Give what proves the view's block fit to build on: a finalization is one, too."""
        final = self.certificates.get(VoteKind.FINALIZE)
        return final or self.certificates.get(VoteKind.NOTARIZE)

    @property
    def is_nullified(self) -> bool:
        """Tell whether the view may be skipped."""
        return VoteKind.NULLIFY in self.certificates

    @property
    def block(self) -> BlockRef | None:
        """Name the view's certified block, if it has one."""
        notarization = self.notarization
        return certified_block(notarization) if notarization else None
