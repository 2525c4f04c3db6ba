"""Play a recording: every milking becomes a signed reading of a registered milk meter, and the
simulated line pasteurizes exactly what was collected.

Recorded times are of the past, and a chain wants readings of now: the recording is shifted so
that its first milking is now, and the time between milkings is divided by `speed` (0: no pauses).
Amounts are never touched: a meter's total rises by exactly the recorded steps, and each run is
floor(exact volume) of the milkings since the run before, so what must be minted is known before,
but for a unit that each collection and each window may round off.

Each replay is a plant of its own (`replay-<time>`), with a meter a recorded device and a line:
what an earlier one left unpasteurized is not mixed in.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from pathlib import Path
from typing import Final

from iot_minting.even_clock import wall_ms
from iot_minting.gateway.chain import Chain
from iot_minting.settings import load_settings
from ledger.genesis import Genesis
from ledger.params import MARGIN_MS
from ledger.primitives.keys import SigningKey, address_of
from ledger.types.evidence import Instrument
from simulator.dairy.chain import minted_units, register
from simulator.dairy.fleet import run_devices
from simulator.dairy.line import IDLE_ENVELOPE_MS, sleep
from simulator.dairy.player import Player, meter_name
from simulator.dairy.recording import Recording
from simulator.dairy.setup import (
    CALIBRATION_DAYS,
    DAY_MS,
    LINE,
    REPLAY_PLANT,
    DairyConfig,
    DeviceIdentity,
    derive_key,
    device_identity,
    line_identities,
    read_seed,
)

SETTLE_S: Final = 1.0
"""From the registration's finality to the first reading: the gateway follows the chain too."""
REST_S: Final = (MARGIN_MS + 2 * IDLE_ENVELOPE_MS) / 1_000 + 20
"""How long the plant stays on after the last run: the law hears it out before that run counts, and
a testnet's gateway waits until its window is long enough."""
RECEIPTS_S: Final = 120.0
WAIT_S: Final = 180.0
POLL_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What was played, what must be minted of it, and (if waited for) what was."""

    plant: str
    rows: int
    skipped: int
    meters: int
    recorded_steps: int
    unit: str
    runs: int
    expected_units: int
    minted_units: int | None = None
    lots: int | None = None

    @property
    def is_minted(self) -> bool:
        """Tell whether all is minted, but for what collections and windows round off.

        A collection brings a milking or more, so there are no more of them than milkings.
        """
        if self.minted_units is None or self.lots is None:
            return False
        return 0 <= self.expected_units - self.minted_units <= self.rows + self.lots


def replay_identities(
    seed: bytes, plant: str, recording: Recording, until_ms: int
) -> list[DeviceIdentity]:
    """Name the meters of a recording, which belong to one farm, and the line they feed."""
    farm = address_of(farm_key(seed).public)
    meters = [
        device_identity(seed, name, Instrument.MILK_METER, farm, until_ms, (plant, LINE))
        for name in (meter_name(index) for index in range(len(recording.meters)))
    ]
    return [*meters, *line_identities(seed, plant, LINE, until_ms)]


def farm_key(seed: bytes) -> SigningKey:
    """Make the key of the farm that owns the meters of every recording."""
    return derive_key(seed, f"{REPLAY_PLANT}/farm")


def replay(
    home: Path,
    recording: Recording,
    speed: float,
    *,
    wait: bool,
    tell: Callable[[str], None],
) -> ReplayReport:
    """Play a recording onto the network of a home; with `wait`, read back what was minted."""
    config, seed = load_settings(home, DairyConfig), read_seed(home)
    plant = f"{REPLAY_PLANT}-{wall_ms() // 1_000}"
    identities = replay_identities(seed, plant, recording, wall_ms() + CALIBRATION_DAYS * DAY_MS)
    genesis = asyncio.run(_register(home, config, identities, farm_key(seed)))
    tell(f"registered {len(identities)} devices of plant {plant}")
    sleep(SETTLE_S)
    meter_unit = recording.unit
    with run_devices(home, config, genesis.chain_id, seed, identities, meter_unit) as devices:
        player = Player(recording, devices, genesis.parameters.density_mg_per_l, seed)
        player.play(speed, _every(200, len(recording.milkings), tell))
        report = ReplayReport(
            plant=plant,
            rows=len(recording.milkings),
            skipped=len(recording.skipped),
            meters=len(recording.meters),
            recorded_steps=recording.steps,
            unit=recording.unit.value,
            runs=len(player.batch.expected),
            expected_units=sum(player.batch.expected),
        )
        if wait:
            report = _wait_minted(config, report, player)
        else:
            player.stay_on(REST_S)
        deadline = time.monotonic() + RECEIPTS_S
        for device in devices.values():
            if not device.wait_receipted(max(0.0, deadline - time.monotonic())):
                tell(f"{device.held} readings of {device.settings.name} have no receipt yet")
    return report


async def _register(
    home: Path, config: DairyConfig, identities: Sequence[DeviceIdentity], farm: SigningKey
) -> Genesis:
    chain = Chain.of_urls(config.node_urls)
    try:
        genesis = await chain.genesis()
        name = config.regulator_key_file
        key_file = home / name if name else None
        await register(chain, genesis, key_file, identities, farm)
        return genesis
    finally:
        await chain.aclose()


def _wait_minted(config: DairyConfig, report: ReplayReport, player: Player) -> ReplayReport:
    """Keep the plant on until all that it made is minted, or time is up."""
    deadline = time.monotonic() + WAIT_S
    while True:
        units, lots = asyncio.run(_minted(config, report.plant))
        report = changed(report, minted_units=units, lots=lots)
        if report.is_minted or time.monotonic() > deadline:
            return report
        player.stay_on(POLL_S)


async def _minted(config: DairyConfig, plant: str) -> tuple[int, int]:
    chain = Chain.of_urls(config.node_urls)
    try:
        return await minted_units(chain, plant)
    finally:
        await chain.aclose()


def _every(count: int, total: int, tell: Callable[[str], None]) -> Callable[[int], None]:
    def heard(played: int) -> None:
        if played % count == 0 or played == total:
            tell(f"played {played} of {total} milkings")

    return heard
