"""A Byzantine member that does a little of everything, drawn from a seed.

It equivocates with blocks and votes, sends garbage under true hashes, forges signatures and
certificates, replays what it heard, and keeps silent, all with its own key and in its own name.
"""

from random import Random

from consensus.messages import Certificate, Message, Proposal, Subject, Vote
from consensus.types import BlockRef
from ledger.primitives.committee import Member
from ledger.primitives.keys import Signature
from ledger.primitives.scalars import View
from ledger.primitives.votes import VoteKind
from tests.support.consensus.engine_rig import finalize, nullify
from tests.support.consensus.network import CHAIN, EPOCH, Net, make_block

FORGED = Signature(bytes(64))


class Chaos:
    """Tampers with what a Byzantine member's engine would have sent."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def __call__(self, net: Net, sender: Member, to: Member, message: Message) -> list[Message]:
        """Give what goes out in the place of a message."""
        out: list[Message] = [message] if self.random.random() < 0.5 else []
        if isinstance(message, Proposal) and message.vote.signer == sender:
            out += self.other_blocks(net, sender, message)
        if isinstance(message, Vote):
            out += self.other_votes(net, sender, message.subject)
        if self.random.random() < 0.1 and net.sent:
            out.append(self.random.choice(net.sent[-400:])[3])
        if self.random.random() < 0.05:
            view = self.random.randint(1, 50)
            out.append(Certificate(nullify(view), ((Member(0), FORGED),)))
        return out

    def sign(self, net: Net, sender: Member, subject: Subject) -> Vote:
        return Vote(subject, sender, net.keys[sender].sign(subject.signing_bytes(CHAIN)))

    def other_blocks(self, net: Net, sender: Member, message: Proposal) -> list[Message]:
        """Propose another block, or another body under the same hash."""
        about, lot = message.vote.subject, self.random.random()
        parent = BlockRef(about.parent_view, message.parent_hash)
        block_hash, payload = make_block(about.view, parent, b"%d" % self.random.randint(0, 2))
        rest = (message.parent, message.nullifications)
        if lot < 0.3:
            other = Subject(VoteKind.NOTARIZE, EPOCH, about.view, about.parent_view, block_hash)
            vote = self.sign(net, sender, other)
            return [Proposal(vote, message.parent_hash, payload, *rest)]
        if lot < 0.5:
            return [Proposal(message.vote, message.parent_hash, payload, *rest)]
        return []

    def other_votes(self, net: Net, sender: Member, about: Subject) -> list[Message]:
        """Vote for more than one may, or with a wrong signature."""
        lot = self.random.random()
        if lot < 0.2 and about.kind is not VoteKind.NULLIFY:
            return [self.sign(net, sender, nullify(about.view))]
        if lot < 0.4:
            recent = [m for *_, m in net.sent[-200:] if isinstance(m, Proposal)]
            near = [m.vote.subject for m in recent if m.vote.subject.view >= View(about.view - 1)]
            if near:
                block = self.random.choice(near)
                return [self.sign(net, sender, each) for each in (block, finalize(block))]
        if lot < 0.45:
            return [Vote(about, sender, FORGED)]
        return []
