"""The ingest's judgement: which envelopes are accepted, which are refused, and why.

Pure and synchronous: `judge(topic, raw, arrival_ms)` gives verdicts; the shell makes them
durable, then acknowledges, then receipts. One `Gateway` holds the head of every device's chain.

Invariant: within one boot of a device, what was settled is the unbroken chain 0..head; its first
envelope names the last of the boot before, or begins a chain anew (zeros: a journal was lost).
Boots, and the times of what was accepted, only go up, as the chain takes a device's readings. An
inauthentic envelope moves nothing. An unusable one (tampered, out of its time, implausible) is
the device's own and settles its number, so that the device is not stuck behind it; it is
quarantined, and no evidence range reaches across it.

An envelope ahead of its turn waits, in memory only: it is not receipted, so the device will send
it again if this process dies.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from iot_minting.errors import (
    BrokenChain,
    DeviceTampered,
    MissingPredecessor,
    NotCalibrated,
    OutsideTimeWindow,
    OvertakenBoot,
    OvertakenTime,
    Refusal,
    ReplayedSequence,
    Unusable,
)
from iot_minting.gateway.authenticity import check_sender, open_envelope
from iot_minting.gateway.plausibility import Before, check_plausible
from iot_minting.gateway.registry import Registry
from iot_minting.gateway.types import Quarantined, RegisteredDevice, Stored
from iot_minting.gateway.verdicts import (
    Accepted,
    Arrival,
    RefusedEnvelope,
    Repeated,
    Verdict,
    quarantined,
)
from iot_minting.wire.receipts import SettledEnvelope
from ledger.primitives.hashing import ZERO_HASH, Hash
from ledger.primitives.keys import PublicKey
from ledger.types.reading import (
    FIRST_OF_CHAIN,
    READING_VERSION,
    Envelope,
    Reading,
)

LIVE_MS: Final = 120_000
"""How far a live reading's time may lie from its arrival, either way."""
BACKLOG_MS: Final = 72 * 3_600_000
"""How late a reading may come that continues a chain which is known here."""
WAITING_MAX: Final = 256
"""Envelopes of one boot that may wait for an earlier one."""
WAITING_MS: Final = 30_000
RECENT_MAX: Final = 256
"""Digests of a boot kept in memory; the archive knows the older ones."""


@dataclass(slots=True)
class BootProgress:
    """Where one boot of a device stands: its last settled envelope, and what waits behind it."""

    device: PublicKey
    boot: int
    seq: int = -1
    digest: Hash = ZERO_HASH
    before: Before | None = None
    recent: "OrderedDict[int, Hash]" = field(default_factory=OrderedDict)
    waiting: "dict[int, Arrival]" = field(default_factory=dict)


Archive = Callable[[PublicKey, int, int], Hash | None]
"""Gives the digest of a settled envelope by (device, boot, seq)."""


