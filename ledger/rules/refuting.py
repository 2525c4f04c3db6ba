"""Refutation: a reading that a window claimed speaks against what the window counted (spec §12.6).

Anyone shows it, and nobody rules on it. What an honest device signed about honestly counted milk
refutes nothing: only such samples are bad here as bar the milk from being counted at all.

- It reports tampering, at or before the interval's end, and since the calibration began that the
  device was under then (its admission, or the regulator's clearing): as it stood when the window
  was judged, whatever became of it since. Without one, of a device that was never shown before,
  only what the window had to show matters.
- A sample in the interval breaks its instrument's limit; or two that stand next to each other leave
  a silence, a rate over the line's or a fall of the total within the interval; or its times fall,
  or it measures something else.
- It is another than the device signed under the same number, not both before that time.

Each voids the interval. The first two cost everyone who signed the window, if the reading is shown
to stand under its root: a device that signs two of one number, or numbers that its chain leaves
out, shows the attestors the good ones alone. Tampering stops the device, as a report of it would.
"""

from itertools import pairwise
from typing import Final

from msgspec.structs import replace

from ledger.errors.doubt import NothingRefuted, UnclaimedReading, UnknownInterval, VoidInterval
from ledger.errors.evidence import BadEnvelope, ForeignEnvelope, UnknownDevice
from ledger.params import HOUR_MS, MARGIN_MS, WATCH_GAP_MS
from ledger.primitives.amounts import UNITS_PER_BILL
from ledger.primitives.errors import CodecFault
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address, PublicKey
from ledger.primitives.merkle import verify_path
from ledger.rules.claims import Claim
from ledger.rules.context import BlockContext, Call
from ledger.rules.doubts import check_contestable, find_proven
from ledger.rules.fraud import find_false
from ledger.rules.instruments import STREAMS, can_show
from ledger.rules.law import Law
from ledger.rules.measure import exact_volume
from ledger.rules.tampering import is_settled
from ledger.rules.vouchers import slash_attestors
from ledger.state.overlay import Overlay, Reader
from ledger.state.proven import ClaimedSpan, JudgedBy, Proven, ProvenInterval
from ledger.state.records import Device
from ledger.state.tables import DEVICES, PROVEN
from ledger.types.doubt import RefuteLot
from ledger.types.evidence import Instrument
from ledger.types.reading import READING_VERSION, Envelope, Reading, Unit, reading_bytes

PHYSICAL_LEAST_MDEGC: Final = -2_000
"""Colder than that milk is frozen, and a probe that says so is broken."""
PHYSICAL_MOST_MDEGC: Final = 160_000
"""Hotter than any line makes milk."""
_FORWARD: Final = 1

Sample = tuple[int, int]
"""A time and a value."""


def read_claimed(
    lot: Hash, proven: Proven, device: PublicKey, envelopes: tuple[Envelope, ...]
) -> tuple[ClaimedSpan, list[Reading]]:
    """Give a device's span in a lot's window, and what is shown of it; raise unless it claims it.

    Signatures are checked outside.
    """
    readings = [read_shown(device, envelope) for envelope in envelopes]
    for span in proven.spans:
        if span.device == device and all(span.has(each.boot, each.seq) for each in readings):
            return span, readings
    raise UnclaimedReading(
        lot=lot.hex(), device=device.hex(), boot=readings[0].boot, seq=readings[0].seq
    )


def read_shown(device: PublicKey, envelope: Envelope) -> Reading:
    """Read what is shown of a device; raise unless it is a reading, and the device's."""
    try:
        reading = envelope.reading()
    except CodecFault as fault:
        raise BadEnvelope(device=device.hex(), why=str(fault)) from fault
    if reading.device != device:
        raise ForeignEnvelope(device=device.hex(), boot=reading.boot)
    return reading


