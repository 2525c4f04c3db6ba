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
    calibrated_until_ms: int
    flow_max_l_per_h: int = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """An envelope that was accepted, with what the policy asks about it."""

    device: PublicKey
    kind: Instrument
    plant: str
    line: str
    operator: Address
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
    def first_ms(self) -> int:
        """Give the time of the first sample."""
        return self.reading.t0_ms + self.reading.samples[0][0]

    @property
    def last_ms(self) -> int:
        """Give the time of the last sample."""
        return self.reading.last_ms

    @property
    def first_value(self) -> int:
        """Give the first sample's value."""
        return self.reading.samples[0][1]

    @property
    def last_value(self) -> int:
        """Give the last sample's value."""
        return self.reading.samples[-1][1]


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
