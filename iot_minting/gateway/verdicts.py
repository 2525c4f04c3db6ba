"""What becomes of an envelope: it is stored, quarantined, or known already."""

from dataclasses import dataclass

from iot_minting.errors import Refusal
from iot_minting.gateway.types import Quarantined, Stored
from ledger.primitives.hashing import Hash
from ledger.types.reading import Reading


@dataclass(frozen=True, slots=True)
class Arrival:
    """An envelope as it came."""

    topic: str
    raw: bytes
    arrival_ms: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """An envelope to be stored."""

    stored: Stored


@dataclass(frozen=True, slots=True)
class RefusedEnvelope:
    """An envelope to be quarantined. `settled` says that it uses its number up all the same."""

    entry: Quarantined
    settled: bool
    digest: Hash | None = None


@dataclass(frozen=True, slots=True)
class Repeated:
    """An envelope that is settled already, byte for byte: sent again, or replayed."""

    entry: Quarantined


Verdict = Accepted | RefusedEnvelope | Repeated


def quarantined(refusal: Refusal, arrival: Arrival, reading: Reading | None) -> Quarantined:
    """Make the record of an envelope that was refused; `reading` is None if it did not decode."""
    device, boot, seq = (
        (None, None, None) if reading is None else (reading.device, reading.boot, reading.seq)
    )
    return Quarantined(
        refusal.code,
        str(refusal),
        arrival.topic,
        arrival.raw,
        arrival.arrival_ms,
        device,
        boot,
        seq,
    )
