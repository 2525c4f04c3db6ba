"""What a rule may know beside the state: the block that it stands in, and who calls."""

from dataclasses import dataclass

from ledger.primitives.hashing import Domain, Hash, digest
from ledger.primitives.keys import Address


@dataclass(frozen=True, slots=True)
class BlockContext:
    """The block under execution: `time_ms` is its own time, `proposer` is paid its fees.

    `draw` is what its leader drew for the seeds to come (spec §11.1), empty if it drew nothing.
    """

    chain_id: Hash
    height: int
    time_ms: int
    proposer: Address
    draw: bytes = b""


@dataclass(frozen=True, slots=True)
class Call:
    """Whose transaction a body is, and which of the sender's.

    `fee_due_units` is what it has yet to pay: its fee in a mempool, 0 in a block, which takes the
    fee first.
    """

    sender: Address
    nonce: int
    fee_due_units: int

    def name(self, domain: Domain) -> Hash:
        """Name what the transaction makes: no sender uses a nonce twice."""
        return digest(domain, self.sender, self.nonce.to_bytes(8, "big"))
