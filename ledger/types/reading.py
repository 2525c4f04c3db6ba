"""Readings: what a measuring device signs.

A device signs `BILLCOIN/reading/2 || chain_id || body` where `body` is the canonical encoding of
a `Reading`; the `Envelope` is the body's bytes and the signature, so a reading is checked over
the bytes that were signed. A device may write the body with any MessagePack library: it is an
array of scalars.
"""

from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta, Struct

from ledger.primitives.codec import decode, encode
from ledger.primitives.hashing import ZERO_HASH, Domain, Hash, WireHash, digest
from ledger.primitives.keys import SigningKey, WirePublicKey, WireSignature

ENVELOPE_BYTES_MAX: Final = 4096
SAMPLES_MAX: Final = 64
READING_VERSION: Final = 2
OFFSET_MS_MAX: Final = 2**53
"""As long as a device may have been off: its next reading begins with its last sample."""

Sample = tuple[
    Annotated[int, Meta(ge=0, le=OFFSET_MS_MAX)], Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
]
"""Milliseconds after the reading's start, and the value in the reading's unit."""

Name = Annotated[str, Meta(min_length=1, max_length=32)]


class Stream(StrEnum):
    """What a reading measures, as far as the law knows it; a device may publish others too.

    Totals count volume at 20 degrees C or mass, from 0 to 2^53; a fall is a reset. `TANK_VOLUME` is
    what stands in the tank. `VALVE_FORWARD` is 1 while the diversion valve sends milk forward,
    else 0.
    """

    VOLUME_TOTAL = "volume_total"
    MASS_TOTAL = "mass_total"
    TANK_VOLUME = "tank_volume"
    HOLD_TEMPERATURE = "hold_temperature"
    OUTLET_TEMPERATURE = "outlet_temperature"
    VALVE_FORWARD = "valve_forward"


class Unit(StrEnum):
    """What one step of a reading's integers means. `CENTIPOUND` is 0.01 lb."""

    MILLILITRE = "mL"
    MICROLITRE = "uL"
    GRAM = "g"
    MILLIGRAM = "mg"
    CENTIPOUND = "clb"
    MILLIDEGREE = "mdegC"
    FLAG = "flag"


class Reading(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Up to 64 samples of one stream, numbered without a gap within one boot of the device.

    `stream` is what is measured (`volume_total`, `mass_total`, `hold_temperature`, ...), `unit`
    how (`mL`, `uL`, `g`, `clb`, `mdegC`, ...). `previous` is the digest of the envelope before this
    one, of this boot or the one before it, and the first sample repeats the one that ended it.
    Zeros begin a chain: at a new device's first envelope, or after its journal was lost.
    """

    version: Annotated[int, Meta(ge=1, le=255)]
    device: WirePublicKey
    boot: Annotated[int, Meta(ge=0, le=2**32 - 1)]
    seq: Annotated[int, Meta(ge=0, le=2**53)]
    t0_ms: Annotated[int, Meta(ge=0, le=2**53)]
    stream: Name
    unit: Name
    samples: Annotated[tuple[Sample, ...], Meta(min_length=1, max_length=SAMPLES_MAX)]
    calibration: Name
    firmware: Name
    tamper: bool
    previous: WireHash

    @property
    def last_ms(self) -> int:
        """Give the time of the last sample."""
        return self.t0_ms + self.samples[-1][0]


class Envelope(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A reading's bytes and the device's signature over them: what goes over MQTT."""

    body: Annotated[bytes, Meta(max_length=ENVELOPE_BYTES_MAX)]
    signature: WireSignature

    def reading(self) -> Reading:
        """Decode the body; raise a `CodecFault` if it is not a canonical reading."""
        return decode(self.body, Reading, ENVELOPE_BYTES_MAX)

    def digest(self) -> Hash:
        """Name the envelope, for the chain of a device and the Merkle tree of a run."""
        return digest(Domain.ENVELOPE, self.body, self.signature)


def reading_bytes(chain_id: Hash, body: bytes) -> bytes:
    """Give the bytes that a device signs."""
    return Domain.READING.value + chain_id + body


def sign_reading(reading: Reading, chain_id: Hash, key: SigningKey) -> Envelope:
    """Sign a reading, as a device does."""
    body = encode(reading)
    return Envelope(body, key.sign(reading_bytes(chain_id, body)))


def decode_envelope(raw: bytes) -> Envelope:
    """Decode an envelope; raise a `CodecFault` if it is not canonical or too large."""
    return decode(raw, Envelope, ENVELOPE_BYTES_MAX)


FIRST_OF_CHAIN: Final = ZERO_HASH
