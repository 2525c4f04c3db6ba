"""A device's signing: numbered readings, each linked to the one before and begun with its end.

Pure. A reading begins with the sample that ended the one before, and names it, across boots too:
so a silence, a rise or a restart lies within one envelope, and none can be left out unseen. Only
the first of a chain (a new device, or one whose journal is lost) begins with a sample of its own.

Invariant: a signer gives each (boot, seq) to one reading; a boot above takes over from 0.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from msgspec.structs import replace as changed

from iot_minting.wire.login import ANONYMOUS, BrokerLogin
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import PublicKey, SigningKey
from ledger.types.reading import (
    FIRST_OF_CHAIN,
    READING_VERSION,
    SAMPLES_MAX,
    Reading,
    Stream,
    Unit,
    decode_envelope,
    sign_reading,
)

NEW_SAMPLES_MAX: Final = SAMPLES_MAX - 1
"""Samples that an envelope has room for beside the carried one."""

Samples = Sequence[tuple[int, int]]
"""Times in milliseconds since 1970, never falling, and values."""


@dataclass(frozen=True, slots=True)
class DeviceSettings:
    """Who a device is, where it stands, what it measures, and whose receipts it trusts."""

    name: str
    plant: str
    line: str
    stream: Stream
    unit: Unit
    chain_id: Hash
    ingest_keys: tuple[PublicKey, ...]
    broker_host: str
    broker_port: int
    calibration: str = "factory"
    firmware: str = "1.0"
    login: BrokerLogin = ANONYMOUS


@dataclass(frozen=True, slots=True)
class LastSigned:
    """Where a device's chain ends: its last envelope, and the sample that ended it.

    Without a last envelope (`FIRST_OF_CHAIN`) the next one begins a chain.
    """

    digest: Hash
    last_ms: int
    value: int

    def carried(self) -> list[tuple[int, int]]:
        """Give the sample that the next envelope repeats; none begins a chain."""
        return [] if self.digest == FIRST_OF_CHAIN else [(self.last_ms, self.value)]

    def cut(self) -> "LastSigned":
        """Begin a chain here: what the instrument shows stays, and nothing is linked to it."""
        return replace(self, digest=FIRST_OF_CHAIN)


NO_CHAIN: Final = LastSigned(FIRST_OF_CHAIN, 0, 0)
"""A device that has signed nothing yet."""


@dataclass(frozen=True, slots=True)
class SignedReading:
    """An envelope's bytes with its number, and where the chain ends with it."""

    seq: int
    raw: bytes
    end: LastSigned


class ReadingSigner:
    """Signs one device's readings; `boot` is running, `seq` is the next reading's number.

    `end` is where the chain ended in the boot before.
    """

    def __init__(
        self, settings: DeviceSettings, key: SigningKey, boot: int, end: LastSigned
    ) -> None:
        self._settings = settings
        self._key = key
        self.boot, self.seq, self.end = boot, 0, end

    def sign(self, samples: Samples, *, tamper: bool) -> SignedReading:
        """Sign the next reading: the carried sample, then these (at most `NEW_SAMPLES_MAX`)."""
        assert 0 < len(samples) <= NEW_SAMPLES_MAX, "an envelope has room for 63 new samples"
        linked = [*self.end.carried(), *samples]
        times = [at_ms for at_ms, _ in linked]
        assert times == sorted(times), "a device's time never falls"
        return self._seal(
            Reading(
                version=READING_VERSION,
                device=self._key.public,
                boot=self.boot,
                seq=self.seq,
                t0_ms=times[0],
                stream=self._settings.stream,
                unit=self._settings.unit,
                samples=_offsets(linked),
                calibration=self._settings.calibration,
                firmware=self._settings.firmware,
                tamper=tamper,
                previous=FIRST_OF_CHAIN,
            )
        )

    def sign_anew(self, boot: int, envelopes: Iterable[bytes]) -> list[SignedReading]:
        """Begin a new chain in a boot above with readings that were signed in an earlier one.

        They keep their times and values; the first sheds the sample that it carried over.
        """
        assert boot > self.boot, "boots only rise"
        self.boot, self.seq, self.end = boot, 0, self.end.cut()
        readings = [decode_envelope(raw).reading() for raw in envelopes]
        return [self._seal(each) for each in (*map(_uncarried, readings[:1]), *readings[1:])]

    def _seal(self, reading: Reading) -> SignedReading:
        numbered = changed(reading, boot=self.boot, seq=self.seq, previous=self.end.digest)
        envelope = sign_reading(numbered, self._settings.chain_id, self._key)
        self.end = LastSigned(envelope.digest(), numbered.last_ms, numbered.samples[-1][1])
        self.seq += 1
        return SignedReading(numbered.seq, encode(envelope), self.end)


def _uncarried(reading: Reading) -> Reading:
    """Let a reading begin with a sample of its own."""
    if reading.previous == FIRST_OF_CHAIN:
        return reading
    own = [(reading.t0_ms + offset_ms, value) for offset_ms, value in reading.samples[1:]]
    return changed(reading, t0_ms=own[0][0], samples=_offsets(own))


def _offsets(samples: Samples) -> tuple[tuple[int, int], ...]:
    t0_ms = samples[0][0]
    return tuple((at_ms - t0_ms, value) for at_ms, value in samples)
