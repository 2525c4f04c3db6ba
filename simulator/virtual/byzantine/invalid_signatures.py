"""Invalid signatures: what it says is right, and the signature is not."""

from collections.abc import Iterable

from consensus.messages import Certificate, Message, Proposal, Vote
from ledger.primitives.committee import Member
from ledger.primitives.keys import Signature
from simulator.virtual.byzantine.mask import Mask, Said


class InvalidSignatures(Mask):
    """Breaks one bit in most signatures that it sends."""

    def says(self, to: Member | None, message: Message) -> Iterable[Said]:
        """Break the signature."""
        if self.chance.random() < 0.2:
            return [(to, message)]
        match message:
            case Vote():
                return [(to, self._broken(message))]
            case Certificate(subject=subject, votes=votes):
                at = self.chance.randrange(len(votes))
                wrong = [
                    (member, self._flip(sig) if i == at else sig)
                    for i, (member, sig) in enumerate(votes)
                ]
                return [(to, Certificate(subject, tuple(wrong)))]
            case Proposal(vote, parent_hash, payload, parent, nullifications):
                broken = self._broken(vote)
                return [(to, Proposal(broken, parent_hash, payload, parent, nullifications))]
            case _:
                return [(to, message)]

    def _broken(self, vote: Vote) -> Vote:
        return Vote(vote.subject, vote.signer, self._flip(vote.signature))

    def _flip(self, signature: Signature) -> Signature:
        raw = bytearray(signature)
        raw[self.chance.randrange(len(raw))] ^= 1 << self.chance.randrange(8)
        return Signature(bytes(raw))
