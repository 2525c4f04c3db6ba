"""Instruments: what each device of the works senses, how often, and by which clock."""

from random import Random
from typing import Final

from ledger.types.evidence import Instrument
from tests.support.evidence.rig import DeviceRig
from tests.support.ledger.dairy import key
from tests.year.chain import Chain
from tests.year.devices import Device
from tests.year.farms import Farm
from tests.year.plant import DAY_MS, MINUTE_MS, Causes, Plant

GAUGE_STEP_ML: Final = 1_000
PLACES: Final = {
    Instrument.FLOW_METER: 1_000,
    Instrument.HOLD_THERMOMETER: 900,
    Instrument.OUTLET_THERMOMETER: 1_100,
    Instrument.DIVERSION_VALVE: 1_000,
    Instrument.TANK_GAUGE: MINUTE_MS,
}


class Fitter:
    """Fits instruments to plant and farms, and has them admitted."""

    def __init__(
        self, plant: Plant, chain: Chain, causes: Causes, seed: int, coarse: float
    ) -> None:
        self.plant, self.chain, self.causes = plant, chain, causes
        self.seed, self.coarse, self.rng = seed, coarse, Random(f"{seed} senses")
        self.late: dict[tuple[int, int], int] = {}
        """By farm and half day: how late its readings come."""

    def line_device(self, name: str, kind: Instrument, now_ms: int) -> Device:
        """Fit an instrument to the line."""
        self.chain.register(name, kind)
        senses = {
            Instrument.FLOW_METER: lambda at: int(self.plant.total_ml(at)),
            Instrument.HOLD_THERMOMETER: lambda at: self._degrees(at, hold=True),
            Instrument.OUTLET_THERMOMETER: lambda at: self._degrees(at, hold=False),
            Instrument.DIVERSION_VALVE: self._valve,
            Instrument.TANK_GAUGE: self._gauge,
        }
        rng = Random(f"{self.seed} {name}")
        coarse = 1 if kind is Instrument.TANK_GAUGE else self.coarse
        return Device(
            self._signer(name, kind),
            senses[kind],
            self.plant.is_active,
            round(PLACES[kind] * coarse),
            rng,
            skew_ms=self.causes.skew_ms,
            changes=self.plant.valve_changes
            if kind is Instrument.DIVERSION_VALVE
            else lambda from_ms, to_ms: [],
            next_ms=now_ms + rng.randint(0, 900),
            phase=rng.uniform(0, 6.28),
            slow_ms=MINUTE_MS,
            back_ms=rng.randint(0, 15 * MINUTE_MS),
        )

    def _signer(self, name: str, kind: Instrument) -> DeviceRig:
        return DeviceRig(key(name), kind, chain_id=self.chain.chain_id, start_ms=0)

    def _degrees(self, at_ms: int, *, hold: bool) -> int:
        segment = self.plant.at(at_ms)
        noise = self.rng.randint(-80, 80)
        if segment is None:
            return 20_000 + noise
        return round(segment.hold_at(at_ms) if hold else segment.outlet) + noise

    def _valve(self, at_ms: int) -> int:
        segment = self.plant.at(at_ms)
        return int(segment is not None and segment.forward)

    def _gauge(self, at_ms: int) -> int:
        steps = self.plant.level_ml(at_ms) / GAUGE_STEP_ML
        return max(0, round(steps) - self.rng.randint(0, self.causes.gauge_noise)) * GAUGE_STEP_ML

    def meter(self, farm: Farm, now_ms: int) -> Device:
        """Fit a farm's meter."""
        number = farm.number
        rng = Random(f"{self.seed} meter {number}")
        return Device(
            self._signer(f"meter-{number}", Instrument.MILK_METER),
            farm.metered,
            farm.is_milking,
            20_000,
            rng,
            size=50,
            skew_ms=self.causes.skew_ms,
            next_ms=now_ms + rng.randint(0, 9_000),
            phase=rng.uniform(0, 6.28),
            slow_ms=10 * MINUTE_MS,
            late_ms=lambda at: self.late.get((number, at // (DAY_MS // 2)), 0),
        )