def check_refutation(reader: Reader, call: Call, body: RefuteLot) -> bool:
    """Raise unless what is shown speaks against the interval; tell whether who signed saw it.

    Whether the window is open is not asked here.
    """
    proven = find_proven(reader, body.lot)
    if body.interval >= len(proven.intervals):
        raise UnknownInterval(
            lot=body.lot.hex(), count=len(proven.intervals), interval=body.interval
        )
    interval = proven.intervals[body.interval]
    if interval.void:
        raise VoidInterval(lot=body.lot.hex(), interval=body.interval)
    span, readings = read_claimed(body.lot, proven, body.device, body.envelopes)
    device = DEVICES.get(reader, body.device)
    if device is None:
        raise UnknownDevice(device=body.device.hex())
    seen = _is_seen(proven, body, readings[0])
    watched = _watched(interval, span)
    since_ms = _since_ms(proven, span, min(interval.to_ms, span.until_ms))
    bad = [
        watched is not None
        and (
            _tells_of_tampering(span, watched, since_ms, each)
            or _is_bad(device, watched, proven.judged_by, each)
        )
        for each in readings
    ]
    matters = any(each.last_ms >= since_ms for each in readings)
    if not any(bad) and not (matters and _is_double(body.envelopes, readings)):
        raise NothingRefuted(device=body.device.hex(), interval=body.interval)
    return seen and bad[0]


def _is_seen(proven: Proven, body: RefuteLot, reading: Reading) -> bool:
    """Tell whether the first reading is shown to be the window's; raise if it is shown wrongly."""
    if body.place is None:
        return False
    leaf, place = body.envelopes[0].digest(), body.place
    root, count = Hash(proven.readings_root), proven.readings_count
    path = [Hash(each) for each in place.path]
    if not verify_path(root, leaf, place.index, count, path):
        raise UnclaimedReading(
            lot=body.lot.hex(), device=body.device.hex(), boot=reading.boot, seq=reading.seq
        )
    return True


def _watched(interval: ProvenInterval, span: ClaimedSpan) -> ProvenInterval | None:
    """Give the part of an interval in which a device stood on the line, if it did."""
    begin, end = max(interval.from_ms, span.from_ms), min(interval.to_ms, span.until_ms)
    return replace(interval, from_ms=begin, to_ms=end) if begin < end else None


def _is_double(envelopes: tuple[Envelope, ...], readings: list[Reading]) -> bool:
    if len(readings) < 2:
        return False
    one, other = readings
    # A device may sign the same bytes twice; they are one reading.
    different = envelopes[0].body != envelopes[1].body
    return different and (one.boot, one.seq) == (other.boot, other.seq)


def _since_ms(proven: Proven, span: ClaimedSpan, to_ms: int) -> int:
    """Give since when it matters what a device went through, for what counted up to a time.

    One calibration covers all of an interval that its device had to watch. One that was never heard
    by then needs none; but what the window had to show of it, it said.
    """
    begun = [since_ms for since_ms in span.calibrated_ms if since_ms < to_ms]
    return max(begun) if begun else proven.from_ms - MARGIN_MS if span.after is None else 0


def _tells_of_tampering(
    span: ClaimedSpan, interval: ProvenInterval, since_ms: int, reading: Reading
) -> bool:
    first_ms = reading.t0_ms + reading.samples[0][0]
    if not reading.tamper or first_ms > interval.to_ms:
        return False
    cleared = span.cleared is not None and (reading.boot, reading.seq) <= span.cleared
    # A clearing begins a calibration: what counts under the newest one counts after it.
    settled = first_ms < since_ms or since_ms >= max(span.calibrated_ms, default=0)
    if settled and cleared:
        # It may be dated after the clearing: of those times alone it says something.
        return first_ms < interval.to_ms and interval.from_ms < reading.last_ms
    return reading.last_ms >= since_ms


def _is_bad(device: Device, interval: ProvenInterval, limits: JudgedBy, reading: Reading) -> bool:
    if not _watches(device.instrument, limits):
        return False
    samples = [(reading.t0_ms + offset, value) for offset, value in reading.samples]
    if not _is_sound(device.instrument, reading):
        return _meets(interval, samples[0], samples[-1])
    if any(
        interval.from_ms <= time_ms <= interval.to_ms
        and not _allows(device.instrument, limits, value)
        for time_ms, value in samples
    ):
        return True
    unit = Unit(reading.unit) if device.instrument is Instrument.FLOW_METER else None
    return any(
        _meets(interval, since, until) and _is_gap(interval, limits, unit, since, until)
        for since, until in pairwise(samples)
    )


def _watches(instrument: Instrument, limits: JudgedBy) -> bool:
    """Tell whether an instrument must be heard, and good, all the while that milk counts."""
    match instrument:
        case Instrument.HOLD_THERMOMETER:
            return limits.hold_least_mdegc is not None
        case Instrument.TANK_GAUGE | Instrument.MILK_METER:
            return False
        case _:
            return True


