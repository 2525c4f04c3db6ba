"""The simulated dairy, live: farms milk into the tank, the line empties it, for ever.

Time is compressed, but the clock is real: a farm milks a cow every few seconds, and every few
seconds the line pasteurizes all that stands in the tank. What stands there is the meters' totals
less the flow meter's, which live in the devices' journals, so a restart loses no drop.
"""

import signal
import threading
from pathlib import Path
from random import Random
from typing import Final

import structlog

from iot_minting.device.live import LiveDevice
from iot_minting.errors import JournalFull
from iot_minting.even_clock import EvenClock
from iot_minting.settings import load_settings
from ledger.types.evidence import Instrument
from node.home.lock import owned
from simulator.dairy.chain import wait_for_chain
from simulator.dairy.fleet import run_devices
from simulator.dairy.herd import Herd, milking_curve
from simulator.dairy.line import LiveLine, sleeper
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

    def stop(self) -> None:
        """End soon."""
        self._ending.set()

    def _milk(self, farm: FarmIdentity) -> None:
        """Milk one cow after another; a milking is metered whole or not at all."""
        meter = self._devices[f"meter-{farm.name}"]
        herd = Herd(farm.cows, Random(self._seed + farm.name.encode()))  # noqa: S311  # Cows.
        mean_s = self._run_s / 2
        pause_s = herd.pause_s(mean_s) / 4  # Someone always stands ready when the day begins.
        while not self._ending.wait(pause_s):
            amount = herd.milk()
            with self._lock:
                end_ms = max(self._clock.now_ms(), self._last_milk_ms + 1)
                try:
                    meter.record(milking_curve(meter.value, amount, end_ms - MILKING_MS, end_ms))
                    self._last_milk_ms = end_ms
                except JournalFull as fault:
                    log.warning("milking waits", farm=farm.name, why=str(fault))
            pause_s = max(herd.pause_s(mean_s), MILKING_MS / 1_000 + 0.05)

    def _pasteurize(self) -> None:
        """Empty the tank at the line's pace."""
        pause = sleeper(self._ending.wait)
        wait_s = FIRST_RUN_S
        while not self._ending.wait(wait_s):
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

    def _tank_units(self) -> int:
        meters = (self._devices[f"meter-{farm.name}"] for farm in self._identity.farms)
        return sum(meter.value for meter in meters) * UNITS_PER_ML - self._line.flow_total


def run_live(home: Path) -> None:
    """Run the dairy of a home until SIGTERM or SIGINT; raise `HomeTaken` if another one does."""
    config, seed = load_settings(home, DairyConfig), read_seed(home)
    with owned(home):
        _run_live(home, config, seed)


def _run_live(home: Path, config: DairyConfig, seed: bytes) -> None:
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    chain_id = wait_for_chain(config.node_urls, ended)
    if chain_id is None:
        return
    identity = identify(seed, 0)
    with run_devices(home, config, chain_id, seed, list(identity.devices)) as devices:
        dairy = LiveDairy(identity, devices, seed, config.run_seconds)
        thread = threading.Thread(target=dairy.run, daemon=True)
        thread.start()
        ended.wait()
        dairy.stop()
        thread.join(timeout=2)
