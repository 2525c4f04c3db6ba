"""A junk justification: a true block, justified by certificates that are noise.

A validator that holds a view's certificate does not look at another, so some vote for the block;
those that lack it must be able to get the body all the same.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from consensus.messages import Certificate, Message, Proposal, Vote
from ledger.primitives.committee import Member
from ledger.primitives.keys import Signature
from ledger.primitives.votes import VoteKind
from simulator.virtual.byzantine.mask import Mask, Said


class JunkJustification(Mask):
    """Shows some the true justification, others one whose signatures are noise."""

    def says(self, to: Member | None, message: Message) -> Iterable[Said]:
        """Replace certificates in one's own proposal and in those handed on; never finalize."""
        if isinstance(message, Vote) and message.subject.kind is VoteKind.FINALIZE:
            return []  # So the block stays a tip, and everyone needs its body.
        if not isinstance(message, Proposal):
            return [(to, message)]
        targets = self.others if to is None else [to]
        return [(member, self._spoil(message)) for member in targets]

    def _spoil(self, proposal: Proposal) -> Proposal:
        gap = tuple(map(self._perhaps_junk, proposal.nullifications))
        parent = proposal.parent
        shown = None if parent is None else self._perhaps_junk(parent)
        return replace(proposal, parent=shown, nullifications=gap)

    def _perhaps_junk(self, certificate: Certificate) -> Certificate:
        if self.chance.random() < 0.5:
            return certificate
        noise = tuple((m, Signature(self.chance.randbytes(64))) for m, _ in certificate.votes)
        return replace(certificate, votes=noise)
