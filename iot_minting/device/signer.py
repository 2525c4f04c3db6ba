"""A device's signing: readings of one boot, numbered and linked, each to the one before.

Pure. Invariant: a signer gives each (boot, seq) to one reading; a boot above takes over from 0.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from ledger.primitives.codec import encode
from ledger.primitives.hashing import ZERO_HASH, Hash
from ledger.primitives.keys import PublicKey, SigningKey
from ledger.types.reading import (
    READING_VERSION,
    Reading,
    Stream,
    Unit,
    decode_envelope,
    sign_reading,
)

Samples = Sequence[tuple[int, int]]
"""Times in milliseconds since 1970, ascending, and values."""


@dataclass(frozen=True, slots=True)
class DeviceSettings:
    """Who a device is, where it stands, what it measures, and whose receipts it trusts."""

    name: str
    plant: str
    line: str
    stream: Stream
    unit: Unit
    chain_id: Hash
    ingest_key: PublicKey
    broker_host: str
    broker_port: int
    calibration: str = "factory"
    firmware: str = "1.0"


class ReadingSigner:
    """Signs one device's readings; `boot` is running, `seq` is the next reading's number."""

    def __init__(self, settings: DeviceSettings, key: SigningKey, boot: int) -> None:
        self._settings = settings
        self._key = key
        self.boot, self.seq, self._previous = boot, 0, ZERO_HASH

    def sign(self, samples: Samples, *, tamper: bool) -> tuple[int, bytes]:
        """Sign the next reading; give its number and the envelope's bytes."""
        t0_ms = samples[0][0]
        reading = Reading(
            version=READING_VERSION,
            device=self._key.public,
            boot=self.boot,
            seq=self.seq,
            t0_ms=t0_ms,
            stream=self._settings.stream,
            unit=self._settings.unit,
            samples=tuple((at_ms - t0_ms, value) for at_ms, value in samples),
            calibration=self._settings.calibration,
            firmware=self._settings.firmware,
            tamper=tamper,
            previous=self._previous,
        )
        return self._seal(reading)

    def sign_anew(self, boot: int, envelopes: Iterable[bytes]) -> list[tuple[int, bytes]]:
        """Begin a boot above with readings that were signed in an earlier one; they keep times."""
        assert boot > self.boot, "boots only rise"
        self.boot, self.seq, self._previous = boot, 0, ZERO_HASH
        readings = (decode_envelope(raw).reading() for raw in envelopes)
        return [
            self._seal(replace(reading, boot=boot, seq=self.seq, previous=self._previous))
            for reading in readings
        ]

    def _seal(self, reading: Reading) -> tuple[int, bytes]:
        envelope = sign_reading(reading, self._settings.chain_id, self._key)
        self.seq, self._previous = self.seq + 1, envelope.digest()
        return reading.seq, encode(envelope)
