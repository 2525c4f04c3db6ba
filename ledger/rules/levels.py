"""Levels: what a tank's gauge saw must be what came in and what flowed out (spec §19.4).

Judged over a day, never claim by claim: a gauge is coarse and milk is on its way. Milk that was
collected may rise later, as it is poured; but what rose must have been collected, what flowed must
have fallen, and what fell must have flowed or been written off.
"""

from dataclasses import dataclass
from math import ceil, floor

from msgspec.structs import replace

from ledger.errors.tank import LevelAgainstFlow, RiseUnexplained
from ledger.params import BASIS_POINTS, DAY_MS
from ledger.primitives.amounts import Units
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import PublicKey
from ledger.rules.measure import exact_volume
from ledger.rules.portions import tank_of
from ledger.state.overlay import Overlay
from ledger.state.tables import MILK_TANKS, parameters
from ledger.state.tanks import MilkTank
from ledger.types.reading import Unit


@dataclass(frozen=True, slots=True)
class Level:
    """A sample of a tank's gauge."""

    device: PublicKey
    unit: Unit
    value: int
    at_ms: int


@dataclass(slots=True)
class _Account:
    """What a day's drift is, and what may yet rise or fall without one."""

    drift: int
    credit: int
    due: int

    def take(self, net: int) -> int:
        """Explain a net change of level; give how much came in. What is left is drift.

        A change first takes back a drift the other way, so that a gauge's noise does not add up.
        """
        if net < 0:
            back = min(-net, max(0, self.drift))
            fell = min(-net - back, self.due)
            self.due -= fell
            self.drift += net + fell
            return 0
        back = min(net, max(0, -self.drift))
        rose = min(net - back, self.credit)
        self.credit -= rose
        self.drift += net - rose
        return rose


def note_level(overlay: Overlay, name: Hash, level: Level | None, out_units: int) -> None:
    """Note what flowed out of a tank in a claim, and its level at the claim's end.

    None says that another line of the tank has yet to claim as far: the flow is kept until then.
    Raises `RiseUnexplained` or `LevelAgainstFlow` if the day's drift is more than agreement allows.
    A gauge's first level begins the account.
    """
    tank = tank_of(overlay, name)
    pending = tank.gauge_pending_units + out_units
    if level is None:
        tank = replace(tank, gauge_pending_units=Units(pending))
        MILK_TANKS.put(overlay, tank, name)
        return
    density = parameters(overlay).density_mg_per_l
    now = floor(exact_volume(level.unit, max(0, level.value), density))
    tank = _on_day(tank, level.at_ms // DAY_MS)
    account = _Account(tank.gauge_drift_units, tank.gauge_credit_units, tank.gauge_due_units)
    came = 0
    if level.device == tank.gauge_device:
        came = account.take(now - tank.gauge_value_units + pending)
    noted = replace(
        tank,
        gauge_device=level.device,
        gauge_value_units=Units(now),
        gauge_in_units=Units(tank.gauge_in_units + came),
        gauge_out_units=Units(tank.gauge_out_units + pending),
        gauge_drift_units=account.drift,
        # What the tank does not hold any more was seen to come in, or never came.
        gauge_credit_units=Units(min(account.credit, tank.held_units)),
        gauge_due_units=Units(account.due),
        gauge_pending_units=Units(0),
    )
    step = ceil(exact_volume(level.unit, 1, density))
    most = _allowed(noted, parameters(overlay).agreement_bp) + step
    if noted.gauge_drift_units > most and now > tank.gauge_value_units:
        raise RiseUnexplained(tank=name.hex(), units=noted.gauge_drift_units, most=most)
    if abs(noted.gauge_drift_units) > most:
        raise LevelAgainstFlow(tank=name.hex(), units=abs(noted.gauge_drift_units), most=most)
    MILK_TANKS.put(overlay, noted, name)


def _allowed(tank: MilkTank, agreement_bp: int) -> int:
    return max(tank.gauge_in_units, tank.gauge_out_units) * agreement_bp // BASIS_POINTS


def _on_day(tank: MilkTank, day: int) -> MilkTank:
    """Begin a day's account anew. A claim that is late belongs to the day that is open."""
    if day <= tank.gauge_day:
        return tank
    return replace(
        tank,
        gauge_day=day,
        gauge_in_units=Units(0),
        gauge_out_units=Units(0),
        gauge_drift_units=0,
    )
