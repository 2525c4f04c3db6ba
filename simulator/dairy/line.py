"""A pasteurizer line: what its instruments say, second by second, as long as the plant is on.

Pure and seeded: `run_readings` gives the samples of one whole run of its four instruments;
`LiveLine` plays runs on real devices over real time, and what they say between runs. The flow
meter counts exactly the batch. Heat obeys the strictest rule that is in force here: Malaysia, 73
degrees C in the holding tube with 0.30 of probe uncertainty, 4 at the outlet. Between runs the line
circulates: hot, cold, the valve not forward. There is no tank gauge: milk comes in while it flows,
and a level that nobody measures would be made up.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from iot_minting.device.live import LiveDevice
from iot_minting.device.signer import NEW_SAMPLES_MAX
from iot_minting.even_clock import EvenClock
from ledger.types.evidence import Instrument

HOLD_MDEGC: Final = (73_900, 75_200)
OUTLET_MDEGC: Final = (2_600, 3_600)
ENVELOPE_MS: Final = 500
SAMPLES: Final = 6
SETTLE_MS: Final = 20
"""Between the last metered milk, the valve's opening, the flow, and the valve's closing."""
IDLE_S: Final = 1.0
"""How often instruments are read while nothing flows: no silence is as long as the law's 2 s."""
IDLE_ENVELOPE_MS: Final = 2_000
"""How long an idle envelope may be: what comes before a run is not waited for much longer."""

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
    """The instruments of one line, playing runs as time passes, and idling between them."""

    def __init__(
        self, devices: dict[Instrument, LiveDevice], random: Random, clock: EvenClock
    ) -> None:
        self._devices = devices
        self._random = random
        self._clock = clock
        self._idle: list[int] = []

    @property
    def flow_total(self) -> int:
        """Give all that ever flowed, in microlitres, over all boots of the flow meter."""
        return self._devices[Instrument.FLOW_METER].value

    def idle(self) -> None:
        """Sample every instrument while nothing flows; call it every `IDLE_S`.

        Samples go out together: an envelope says as much as it has room for.
        """
        self._idle.append(self._next_ms())
        if self._idle[-1] - self._idle[0] >= IDLE_ENVELOPE_MS:
            self._tell_idle()

    def pasteurize(
        self, units: int, after_ms: int, duration_ms: int, pause: Callable[[float], bool]
    ) -> bool:
        """Pasteurize exactly `units`, starting after `after_ms`; tell whether it was finished.

        `pause(seconds)` waits and tells whether to go on.
        """
        begin_ms = max(self._next_ms(), after_ms) + SETTLE_MS
        self._open(begin_ms)
        ticks = run_readings(
            units, self.flow_total, begin_ms + SETTLE_MS, duration_ms, self._random
        )
        for tick in ticks:
            if not pause(max(0, tick.end_ms - self._clock.now_ms()) / 1_000):
                return False
            for kind, samples in tick.readings.items():
                self._devices[kind].record(samples)
        self._close(ticks[-1].end_ms)
        return True

    def _next_ms(self) -> int:
        """Give a time that no instrument has passed."""
        last_ms = max(device.last_ms for device in self._devices.values())
        return max(self._clock.now_ms(), last_ms, *self._idle[-1:])

    def _tell_idle(self) -> None:
        """Sign what was sampled while nothing flowed."""
        times, self._idle = self._idle[-NEW_SAMPLES_MAX:], []
        for kind, device in self._devices.items():
            if times:
                device.record([(at_ms, self._idle_value(kind)) for at_ms in times])

    def _open(self, at_ms: int) -> None:
        """Open the valve, and let everyone see it open before milk flows."""
        self._tell_idle()
        self._say(at_ms, valve=1)
        self._say(at_ms + SETTLE_MS, valve=1)

    def _close(self, end_ms: int) -> None:
        """Let everyone see that the milk has stopped before the valve closes."""
        self._say(end_ms + SETTLE_MS, valve=1)
        self._say(end_ms + 2 * SETTLE_MS, valve=0)

    def _say(self, at_ms: int, *, valve: int) -> None:
        for kind, device in self._devices.items():
            is_valve = kind is Instrument.DIVERSION_VALVE
            device.record([(at_ms, valve if is_valve else self._idle_value(kind))])

    def _idle_value(self, kind: Instrument) -> int:
        match kind:
            case Instrument.FLOW_METER:
                return self.flow_total
            case Instrument.HOLD_THERMOMETER:
                return self._random.randint(*HOLD_MDEGC)
            case Instrument.OUTLET_THERMOMETER:
                return self._random.randint(*OUTLET_MDEGC)
            case _:
                return 0


def sleeper(is_ending: Callable[[float], bool]) -> Callable[[float], bool]:
    """Make a pause out of an event's wait: False once the event is set."""

    def pause(seconds: float) -> bool:
        return not is_ending(seconds)

    return pause


def sleep(seconds: float) -> bool:
    """Pause for good: nobody interrupts."""
    time.sleep(seconds)
    return True
