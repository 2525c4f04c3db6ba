"""An invalid block: well signed, well justified, and not what executing it gives."""

from collections.abc import Iterable

from msgspec.structs import replace

from consensus.messages import Message, Proposal
from ledger.primitives.codec import encode
from ledger.primitives.committee import Member
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address
from ledger.primitives.votes import VoteKind
from ledger.transition import transactions_root
from ledger.types.block import Block, decode_block
from simulator.virtual.byzantine.mask import Mask, Said

FUTURE_MS = 3_600_000


class InvalidBlock(Mask):
    """Spoils its own blocks, each in one way."""

    def says(self, to: Member | None, message: Message) -> Iterable[Said]:
        """Spoil the block."""
        mine = isinstance(message, Proposal) and message.vote.signer == self.seat
        # An epoch's last block that is proposed again comes without a body to spoil.
        if not mine or not isinstance(message, Proposal) or not message.payload:
            return [(to, message)]
        if self.chance.random() < 0.2:
            return [(to, self._with_other_body(message))]
        about = message.vote.subject
        block = self._spoilt(decode_block(message.payload))
        vote = self.sign(VoteKind.NOTARIZE, about.view, about.parent_view, block.header.hash())
        parts = (message.parent_hash, encode(block), message.parent, message.nullifications)
        return [(to, Proposal(vote, *parts))]

    def _with_other_body(self, proposal: Proposal) -> Proposal:
        """Keep the vote, and send bytes that are not the block it names."""
        payload = self.chance.randbytes(200)
        parts = (proposal.parent, proposal.nullifications)
        return Proposal(proposal.vote, proposal.parent_hash, payload, *parts)

    def _spoilt(self, block: Block) -> Block:
        header = block.header
        noise = Hash(self.chance.randbytes(32))
        wrong: dict[str, object] = self.chance.choice(
            [
                {"state_root": noise},
                {"receipts_root": noise},
                {"transactions_root": noise},
                {"height": header.height + 1},
                {"time_ms": header.time_ms + FUTURE_MS},
                {"time_ms": 1},
                {"proposer": Address(noise)},
                {"committee_hash": noise},
                {"epoch": 1},
            ]
        )
        if self.chance.random() < 0.3 and block.transactions:
            return self._with_other_transactions(block)
        return Block(replace(header, **wrong), block.transactions)

    def _with_other_transactions(self, block: Block) -> Block:
        """Repeat a transaction, or break a signature and commit to the broken bytes."""
        first, *others = block.transactions
        if self.chance.random() < 0.5:
            return Block(block.header, (first, *others, first))
        # A transaction ends with its signature, and execution does not look at that.
        broken = (first[:-1] + bytes([first[-1] ^ 1]), *others)
        root = transactions_root(broken)
        return Block(replace(block.header, transactions_root=root), broken)
