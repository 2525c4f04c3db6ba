"""The simulated dairy, live: farms milk into the tank, the line empties it, for ever.

Time is compressed, but the clock is real: a farm milks a cow every few seconds, and every few
seconds the line pasteurizes all that stands in the tank. What stands there is the meters' totals
less the flow meter's, which live in the devices' journals, so a restart loses no drop. On its very
first start it may tell of a past (`past_ms`), since milk must be of some age to be minted.
"""

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Final

import structlog

from iot_minting.device.live import LiveDevice
from iot_minting.errors import JournalFull
from iot_minting.even_clock import EvenClock, wall_ms
from iot_minting.settings import load_settings
from ledger.types.evidence import Instrument
from node.home.lock import owned
from simulator.dairy.chain import chain_of
from simulator.dairy.fleet import run_devices
from simulator.dairy.herd import METER_IDLE_S, Herd, milking_curve, say_idle
from simulator.dairy.line import IDLE_S, LiveLine, sleeper
from simulator.dairy.setup import (
    DairyConfig,
    DairyIdentity,
    FarmIdentity,
    identify,
    read_seed,
)

UNITS_PER_ML: Final = 1_000
MILKING_MS: Final = 1_000
"""A milking of some minutes, compressed."""
RUN_SHARE: Final = 0.4
"""The part of a line's cycle in which it pasteurizes."""
FIRST_RUN_S: Final = 1.5
LEAST_RUN_UNITS: Final = 1_000_000

log = structlog.get_logger("dairy")


class PastClock:
    """A clock that moves when somebody waits: what is told by it is told at once."""

    def __init__(self, at_ms: int) -> None:
        self._at_ms = at_ms
        self.even = EvenClock(self._tell_ms, self._tell_ms)

    def _tell_ms(self) -> int:
        return self._at_ms

    def wait(self, seconds: float) -> bool:
        """Let time pass; tell that one may go on."""
        self._at_ms += round(seconds * 1_000)
        return True


