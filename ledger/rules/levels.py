"""Levels: what a tank's gauge saw must be what came in and what flowed out (spec §19.4).

Judged over a day, never claim by claim: a gauge is coarse and milk is on its way. Milk may rise
before its collection is on the chain, or after; but what rose must have been collected, what flowed
must have fallen, and what fell must have flowed or been written off.

Where a flow meter could not tell what flowed, what the level lacks is lost. A claim that counts
nothing is noted and never refused, so that a line is never stuck. What a day
may not forgive stays in the account until milk is collected or written off for it.
"""

from dataclasses import dataclass
from math import ceil
from typing import Final

from msgspec.structs import replace

from ledger.errors.tank import LevelAgainstFlow, RiseUnexplained
from ledger.params import BASIS_POINTS, DAY_MS, HOUR_MS, Parameters
from ledger.primitives.amounts import Units
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import PublicKey
from ledger.rules.measure import LEVEL_MAX, exact_volume, level_units
from ledger.rules.portions import draw_lost, tank_of
from ledger.state.overlay import Overlay
from ledger.state.tables import MILK_TANKS, parameters
from ledger.state.tanks import OWED_MAX, MilkTank
from ledger.types.reading import Unit

OWED_APART_MS: Final = 6 * HOUR_MS
"""Rises within as long await their collections together."""

Owed = tuple[tuple[int, Units], ...]


@dataclass(frozen=True, slots=True)
class Level:
    """A sample of a tank's gauge."""

    device: PublicKey
    unit: Unit
    value: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Sharing:
    """What other flows do to a tank's level.

    Whether other lines draw from the tank, and the most that they noted beyond a level's time; and
    whether milk may have flowed since the last level that no window has a fate for.
    """

    shared: bool = False
    ahead_units: int = 0
    hidden: bool = False


ALONE: Final = Sharing()


@dataclass(slots=True)
class _Account:
    """What a day's drift is, and what may yet rise or fall without one."""

    drift: int
    credit: int
    due: int

    def settle(self) -> int:
        """Explain drift by what the chain heard of since; give how much came in."""
        rose, fell = max(0, self.drift), max(0, -self.drift)
        rose, fell = min(rose, self.credit), min(fell, self.due)
        self.drift += fell - rose
        self.credit -= rose
        self.due -= fell
        return rose

    def take(self, net: int) -> int:
        """Explain a net change of level; give how much came in. What is left is drift.

        A change first takes back a drift the other way, so that a gauge's noise does not add up.
        """
        self.drift = min(self.drift + net, LEVEL_MAX)
        return self.settle()


