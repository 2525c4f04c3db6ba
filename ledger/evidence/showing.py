"""Showing: the three envelopes by which a claim shows each device to the chain."""

from collections.abc import Iterable, Sequence
from fractions import Fraction

from ledger.evidence.tracks import ReadEnvelope
from ledger.evidence.watching import Watch
from ledger.params import MARGIN_MS
from ledger.types.evidence import Instrument
from ledger.types.reading import Envelope
from ledger.types.window import DeviceWindow, Interval


def show_device(
    watch: Watch, to_ms: int, intervals: Sequence[Interval], fell: int | None = None
) -> DeviceWindow:
    """Show a device's part in a window that ends at `to_ms` and counts `intervals`.

    A device that is shown for the first time is linked by its first envelope at least: what it says
    from then on can't be left out. The envelope at `fell` is shown before any that is bad: without
    it nobody on the chain could tell that the total began anew.
    """
    track = watch.track
    last = track.last_before(to_ms - MARGIN_MS)
    if last is None and track.shown and not watch.linked:
        last = 0
    end = track.shown_at(to_ms)
    worst = _worst(watch, intervals) if fell is None else fell
    if worst in {last, end}:
        worst = None

    def envelope(place: int | None) -> Envelope | None:
        return None if place is None else track.shown[place].envelope

    return DeviceWindow(
        device=track.device,
        count=len(track.shown),
        last=envelope(last),
        end=envelope(end),
        worst=envelope(worst),
        broken=track.broken,
        silent=watch.silent,
    )


def _worst(watch: Watch, intervals: Sequence[Interval]) -> int | None:
    """Give the place of the envelope that speaks most against what counts, if any speaks of it."""
    instrument = watch.track.instrument
    if instrument is Instrument.TANK_GAUGE:
        return None
    found: int | None = None
    least: Fraction | None = None
    for place, shown in enumerate(watch.track.shown):
        inside = list(_inside(shown, intervals))
        if not inside:
            continue
        good = _goodness(instrument, inside)
        if good is not None and (least is None or good < least):
            found, least = place, good
    return found


def _inside(shown: ReadEnvelope, intervals: Iterable[Interval]) -> Iterable[tuple[int, int]]:
    """List an envelope's samples within counted intervals, as (time, value)."""
    reading = shown.reading
    begin_ms, end_ms = reading.t0_ms, reading.last_ms
    near = [each for each in intervals if each.from_ms <= end_ms and each.to_ms >= begin_ms]
    for offset, value in reading.samples:
        at = reading.t0_ms + offset
        if any(each.from_ms <= at <= each.to_ms for each in near):
            yield at, value


def _goodness(instrument: Instrument, samples: Sequence[tuple[int, int]]) -> Fraction | None:
    """Give how far an envelope speaks for a claim: more is better."""
    values = [value for _, value in samples]
    match instrument:
        case Instrument.HOLD_THERMOMETER | Instrument.DIVERSION_VALVE:
            return Fraction(min(values))
        case Instrument.OUTLET_THERMOMETER:
            return Fraction(-max(values))
        case _:
            span_ms = samples[-1][0] - samples[0][0]
            return Fraction(values[0] - values[-1], span_ms) if span_ms else None
