"""A recording played on real devices: milkings metered in their order, the line emptying the tank.

Amounts are never touched: a meter's total rises by exactly the recorded steps, and each run is
floor(exact volume) of the milkings since the run before, so what must be minted is known before.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from math import floor
from random import Random
from typing import Final

from iot_minting.device.live import LiveDevice
from iot_minting.errors import JournalFull
from iot_minting.even_clock import EvenClock
from ledger.rules.measure import exact_volume
from ledger.types.evidence import Instrument
from ledger.types.reading import Unit
from simulator.dairy.herd import say_idle
from simulator.dairy.line import IDLE_S, LiveLine, sleep
from simulator.dairy.recording import Milking, Recording
from simulator.dairy.setup import LINE, LINE_INSTRUMENTS

BATCH_MS: Final = 2_500
"""How often the line pasteurizes what was collected, by the plant's own clock."""
RUN_MS: Final = 1_000
RUN_UNITS_MAX: Final = 15_000 * 1_000_000
"""A run's milk at most; below the gateway's own limit, so that it never cuts one."""
FULL_WAIT_S: Final = 0.5


@dataclass(slots=True)
class CollectedMilk:
    """What was collected since the last run, exactly."""

    density_mg_per_l: int
    unit: Unit
    steps: int = 0
    last_ms: int = 0
    expected: list[int] = field(default_factory=list)

    def add(self, steps: int, at_ms: int) -> None:
        """Collect one milking."""
        self.steps += steps
        self.last_ms = at_ms

    @property
    def volume(self) -> Fraction:
        """Give what stands in the tank."""
        return exact_volume(self.unit, self.steps, self.density_mg_per_l)

    def close(self) -> int:
        """Give the run's units, floored once, and begin the next batch."""
        units = floor(self.volume)
        self.steps = 0
        if units:
            self.expected.append(units)
        return units


def schedule(milkings: Sequence[Milking], speed: float) -> list[float]:
    """Give each milking's second after the start; ones without a time follow at once."""
    first = next((m.begin for m in milkings if m.begin is not None), None)
    if first is None or speed == 0:
        return [0.0] * len(milkings)
    return [_seconds(first, m.begin) / speed for m in milkings]


def _seconds(first: datetime, begin: datetime | None) -> float:
    return 0.0 if begin is None else (begin - first).total_seconds()


def meter_name(index: int) -> str:
    """Name the meter of the recording's nth device: file names must not be recorded ones."""
    return f"meter-{index + 1}"


class Player:
    """Plays milkings onto real devices, and lets the line empty the tank after them."""

    def __init__(
        self,
        recording: Recording,
        devices: dict[str, LiveDevice],
        density_mg_per_l: int,
        seed: bytes,
        pause: Callable[[float], bool] = sleep,
        clock: EvenClock | None = None,
    ) -> None:
        self._recording = recording
        self._meters = {
            name: devices[meter_name(index)] for index, name in enumerate(recording.meters)
        }
        instruments: dict[Instrument, LiveDevice] = {
            kind: devices[f"{LINE}-{kind.value}"] for kind in LINE_INSTRUMENTS
        }
        self._clock = clock or EvenClock()
        random = Random(seed)  # noqa: S311  # Temperatures, not keys.
        self._line = LiveLine(instruments, random, self._clock)
        self._pause = pause
        self.batch = CollectedMilk(density_mg_per_l, recording.unit)

    def play(self, speed: float, tell: Callable[[int], None]) -> None:
        """Play everything; `tell` hears how many milkings were played so far."""
        start_s = time.monotonic()
        run_ms = self._next_run_ms()
        milkings = self._recording.milkings
        times = schedule(milkings, speed)
        for played, (milking, at_s) in enumerate(zip(milkings, times, strict=True)):
            while (ahead_s := start_s + at_s - time.monotonic()) > 0:
                self._wait(max(0.0, min(ahead_s, (run_ms - self._clock.now_ms()) / 1_000)))
                run_ms = self._maybe_run(run_ms)
            run_ms = self._maybe_run(run_ms)
            self._meter(milking)
            tell(played + 1)
        self._run()

    def stay_on(self, seconds: float) -> None:
        """Keep every instrument speaking after the last run, while nothing flows."""
        until_ms = self._clock.now_ms() + round(seconds * 1_000)
        while (left_ms := until_ms - self._clock.now_ms()) > 0:
            self._wait(left_ms / 1_000)

    def _wait(self, seconds: float) -> None:
        """Wait for a moment at most, and let every instrument say that it is on."""
        self._pause(min(seconds, IDLE_S))
        self._patiently(self._idle)

    def _idle(self) -> None:
        self._line.idle()
        for meter in self._meters.values():
            say_idle(meter, self._clock.now_ms())

    def _next_run_ms(self) -> int:
        return self._clock.now_ms() + BATCH_MS

    def _maybe_run(self, run_ms: int) -> int:
        if self._clock.now_ms() < run_ms and self.batch.volume < RUN_UNITS_MAX:
            return run_ms
        self._run()
        return self._next_run_ms()

    def _meter(self, milking: Milking) -> None:
        """Meter one milking: the total before, then the total after."""
        meter = self._meters[milking.device]
        end_ms = max(self._clock.now_ms(), meter.last_ms + 2)
        samples = [(end_ms - 1, meter.value), (end_ms, meter.value + milking.steps)]
        self._patiently(lambda: meter.record(samples))
        self.batch.add(milking.steps, max(end_ms, self.batch.last_ms))

    def _run(self) -> None:
        """Pasteurize all that was collected."""
        units = self.batch.close()
        if units:
            after_ms = self.batch.last_ms
            self._patiently(lambda: self._line.pasteurize(units, after_ms, RUN_MS, self._pause))

    def _patiently(self, act: Callable[[], object]) -> None:
        """Do it; while a journal is full, wait for receipts, as a real milking would."""
        while True:
            try:
                act()
            except JournalFull:
                self._pause(FULL_WAIT_S)
            else:
                return