def note_level(
    overlay: Overlay,
    name: Hash,
    level: Level | None,
    out_units: int,
    *,
    counts: bool = True,
    sharing: Sharing = ALONE,
) -> None:
    """Note what flowed out of a tank in a claim, and its level at the claim's end.

    None says that another line of the tank has yet to claim as far: the flow is kept until then.
    Of a claim that counts, raises `RiseUnexplained` or `LevelAgainstFlow` if the drift is more than
    agreement allows. A gauge's first level begins the account. What lacks where flow may hide is
    lost: no line stands still for what its meter could not tell.
    """
    tank, rules = tank_of(overlay, name), parameters(overlay)
    # More than any tank holds no record could tell after some windows of a broken meter.
    pending = min(tank.gauge_pending_units + out_units, LEVEL_MAX)
    if level is None:
        tank = replace(tank, gauge_pending_units=Units(pending))
        MILK_TANKS.put(overlay, tank, name)
        return
    # Each of two levels may be a step off.
    steps = 2 * ceil(exact_volume(level.unit, 1, rules.density_mg_per_l))
    tank = _on_day(tank, level.at_ms // DAY_MS, steps, sharing, rules.agreement_bp)
    noted, drift = _measured(tank, level, pending, rules.density_mg_per_l)
    most = _agreed(noted, rules.agreement_bp) + steps + sharing.ahead_units + tank.gauge_slack_units
    noted, overdue = _aged(noted, drift, most, rules)
    lost = max(0, -noted.gauge_drift_units) if sharing.hidden else 0
    noted = _put_down(noted, lost)
    if counts and overdue > most:
        raise RiseUnexplained(tank=name.hex(), units=overdue, most=most)
    if counts and -noted.gauge_drift_units > most:
        raise LevelAgainstFlow(tank=name.hex(), units=-noted.gauge_drift_units, most=most)
    MILK_TANKS.put(overlay, noted, name)
    if lost:
        draw_lost(overlay, name, lost, level.at_ms)


def _put_down(tank: MilkTank, units: int) -> MilkTank:
    """Book that so much more flowed out."""
    drift, out = tank.gauge_drift_units + units, min(tank.gauge_out_units + units, LEVEL_MAX)
    return replace(tank, gauge_drift_units=drift, gauge_out_units=Units(out))


def _measured(tank: MilkTank, level: Level, out: int, density: int) -> tuple[MilkTank, int]:
    """Book a level, and what flowed out until then; give the tank, and what nothing explains."""
    now = level_units(level.unit, level.value, density)
    account = _Account(tank.gauge_drift_units, tank.gauge_credit_units, tank.gauge_due_units)
    came = account.settle()
    owed = _owed(tank.gauge_owed, account.drift, level.at_ms)
    if level.device == tank.gauge_device:
        came += account.take(now - tank.gauge_value_units + out)
    noted = replace(
        tank,
        gauge_device=level.device,
        gauge_value_units=Units(now),
        gauge_ms=level.at_ms,
        gauge_in_units=Units(tank.gauge_in_units + came),
        gauge_out_units=Units(min(tank.gauge_out_units + out, LEVEL_MAX)),
        gauge_due_units=Units(account.due),
        gauge_pending_units=Units(0),
        gauge_owed=_owed(owed, account.drift, level.at_ms),
    )
    # What the tank neither holds nor gave lately was seen to come in, or never came.
    lately = noted.held_units + noted.gauge_out_units + noted.gauge_before_units
    return replace(noted, gauge_credit_units=Units(min(account.credit, lately))), account.drift


def _agreed(tank: MilkTank, agreement_bp: int) -> int:
    """Give how far level and flow may be apart: a part of what passes through the tank in a day."""
    passed = max(tank.gauge_in_units, tank.gauge_out_units, tank.gauge_before_units)
    return passed * agreement_bp // BASIS_POINTS


def _on_day(tank: MilkTank, day: int, steps: int, sharing: Sharing, agreement_bp: int) -> MilkTank:
    """Begin a day's account anew. A claim that is late belongs to the day that is open.

    The day's agreement is forgiven, and what of it was not needed may explain what comes: credit
    may have hidden as much. Where other lines are farther ahead than that, the account runs on.
    """
    agreed = _agreed(tank, agreement_bp)
    if day <= tank.gauge_day or sharing.ahead_units > agreed:
        return tank
    most = agreed + steps
    forgiven = max(-most, min(most, tank.gauge_drift_units))
    passed = max(tank.gauge_in_units, tank.gauge_out_units)
    return replace(
        tank,
        gauge_day=day,
        gauge_in_units=Units(0),
        gauge_out_units=Units(0),
        gauge_drift_units=tank.gauge_drift_units - forgiven,
        gauge_credit_units=_topped(tank.gauge_credit_units, most - max(0, forgiven), passed),
        gauge_due_units=_topped(tank.gauge_due_units, most + min(0, forgiven), passed),
        gauge_before_units=Units(max(passed, tank.gauge_before_units // 2)),
        gauge_slack_units=Units(agreed + sharing.ahead_units if sharing.shared else 0),
    )


def _topped(units: int, more: int, most: int) -> Units:
    return Units(max(units, min(units + more, most)))


def _aged(tank: MilkTank, drift: int, most: int, rules: Parameters) -> tuple[MilkTank, int]:
    """Book a drift; give the tank, and how much rose so long ago that no collection explains it.

    More than the chain has milk in the tank is nobody's matter: so whoever writes off all of it is
    free again.
    """
    bearable: int = tank.held_units + most
    late_ms = tank.gauge_ms - rules.collection_late_ms_max - rules.clock_skew_ms_max
    overdue: int = sum(units for time_ms, units in tank.gauge_owed if time_ms < late_ms)
    beyond = max(0, overdue - bearable)
    drift = max(drift, -bearable) - beyond
    owed = _less(tank.gauge_owed, beyond)
    return replace(tank, gauge_drift_units=drift, gauge_owed=owed), overdue - beyond


def _owed(owed: Owed, drift: int, at_ms: int) -> Owed:
    """Let what rose by now await its collection; what is explained is the oldest."""
    rose: int = max(0, drift) - sum(units for _, units in owed)
    if rose <= 0:
        return _less(owed, -rose)
    time_ms = (at_ms // OWED_APART_MS + 1) * OWED_APART_MS
    by_time = dict(owed)
    by_time[time_ms] = Units(by_time.get(time_ms, 0) + rose)
    kept = sorted(by_time.items())
    while len(kept) > OWED_MAX:
        (first_ms, first), (_, second), *rest = kept
        kept = [(first_ms, Units(first + second)), *rest]
    return tuple(kept)


def _less(owed: Owed, units: int) -> Owed:
    """Take so many units off, the oldest first."""
    left: list[tuple[int, Units]] = []
    for time_ms, each in owed:
        part = min(max(0, units), each)
        units -= part
        if part < each:
            left.append((time_ms, Units(each - part)))
    return tuple(left)
