"""Names: under which key a record of more than one part stands in its table."""

from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address, PublicKey


def tip_name(line: Hash, device: PublicKey) -> bytes:
    """Name where a device's chain stands in a line's windows: a gauge may serve several lines."""
    return line + device


def permit_name(farm: Address, meter: PublicKey) -> bytes:
    """Name a farm's permit for a meter; zeros for all meters that have none of their own."""
    return farm + meter


def question_name(lot: Hash, device: PublicKey, boot: int, seq: int) -> bytes:
    """Name a question: which reading of which device, for which lot."""
    return lot + device + boot.to_bytes(4, "big") + seq.to_bytes(8, "big")


def epoch_name(epoch: int) -> bytes:
    """Name what is kept by epoch, or by another number that counts up."""
    return epoch.to_bytes(8, "big")