class LiveDairy:
    """Farms and a line on their own threads, sharing what the meters counted."""

    def __init__(
        self,
        identity: DairyIdentity,
        devices: dict[str, LiveDevice],
        seed: bytes,
        run_s: float,
        clock: EvenClock | None = None,
    ) -> None:
        self._clock = clock or EvenClock()
        self._clock.raise_to(max(device.last_ms for device in devices.values()))
        self._identity = identity
        self._devices = devices
        self._seed = seed
        self._run_s = run_s
        self._lock = threading.Lock()
        self._ending = threading.Event()
        instruments: dict[Instrument, LiveDevice] = {
            d.kind: devices[d.name] for d in identity.devices if d.kind is not Instrument.MILK_METER
        }
        random = Random(seed + b"line")  # noqa: S311  # A world, not a key.
        self._line = LiveLine(instruments, random, self._clock)
        self._last_milk_ms = 0

    def run(self) -> None:
        """Milk and pasteurize until `stop`."""
        works = [lambda farm=farm: self._milk(farm) for farm in self._identity.farms]
        threads = [threading.Thread(target=work, daemon=True) for work in works]
        for thread in threads:
            thread.start()
        self._pasteurize()
        for thread in threads:
            thread.join(timeout=2)

    def live_through(self, until_ms: int, wait: Callable[[float], bool]) -> None:
        """Do whole rounds of milking and pasteurizing up to a time; `wait` lets time pass."""
        farms = [
            (
                self._devices[f"meter-{farm.name}"],
                Herd(farm.cows, Random(self._seed + farm.name.encode())),  # noqa: S311  # Cows.
            )
            for farm in self._identity.farms
        ]
        run_ms = int(self._run_s * RUN_SHARE * 1_000)
        while self._clock.now_ms() + self._run_s * 1_000 <= until_ms:
            for _ in range(max(1, int(self._run_s * (1 - RUN_SHARE) / IDLE_S))):
                wait(IDLE_S)
                self._line.idle()
            for meter, herd in farms:
                self._milk_one(meter, herd.milk())
            self._line.pasteurize(self._tank_units(), self._last_milk_ms, run_ms, wait)

    def stop(self) -> None:
        """End soon."""
        self._ending.set()

    def _milk(self, farm: FarmIdentity) -> None:
        """Milk one cow after another; a milking is metered whole or not at all."""
        meter = self._devices[f"meter-{farm.name}"]
        herd = Herd(farm.cows, Random(self._seed + farm.name.encode()))  # noqa: S311  # Cows.
        mean_s = self._run_s / 2
        pause_s = herd.pause_s(mean_s) / 4  # Someone always stands ready when the day begins.
        while not self._wait_idle(meter, pause_s):
            try:
                self._milk_one(meter, herd.milk())
            except JournalFull as fault:
                log.warning("milking waits", farm=farm.name, why=str(fault))
            pause_s = max(herd.pause_s(mean_s), MILKING_MS / 1_000 + 0.05)

    def _milk_one(self, meter: LiveDevice, amount: int) -> None:
        """Meter one milking; where the meter spoke within it, from there on."""
        with self._lock:
            end_ms = max(self._clock.now_ms(), self._last_milk_ms + 1, meter.last_ms + 1)
            start_ms = max(end_ms - MILKING_MS, meter.last_ms)
            meter.record(milking_curve(meter.value, amount, start_ms, end_ms))
            self._last_milk_ms = end_ms

    def _wait_idle(self, meter: LiveDevice, pause_s: float) -> bool:
        """Let a meter say that it is on while it waits; tell whether the dairy ends."""
        while True:
            try:
                say_idle(meter, self._clock.now_ms())
            except JournalFull as fault:
                log.warning("meter waits", device=meter.settings.name, why=str(fault))
            if self._ending.wait(min(pause_s, METER_IDLE_S)):
                return True
            pause_s -= METER_IDLE_S
            if pause_s <= 0:
                return False

    def _pasteurize(self) -> None:
        """Empty the tank at the line's pace."""
        pause = sleeper(self._ending.wait)
        wait_s = FIRST_RUN_S
        while not self._circulate(wait_s):
            with self._lock:
                units, after_ms = self._tank_units(), self._last_milk_ms
            wait_s = self._run_s * (1 - RUN_SHARE)
            if units < LEAST_RUN_UNITS:
                continue
            try:
                done = self._line.pasteurize(
                    units, after_ms, int(self._run_s * RUN_SHARE * 1_000), pause
                )
            except JournalFull as fault:
                log.warning("line waits", why=str(fault))
                continue
            if done:
                log.info("pasteurized", units=units)

    def _circulate(self, wait_s: float) -> bool:
        """Let the line idle for so long; tell whether the dairy ends."""
        while not self._ending.wait(min(wait_s, IDLE_S)):
            try:
                self._line.idle()
            except JournalFull as fault:
                log.warning("line waits", why=str(fault))
            wait_s -= IDLE_S
            if wait_s <= 0:
                return False
        return True

    def _tank_units(self) -> int:
        meters = (self._devices[f"meter-{farm.name}"] for farm in self._identity.farms)
        return sum(meter.value for meter in meters) * UNITS_PER_ML - self._line.flow_total


def tell_past(
    identity: DairyIdentity,
    devices: dict[str, LiveDevice],
    seed: bytes,
    config: DairyConfig,
    now_ms: int,
) -> None:
    """Let a plant that never spoke tell at once of `past_ms`, as if it had been on all the time."""
    if any(device.last_ms for device in devices.values()):
        return
    past = PastClock(now_ms - config.past_ms)
    dairy = LiveDairy(identity, devices, seed, config.run_seconds, past.even)
    dairy.live_through(now_ms, past.wait)


def run_live(home: Path) -> None:
    """Run the dairy of a home until SIGTERM or SIGINT; raise `HomeTaken` if another one does."""
    config, seed = load_settings(home, DairyConfig), read_seed(home)
    with owned(home):
        _run_live(home, config, seed)


def _run_live(home: Path, config: DairyConfig, seed: bytes) -> None:
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    chain_id = chain_of(config, ended)
    if chain_id is None:
        return
    identity = identify(seed, 0)
    with run_devices(home, config, chain_id, seed, list(identity.devices)) as devices:
        tell_past(identity, devices, seed, config, wall_ms())
        dairy = LiveDairy(identity, devices, seed, config.run_seconds)
        thread = threading.Thread(target=dairy.run, daemon=True)
        thread.start()
        ended.wait()
        dairy.stop()
        thread.join(timeout=2)
