"""Readings of a line that runs well and badly by turns, for laws over windows.

Cold, warm, diverted and silent for times that cross every limit of the law, by instruments out of
step that cut their envelopes each in its own way.
"""

from dataclasses import dataclass

from hypothesis import strategies as st

from ledger.types.evidence import Instrument
from tests.support.evidence.rig import LineRig, good_value

LENGTH_MS = 100_000
BAD = {
    Instrument.HOLD_THERMOMETER: 60_000,
    Instrument.OUTLET_THERMOMETER: 9_000,
    Instrument.DIVERSION_VALVE: 0,
}
KINDS = (
    Instrument.FLOW_METER,
    Instrument.HOLD_THERMOMETER,
    Instrument.HOLD_THERMOMETER,
    Instrument.OUTLET_THERMOMETER,
    Instrument.DIVERSION_VALVE,
    Instrument.TANK_GAUGE,
)


@dataclass(frozen=True)
class Trouble:
    """One device shows something bad, or nothing, for a time."""

    device: int
    from_ms: int
    length_ms: int
    silent: bool


troubles = st.lists(
    st.builds(
        Trouble,
        st.integers(0, len(KINDS) - 1),
        st.integers(0, LENGTH_MS),
        st.sampled_from([0, 500, 1_900, 2_100, 4_000, 12_000, 30_000, 95_000]),
        st.booleans(),
    ),
    max_size=5,
)
shapes = st.lists(
    st.tuples(st.sampled_from([700, 1_000, 1_900]), st.integers(3, 20), st.integers(0, 900)),
    min_size=len(KINDS),
    max_size=len(KINDS),
)


def build(shape: list[tuple[int, int, int]], bad: list[Trouble]) -> LineRig:
    """Let a line measure for `LENGTH_MS`, each device in its own rhythm."""
    rig = LineRig(*KINDS)
    for number, (device, (every_ms, size, shift)) in enumerate(
        zip(rig.devices, shape, strict=True)
    ):
        samples = []
        for at in range(shift, LENGTH_MS + 1, every_ms):
            value = good_value(device.instrument, at)
            mine = [t for t in bad if t.device == number]
            inside = [t for t in mine if t.from_ms <= at < t.from_ms + t.length_ms]
            if any(t.silent for t in inside):
                continue
            if inside and device.instrument in BAD:
                value = BAD[device.instrument]
            samples.append((at, value))
        device.measure(samples, size)
    return rig
