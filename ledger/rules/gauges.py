"""Gauges: a window tells the level of its line's tank where it ends (spec §20.4).

The level is told once every line that draws from the tank has claimed as far: until then the flow
is kept. After a day it is told all the same. So a line that stands behind puts nothing off: if it
flowed, its MMU claims for it, and the account is right again; if it did not, nothing lacks.

Where the flow meter is silent, or measures nothing, what flows has its fate once it is heard again:
the level waits for that. Where nobody will ever tell what flowed (`hiding`), what the next level
lacks was lost.
"""

from ledger.errors.window import UnwatchedInterval
from ledger.params import CLOCKS_MS, DAY_MS, HOUR_MS
from ledger.primitives.amounts import UNITS_PER_BILL
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import PublicKey
from ledger.rules.hiding import hides_flow, stands
from ledger.rules.levels import Level, Sharing, note_level
from ledger.rules.portions import tank_of
from ledger.rules.windows import DevicePart, flow_part
from ledger.state.lines import Line
from ledger.state.names import tip_name
from ledger.state.overlay import Overlay, Reader
from ledger.state.records import in_force
from ledger.state.tables import DEVICES, LINES, TANK_LINES, TIPS
from ledger.state.tanks import NO_DEVICE, MilkTank
from ledger.types.evidence import Instrument
from ledger.types.line import line_id
from ledger.types.reading import Unit
from ledger.types.window import WindowClaim


def note_gauge(
    overlay: Overlay, line: Line, claim: WindowClaim, parts: list[DevicePart], out_units: int
) -> None:
    """Note what a window took out of its tank, and the tank's level at its end if it is due.

    Raises `UnwatchedInterval` for litres that count when a tank's gauge was not heard for a day.
    """
    name = Hash(line.tank)
    tank = tank_of(overlay, name)
    gauges = [part for part in parts if part.instrument is Instrument.TANK_GAUGE]
    if not gauges and tank.gauge_device == NO_DEVICE:
        return
    overdue = tank.gauge_device != NO_DEVICE and claim.to_ms - tank.gauge_ms > DAY_MS
    others = _others(overlay, line)
    level = None
    flow = flow_part(parts)
    told = flow is None or _tells_flow(line, claim, flow)
    if overdue or (told and all(other.through_ms >= claim.to_ms for other in others)):
        level = _level(tank, claim, _telling(overlay, tank, claim, gauges, [line, *others]))
    if overdue and level is None and claim.units:
        raise UnwatchedInterval(
            kind=Instrument.TANK_GAUGE, from_ms=claim.from_ms, to_ms=claim.to_ms
        )
    ahead = sum(_most(other, other.through_ms - claim.to_ms) for other in others)
    hidden = flow is not None and hides_flow(line, claim, flow)
    hidden = hidden or any(_hid(overlay, each, tank.gauge_ms) for each in (line, *others))
    shared = Sharing(bool(others), ahead, hidden)
    note_level(overlay, name, level, out_units, counts=claim.units > 0, sharing=shared)


def _others(reader: Reader, line: Line) -> list[Line]:
    """List the other lines that draw from a line's tank."""
    listed = TANK_LINES.get(reader, line.tank)
    found = (LINES.get(reader, name) for name in (listed.lines if listed else ()))
    return [other for other in found if other is not None and other.name != line.name]


def _tells_flow(line: Line, claim: WindowClaim, flow: DevicePart) -> bool:
    """Tell whether a window shows all that flowed up to its end, but for what hid."""
    stood = line.flow_device != NO_DEVICE
    return not flow.claimed.silent and not (stood and stands(line, claim, flow)[0] == NO_DEVICE)


def _hid(reader: Reader, line: Line, since_ms: int) -> bool:
    """Tell whether a line's earlier windows hid flow that a tank's last level may not show.

    One of them did where its meter's chain broke, or another meter took its place.
    """
    name = line_id(line.plant, line.name)
    for entry in line.devices:
        tip = TIPS.get(reader, tip_name(name, PublicKey(entry.device)))
        meter = DEVICES.get(reader, entry.device)
        flows = meter is not None and meter.instrument is Instrument.FLOW_METER
        if flows and tip and max((entry.from_ms, *tip.breaks_ms)) + CLOCKS_MS > since_ms:
            return True
    return False


def _most(line: Line, span_ms: int) -> int:
    """Give the most that a line may flow in a time; nothing in one that is over.

    It has no vat, which would feed it alone.
    """
    if span_ms <= 0:
        return 0
    return line.flow_max_l_per_h * UNITS_PER_BILL * span_ms // HOUR_MS


def _telling(
    reader: Reader, tank: MilkTank, claim: WindowClaim, gauges: list[DevicePart], lines: list[Line]
) -> list[DevicePart]:
    """List the gauges that may tell a tank's level, those that stand there yet first.

    The one that told the last level tells the next, as long as it stands on one of the tank's lines
    and is in force: until then the flow is kept. Who might turn to another one, by calling each
    silent in its turn, would never be asked for what the level did meanwhile.
    """
    told = DEVICES.get(reader, tank.gauge_device)
    stays = any(
        entry.device == tank.gauge_device and entry.from_ms <= claim.to_ms < entry.until_ms
        for line in lines
        for entry in line.devices
    )
    if told and stays and in_force(told, claim.to_ms, claim.to_ms):
        return [part for part in gauges if part.key == tank.gauge_device]
    return sorted(gauges, key=lambda each: (each.entry.until_ms <= claim.to_ms, each.key))


def _level(tank: MilkTank, claim: WindowClaim, gauges: list[DevicePart]) -> Level | None:
    """Give the level at the window's end, by the first of its gauges that was heard."""
    for part in gauges:
        if part.end is None or part.claimed.silent or not part.is_measurement(part.end):
            continue
        # What it showed before it stood here is the level of a workbench.
        samples = [each for each in part.end.samples() if each[0] >= part.entry.from_ms]
        before = [sample for sample in samples if sample[0] <= claim.to_ms]
        if before and in_force(part.device, before[-1][0], before[-1][0]):
            at_ms, value = before[-1]
            after = [level for later_ms, level in samples if later_ms > claim.to_ms]
            if part.key != tank.gauge_device and at_ms < claim.to_ms:
                # An account that began with a level from before milk left would miss that milk for
                # ever. So it begins with the lowest that the level may have been.
                value = min([value, *after[:1]])
            return Level(part.key, Unit(part.end.reading.unit), value, at_ms)
    return None