class Gateway:
    """Judges envelopes. Give it the heads and the tampered devices that the store remembers."""

    def __init__(
        self,
        chain_id: Hash,
        registry: Registry,
        archive: Archive,
        heads: Iterable[BootProgress] = (),
        tampered: Iterable[tuple[PublicKey, int, int]] = (),
    ) -> None:
        self._chain_id = chain_id
        self._registry = registry
        self._archive = archive
        self._heads = {(head.device, head.boot): head for head in heads}
        self._boots: dict[PublicKey, int] = {}
        self._reported_ms: dict[PublicKey, int] = {}
        for head in self._heads.values():
            self._note(head)
        self._tampered = {device: (boot, seq) for device, boot, seq in tampered}

    def settled(self, device: PublicKey, boot: int) -> SettledEnvelope | None:
        """Give the last of a boot up to which everything is settled; None if nothing is."""
        found = self._heads.get((device, boot))
        return (
            None
            if found is None or found.seq < 0
            else SettledEnvelope(boot, found.seq, found.digest)
        )

    def head(self, device: PublicKey, boot: int) -> int:
        """Give the highest number of a boot up to which everything is settled; -1 if none is."""
        found = self._heads.get((device, boot))
        return -1 if found is None else found.seq

    def newest(self, device: PublicKey) -> int | None:
        """Give the highest boot of a device that settled something."""
        return self._boots.get(device)

    def heads(self) -> list[tuple[PublicKey, int, int]]:
        """List every boot that settled something: device, boot, highest number."""
        return [(h.device, h.boot, h.seq) for h in self._heads.values() if h.seq >= 0]

    def judge(self, topic: str, raw: bytes, arrival_ms: int) -> list[Verdict]:
        """Judge one envelope, and those that waited for it. None at all means that it waits."""
        arrival = Arrival(topic, raw, arrival_ms)
        reading: Reading | None = None
        try:
            envelope, reading, device, line = self._authenticate(arrival)
            if self.head(device.key, reading.boot) < reading.seq:
                self._check_boot(reading)
            head = self._heads.setdefault(
                (device.key, reading.boot), BootProgress(device.key, reading.boot)
            )
            if reading.seq > head.seq + 1:
                return self._wait(head, reading, arrival)
            verdicts = [self._settle(head, device, line, envelope, reading, arrival)]
        except Refusal as refusal:
            return [RefusedEnvelope(quarantined(refusal, arrival, reading), settled=False)]
        while (following := head.waiting.pop(head.seq + 1, None)) is not None:
            verdicts += self.judge(following.topic, following.raw, arrival_ms)
        return verdicts

    def expire(self, now_ms: int) -> list[Verdict]:
        """Refuse what has waited too long for an envelope before it."""
        verdicts: list[Verdict] = []
        for head in self._heads.values():
            for seq, arrival in sorted(head.waiting.items()):
                if now_ms - arrival.arrival_ms >= WAITING_MS:
                    del head.waiting[seq]
                    verdicts.append(self._missing(head, seq, arrival))
        return verdicts

    def _authenticate(self, arrival: Arrival) -> tuple[Envelope, Reading, RegisteredDevice, str]:
        """Raise unless a registered device signed it, for this chain and this place."""
        opened = open_envelope(arrival, READING_VERSION)
        device = check_sender(self._chain_id, self._registry, opened)
        return opened.envelope, opened.reading, device, opened.place.line

    def _check_boot(self, reading: Reading) -> None:
        """Raise `OvertakenBoot` for what the chain would refuse, and the milk beside it."""
        latest = self.newest(reading.device)
        if latest is not None and reading.boot < latest:
            raise OvertakenBoot(reading.boot, reading.seq, latest)

    def _wait(self, head: BootProgress, reading: Reading, arrival: Arrival) -> list[Verdict]:
        if len(head.waiting) >= WAITING_MAX and reading.seq not in head.waiting:
            return [self._missing(head, reading.seq, arrival)]
        head.waiting[reading.seq] = arrival
        return []

    def _missing(self, head: BootProgress, seq: int, arrival: Arrival) -> RefusedEnvelope:
        fault = MissingPredecessor(head.boot, seq, head.seq + 1)
        entry = Quarantined(
            fault.code,
            str(fault),
            arrival.topic,
            arrival.raw,
            arrival.arrival_ms,
            head.device,
            head.boot,
            seq,
        )
        return RefusedEnvelope(entry, settled=False)

    def _settle(
        self,
        head: BootProgress,
        device: RegisteredDevice,
        line: str,
        envelope: Envelope,
        reading: Reading,
        arrival: Arrival,
    ) -> Verdict:
        """Take the envelope whose turn it is, or tell that its number is used."""
        digest = envelope.digest()
        if reading.seq <= head.seq:
            return self._repeat(head, digest, reading, arrival)
        self._check_link(head, reading)
        try:
            self._check_use(head, device, reading, arrival.arrival_ms)
        except Unusable as refusal:
            self._advance(head, digest, reading)
            entry = quarantined(refusal, arrival, reading)
            return RefusedEnvelope(entry, settled=True, digest=digest)
        head.before = Before(reading.last_ms, reading.samples[-1][1], reading.stream, reading.unit)
        self._advance(head, digest, reading)
        return Accepted(
            Stored(
                device.key,
                device.kind,
                device.plant,
                line,
                device.operator,
                envelope,
                reading,
                digest,
                arrival.arrival_ms,
            )
        )

    def _check_link(self, head: BootProgress, reading: Reading) -> None:
        """Raise `BrokenChain` unless the envelope names the one before, or may begin a chain."""
        before = head
        if reading.seq == 0:
            latest = self.newest(reading.device)
            # Of a device that is not known here yet, nobody can tell what came before.
            if latest is None or reading.previous == FIRST_OF_CHAIN:
                return
            before = self._heads[reading.device, latest]
        if reading.previous != before.digest:
            raise BrokenChain(reading.boot, reading.seq, before.digest, reading.previous)

    def _repeat(
        self, head: BootProgress, digest: Hash, reading: Reading, arrival: Arrival
    ) -> Verdict:
        known = head.recent.get(reading.seq) or self._archive(
            reading.device, reading.boot, reading.seq
        )
        same = known == digest
        fault = ReplayedSequence(reading.boot, reading.seq, head.seq, same=same)
        entry = quarantined(fault, arrival, reading)
        return Repeated(entry) if same else RefusedEnvelope(entry, settled=False)

    def _check_use(
        self, head: BootProgress, device: RegisteredDevice, reading: Reading, arrival_ms: int
    ) -> None:
        """Raise `Unusable` unless the reading may serve as evidence."""
        if reading.tamper and device.key not in self._tampered:
            self._tampered[device.key] = (reading.boot, reading.seq)
        if device.key in self._tampered:
            raise DeviceTampered(*self._tampered[device.key])
        if reading.last_ms >= device.calibrated_until_ms:
            raise NotCalibrated(reading.last_ms, device.calibrated_until_ms)
        # A backlog is believed because it continues what is known; a stranger must be live. Its
        # first sample may be old: it ended the envelope before, however long the device was off.
        known = head.seq >= 0 or self._boots.get(device.key, reading.boot) != reading.boot
        late_ms = BACKLOG_MS if known else LIVE_MS
        if not arrival_ms - late_ms <= reading.last_ms <= arrival_ms + LIVE_MS:
            raise OutsideTimeWindow(reading.last_ms, arrival_ms, LIVE_MS, late_ms)
        first_ms = reading.t0_ms + reading.samples[0][0]
        reported_ms = self._reported_ms.get(device.key, first_ms)
        if head.before is None and first_ms < reported_ms:
            raise OvertakenTime(first_ms, reported_ms)
        check_plausible(device, reading, head.before)

    def _advance(self, head: BootProgress, digest: Hash, reading: Reading) -> None:
        head.seq, head.digest = reading.seq, digest
        head.recent[reading.seq] = digest
        if len(head.recent) > RECENT_MAX:
            head.recent.popitem(last=False)
        self._note(head)

    def _note(self, head: BootProgress) -> None:
        """Note how far a device has come, over all its boots."""
        self._boots[head.device] = max(head.boot, self._boots.get(head.device, 0))
        if head.before is not None:
            last_ms = head.before.last_ms
            self._reported_ms[head.device] = max(last_ms, self._reported_ms.get(head.device, 0))
