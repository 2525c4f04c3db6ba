"""A pasteurizer line: what its instruments say while it pasteurizes a batch, second by second.

Pure and seeded: `run_readings` gives the samples of one whole run of all five instruments;
`LiveLine` plays them on real devices over real time. The flow meter counts exactly the batch; the
tank gauge falls by as much. Heat obeys the strictest rule that is in force here: Malaysia, 73
degrees C in the holding tube with 0.30 of probe uncertainty, 4 at the outlet.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from iot_minting.device.live import LiveDevice
from iot_minting.even_clock import EvenClock
from ledger.types.evidence import Instrument

HOLD_MDEGC: Final = (73_900, 75_200)
OUTLET_MDEGC: Final = (2_600, 3_600)
ENVELOPE_MS: Final = 500
SAMPLES: Final = 6
SETTLE_MS: Final = 20
"""From the last metered milk to the first flow, and from the last flow to the valve's closing."""

Samples = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class LineTick:
    """One envelope of every instrument, over the same half second."""

    readings: dict[Instrument, Samples]

    @property
    def end_ms(self) -> int:
        """Give the time of the last sample."""
        return max(samples[-1][0] for samples in self.readings.values())


def run_readings(
    units: int, flow_total: int, start_ms: int, duration_ms: int, random: Random
) -> list[LineTick]:
    """Give the readings of a run of exactly `units` microlitres, in ticks of half a second."""
    assert units > 0
    count = max(1, duration_ms // ENVELOPE_MS)
    ticks = []
    for tick in range(count):
        times = [
            start_ms + tick * ENVELOPE_MS + sample * ENVELOPE_MS // SAMPLES
            for sample in range(SAMPLES)
        ]
        # Every envelope begins where the one before it ended, so no drop lies between them.
        done = [
            units * (tick * (SAMPLES - 1) + sample) // (count * (SAMPLES - 1))
            for sample in range(SAMPLES)
        ]
        ticks.append(
            LineTick(
                {
                    Instrument.FLOW_METER: [
                        (at, flow_total + part) for at, part in zip(times, done, strict=True)
                    ],
                    Instrument.TANK_GAUGE: [
                        (at, units - part) for at, part in zip(times, done, strict=True)
                    ],
                    Instrument.HOLD_THERMOMETER: [
                        (at, random.randint(*HOLD_MDEGC)) for at in times
                    ],
                    Instrument.OUTLET_THERMOMETER: [
                        (at, random.randint(*OUTLET_MDEGC)) for at in times
                    ],
                    Instrument.DIVERSION_VALVE: [(at, 1) for at in times],
                }
            )
        )
    return ticks


class LiveLine:
    """The instruments of one line, playing runs as time passes."""

    def __init__(
        self, devices: dict[Instrument, LiveDevice], random: Random, clock: EvenClock
    ) -> None:
        self._devices = devices
        self._random = random
        self._clock = clock

    @property
    def flow_total(self) -> int:
        """Give all that ever flowed, in microlitres, over all boots of the flow meter."""
        return self._devices[Instrument.FLOW_METER].value

    def pasteurize(
        self, units: int, after_ms: int, duration_ms: int, pause: Callable[[float], bool]
    ) -> bool:
        """Pasteurize exactly `units`, starting after `after_ms`; tell whether it was finished.

        `pause(seconds)` waits and tells whether to go on.
        """
        start_ms = max(self._clock.now_ms(), after_ms + SETTLE_MS)
        ticks = run_readings(units, self.flow_total, start_ms, duration_ms, self._random)
        for tick in ticks:
            if not pause(max(0, tick.end_ms - self._clock.now_ms()) / 1_000):
                return False
            for kind, samples in tick.readings.items():
                self._devices[kind].record(samples)
        closed_ms = ticks[-1].end_ms + SETTLE_MS
        self._devices[Instrument.DIVERSION_VALVE].record([(closed_ms, 0)])
        return True


def sleeper(is_ending: Callable[[float], bool]) -> Callable[[float], bool]:
    """Make a pause out of an event's wait: False once the event is set."""

    def pause(seconds: float) -> bool:
        return not is_ending(seconds)

    return pause


def sleep(seconds: float) -> bool:
    """Pause for good: nobody interrupts."""
    time.sleep(seconds)
    return True
