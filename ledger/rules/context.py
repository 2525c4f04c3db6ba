"""What a rule may know beside the state: the block that it stands in."""

from dataclasses import dataclass

from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address


@dataclass(frozen=True, slots=True)
class BlockContext:
    """The block under execution: `time_ms` is its own time, `proposer` is paid its fees."""

    chain_id: Hash
    height: int
    time_ms: int
    proposer: Address
