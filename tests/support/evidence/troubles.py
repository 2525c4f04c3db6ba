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


_alone = st.lists(
    st.builds(
        Trouble,
        st.integers(0, len(KINDS) - 1),
        st.integers(0, LENGTH_MS),
        st.sampled_from([0, 500, 1_900, 2_100, 4_000, 12_000, 30_000, 95_000]),
        st.booleans(),
    ),
    max_size=5,
)


def _dip(hold: int, at_ms: int, cold_ms: int, late_ms: int, longer_ms: int) -> list[Trouble]:
    """Let milk be cold for a time, and the valve divert early, in time or late, by its clock."""
    diverted_ms = max(0, cold_ms + longer_ms)
    return [
        Trouble(hold, at_ms, cold_ms, silent=False),
        Trouble(
            KINDS.index(Instrument.DIVERSION_VALVE), at_ms + late_ms, diverted_ms, silent=False
        ),
    ]


_dips = st.lists(
    st.builds(
        _dip,
        st.sampled_from([1, 2]),
        st.integers(0, LENGTH_MS),
        st.sampled_from([2_100, 7_000, 9_000, 14_000, 40_000]),
        st.integers(-9_000, 9_000),
        st.sampled_from([-20_000, -5_000, -1_000, 0, 3_000, 9_000]),
    ),
    max_size=2,
)
troubles = st.builds(
    lambda alone, dips: alone + [each for dip in dips for each in dip], _alone, _dips
)
"""What goes wrong: by itself, and cold milk that a valve diverts sooner or later."""
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
