"""Plain data of the gateway: registered devices, accepted envelopes and quarantined ones."""

from dataclasses import dataclass

from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address, PublicKey
from ledger.types.evidence import Instrument
from ledger.types.reading import Envelope, Reading


@dataclass(frozen=True, slots=True)
class RegisteredDevice:
    """A device as the chain registered it. A meter's operator is its farm."""

    key: PublicKey
    kind: Instrument
    plant: str
    operator: Address


@dataclass(frozen=True, slots=True)
class Stored:
    """An envelope that was accepted."""

    device: PublicKey
    envelope: Envelope
    reading: Reading
    digest: Hash
    arrival_ms: int

    @property
    def boot(self) -> int:
        """Give the boot of the device."""
        return self.reading.boot

    @property
    def seq(self) -> int:
        """Give the number within the boot."""
        return self.reading.seq

    @property
    def last_ms(self) -> int:
        """Give the time of the last sample."""
        return self.reading.last_ms


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An envelope that was refused: everything that is known of it, and why."""

    code: str
    detail: str
    topic: str
    raw: bytes
    arrival_ms: int
    device: PublicKey | None
    boot: int | None
    seq: int | None
