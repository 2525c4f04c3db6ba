"""Tracks: what one device's linked envelopes show, sample by sample.

A device's chain can't be cut: each envelope names the one before and begins with its last sample.
So nothing between two envelopes is unseen, and what a claimant would rather not show breaks the
link. What a device signed can't be unsigned either: an envelope that says nothing usable (another
unit, falling times) is no fault of the claim, it only leaves a gap in which nothing counts.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ledger.errors.bundle import BrokenLink, UnsignedEnvelope
from ledger.evidence.spans import Spans
from ledger.primitives.errors import CodecFault
from ledger.primitives.hashing import ZERO_HASH, Hash
from ledger.primitives.keys import PublicKey, verify
from ledger.rules.instruments import measured_unit
from ledger.state.lines import Tip
from ledger.types.evidence import Instrument
from ledger.types.reading import Envelope, Reading, Unit, reading_bytes


@dataclass(frozen=True, slots=True)
class ReadEnvelope:
    """An envelope that was read: its content, and what names it."""

    envelope: Envelope
    reading: Reading
    digest: Hash

    @property
    def number(self) -> tuple[int, int]:
        """Give boot and seq."""
        return self.reading.boot, self.reading.seq


@dataclass(slots=True)
class Track:
    """All samples of a device, in order of time.

    `joined[i]` says that sample i follows the one before without a gap in the chain: whoever looks
    at the pair knows what was between, if it is short. `broken`: the device lost its journal.
    `denied` are times, in order of the envelopes, that the device spoke of in envelopes that do not
    measure or are dated back: whoever shows one of those by itself speaks against what counts then.
    `begun_ms` is the earliest that it spoke of, None if it said nothing. `places[i]` is the
    envelope, among those shown, that sample i is of.
    """

    device: PublicKey
    instrument: Instrument
    shown: list[ReadEnvelope]
    broken: bool = False
    unit: Unit | None = None
    times: list[int] = field(default_factory=list)
    values: list[int] = field(default_factory=list)
    joined: list[bool] = field(default_factory=list)
    denied: Spans = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    begun_ms: int | None = None

    @property
    def heard_ms(self) -> int:
        """Give the time of the last sample, 0 if there is none."""
        return self.times[-1] if self.times else 0

    def measures(self, place: int) -> bool:
        """Tell whether an envelope measures what the device is read for."""
        unit = measured_unit(self.instrument, self.shown[place].reading)
        return unit is not None and unit is self.unit

    def tells_of(self, time_ms: int) -> bool:
        """Tell whether there is a sample at a time.

        Told in another unit by the envelope that reaches it, it is one too: the next window reads
        that unit.
        """
        end = self.shown_at(time_ms)
        told = time_ms in set(self.times)
        if told or end is None or self.measures(end):
            return told
        reading = self.shown[end].reading
        return time_ms in {reading.t0_ms + offset_ms for offset_ms, _ in reading.samples}

    def last_before(self, time_ms: int) -> int | None:
        """Give the place of the last envelope before the first that ends after a time."""
        place = None
        for i, each in enumerate(self.shown):
            if each.reading.last_ms > time_ms:
                break
            place = i
        return place

    def first_reaching(self, time_ms: int) -> int | None:
        """Give the place of the first envelope that reaches a time."""
        for i, each in enumerate(self.shown):
            if each.reading.last_ms >= time_ms:
                return i
        return None

    def ended_by(self, to_ms: int) -> int:
        """Give how many samples a window that ends at a time, and those before it, are done with.

        By the envelope that reaches its end a total stands where the next window begins. What is
        dated back after it is the next one's, unless it measures nothing: then nobody knows where.
        """
        own, end = bisect_right(self.times, to_ms), self.first_reaching(to_ms)
        if end is None or not self.measures(end):
            return own
        return min(own, bisect_right(self.places, end))

    def shown_at(self, time_ms: int) -> int | None:
        """Give the place of the envelope by which a claim shows how far the device was heard.

        The first that reaches a time, else the very last.
        """
        reaching = self.first_reaching(time_ms)
        return len(self.shown) - 1 if reaching is None and self.shown else reaching


def read_track(
    device: PublicKey,
    instrument: Instrument,
    tip: Tip | None,
    envelopes: Sequence[Envelope],
    chain_id: Hash,
    to_ms: int,
    unit: Unit | None = None,
) -> Track:
    """Read a device's envelopes after its tip; raise a `BundleFault` if they are not its own.

    Every signature is checked here. A device without a tip may begin anywhere: it was never shown.
    It is read in one unit: `unit`, else that of the envelope that reaches `to_ms`, or is the last.
    """
    shown = [_read(device, index, each, chain_id) for index, each in enumerate(envelopes)]
    # One that was shown once is on duty since then, whether it is heard again or not.
    begun_ms = tip.time_ms if tip is not None and tip.again else None
    track = Track(device, instrument, shown, unit=unit, begun_ms=begun_ms)
    track.broken = _check_links(device, tip, shown)
    if unit is None and shown:
        place = track.first_reaching(to_ms)
        ending = shown[-1 if place is None else place]
        track.unit = measured_unit(instrument, ending.reading)
    carried = None
    for place, each in enumerate(shown):
        carried = _append(track, each.reading, carried)
        track.places.extend([place] * (len(track.times) - len(track.places)))
    return track


def _read(device: PublicKey, index: int, envelope: Envelope, chain_id: Hash) -> ReadEnvelope:
    try:
        reading = envelope.reading()
    except CodecFault as fault:
        raise UnsignedEnvelope(device=device.hex(), index=index, why=str(fault)) from fault
    message = reading_bytes(chain_id, envelope.body)
    if reading.device != device or not verify(device, message, envelope.signature):
        raise UnsignedEnvelope(device=device.hex(), index=index, why="the signature is not its own")
    return ReadEnvelope(envelope, reading, envelope.digest())


def _check_links(device: PublicKey, tip: Tip | None, shown: Sequence[ReadEnvelope]) -> bool:
    """Raise unless the envelopes follow the tip and each other; tell whether the first breaks."""
    broken = False
    if shown and tip is not None:
        first = shown[0].reading
        broken = first.previous == ZERO_HASH and first.seq == 0 and first.boot > tip.boot
        if tip.again and not broken:
            if (first.previous, shown[0].number) != (tip.digest, (tip.boot, tip.seq)):
                raise BrokenLink(device=device.hex(), boot=first.boot, seq=first.seq)
        elif not broken:
            _check_link(device, tip.digest, (tip.boot, tip.seq), shown[0])
    for before, after in pairwise(shown):
        _check_link(device, before.digest, before.number, after)
    return broken


def _check_link(
    device: PublicKey, digest: Hash, number: tuple[int, int], after: ReadEnvelope
) -> None:
    boot, seq = after.number
    follows = (boot, seq) == (number[0], number[1] + 1) or (boot > number[0] and seq == 0)
    if not follows or after.reading.previous != digest:
        raise BrokenLink(device=device.hex(), boot=boot, seq=seq)


def _append(
    track: Track, reading: Reading, carried: tuple[int, int] | None
) -> tuple[int, int] | None:
    """Take in an envelope's samples; give the sample that the next must begin with."""
    samples = [(reading.t0_ms + offset, value) for offset, value in reading.samples]
    first_ms = min(time_ms for time_ms, _ in samples)
    track.begun_ms = first_ms if track.begun_ms is None else min(track.begun_ms, first_ms)
    if not _usable(track, reading):
        track.denied.append((first_ms - 1, max(time_ms for time_ms, _ in samples) + 1))
        return None
    if track.times and samples[0][0] < track.times[-1]:
        # Until its clock is where it was.
        ahead = (time_ms for time_ms, _ in samples if time_ms >= track.times[-1])
        track.denied.append((samples[0][0] - 1, next(ahead, samples[-1][0]) + 1))
    joined = carried is not None and samples[0] == carried
    if joined:
        samples.pop(0)
    for time_ms, value in samples:
        # A clock that was set back: what is measured until it is where it was stands at that time.
        back = bool(track.times) and time_ms < track.times[-1]
        track.times.append(track.times[-1] if back else time_ms)
        track.values.append(value)
        track.joined.append(joined)
        joined = True
    return (reading.last_ms, reading.samples[-1][1])


def _usable(track: Track, reading: Reading) -> bool:
    """Tell whether an envelope is a measurement at all, of what its instrument measures."""
    unit = measured_unit(track.instrument, reading)
    if track.unit is None:
        track.unit = unit
    return unit is not None and unit is track.unit