def _is_sound(instrument: Instrument, reading: Reading) -> bool:
    """Tell whether a reading measures what its instrument does, in order of time."""
    units = {stream.value: units for stream, units in STREAMS[instrument].items()}
    offsets = [offset for offset, _ in reading.samples]
    fits = reading.unit in {unit.value for unit in units.get(reading.stream, frozenset())}
    measured = fits and reading.version == READING_VERSION and offsets == sorted(offsets)
    return measured and can_show(instrument, reading)


def _meets(interval: ProvenInterval, since: Sample, until: Sample) -> bool:
    """Tell whether there is a time between two samples that lies in the interval."""
    return since[0] < interval.to_ms and interval.from_ms < until[0]


def _allows(instrument: Instrument, limits: JudgedBy, value: int) -> bool:
    match instrument:
        case Instrument.HOLD_THERMOMETER:
            least = limits.hold_least_mdegc
            return least is None or least <= value <= PHYSICAL_MOST_MDEGC
        case Instrument.OUTLET_THERMOMETER:
            return PHYSICAL_LEAST_MDEGC <= value <= limits.outlet_most_mdegc
        case Instrument.DIVERSION_VALVE:
            return value == _FORWARD
        case _:
            return True


def _is_gap(
    interval: ProvenInterval, limits: JudgedBy, unit: Unit | None, since: Sample, until: Sample
) -> bool:
    """Tell whether what lies between two samples can't count: silence; of a total, a fall too.

    Or a rise beyond the line's limit and one step more, if it lies in the interval whole.
    """
    if until[0] - since[0] > WATCH_GAP_MS:
        return True
    if unit is None:
        return False
    rise = until[1] - since[1]
    inside = interval.from_ms <= since[0] and until[0] <= interval.to_ms
    if rise <= 1 or limits.flow_max_l_per_h == 0 or not inside:
        return rise < 0
    units = exact_volume(unit, rise - 1, limits.density_mg_per_l)
    return units * HOUR_MS > limits.flow_max_l_per_h * UNITS_PER_BILL * (until[0] - since[0])


def apply_refutation(overlay: Overlay, context: BlockContext, call: Call, body: RefuteLot) -> None:
    """Void the interval, slash who saw what they signed, and stop what was tampered with."""
    proven = find_proven(overlay, body.lot)
    check_contestable(overlay, body.lot, proven, context.time_ms)
    seen = check_refutation(overlay, call, body)
    found = void_intervals(overlay, body.lot, (body.interval,))
    for envelope in body.envelopes:
        _stop_tampered(overlay, read_shown(body.device, envelope), context.time_ms)
    if seen:
        slash_attestors(overlay, proven.attestors, call.sender, found)


def _stop_tampered(overlay: Overlay, reading: Reading, time_ms: int) -> None:
    """Let nothing count from the reading on that a device calls tampered with, as a report does.

    It stops now at the latest: one that is dated ahead is no stop to come.
    """
    device = DEVICES.get(overlay, reading.device)
    if device is None or not reading.tamper:
        return
    if is_settled(device, (reading.boot, reading.seq), reading.last_ms):
        return
    first_ms = reading.t0_ms + reading.samples[0][0]
    stopped = replace(device, stopped_ms=min(device.stopped_ms, first_ms, time_ms))
    DEVICES.put(overlay, stopped, reading.device)


def void_intervals(overlay: Overlay, lot: Hash, numbers: tuple[int, ...]) -> int:
    """Void intervals of a lot as fraud; give how many units of it were not found false before."""
    proven = find_proven(overlay, lot)
    intervals = tuple(
        replace(each, void=True) if number in numbers else each
        for number, each in enumerate(proven.intervals)
    )
    PROVEN.put(overlay, replace(proven, intervals=intervals), lot)
    return find_false(overlay, lot, sum(proven.intervals[number].units for number in numbers))


def shown_claims(device: PublicKey, envelopes: tuple[Envelope, ...], chain: Hash) -> list[Claim]:
    """List a device's signatures under what is shown of it."""
    return [(device, reading_bytes(chain, each.body), each.signature) for each in envelopes]


def _claims(body: RefuteLot, sender: Address, chain: Hash) -> list[Claim]:
    return shown_claims(body.device, body.envelopes, chain)


REFUTATION_LAWS: Final = (Law(RefuteLot, apply_refutation, check_refutation, claims=_claims),)
