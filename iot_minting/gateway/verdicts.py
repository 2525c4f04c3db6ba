"""What becomes of an envelope: it is stored, quarantined, known already, or put off."""

from dataclasses import dataclass

from iot_minting.errors import Refusal
from iot_minting.gateway.types import Quarantined, Stored
from ledger.primitives.keys import PublicKey
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
    """An envelope to be quarantined: it moves nothing."""

    entry: Quarantined


@dataclass(frozen=True, slots=True)
class Repeated:
    """An envelope that is stored already, byte for byte: sent again, or replayed."""

    entry: Quarantined


@dataclass(frozen=True, slots=True)
class PutOff:
    """An envelope that came too fast: nothing is kept of it, and its device sends it again."""

    device: PublicKey


Verdict = Accepted | RefusedEnvelope | Repeated | PutOff


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
