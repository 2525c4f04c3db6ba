"""Laws of flow that no total tells, by a gateway, honest attestors and the chain over one line.

Its meter is set to another unit there and back, reset, silent or without its journal while milk
flows, and windows are cut as one likes. What attestors sign the chain takes, the line goes on, and
what the tank holds is what its gauge shows: no litre that hid is in it, none that did not is lost.
"""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from iot_minting.gateway.cutting import CutWindow, LineNow, Wait, WindowRules, cut_window
from iot_minting.gateway.drawing import TankMilk
from iot_minting.gateway.pieces import Piece
from ledger.params import MARGIN_MS
from ledger.state.lines import FOR_EVER_MS
from ledger.state.tables import DEVICES, LINES
from ledger.types.evidence import MilkKind
from ledger.types.reading import Unit
from tests.support.evidence.rig import DeviceRig
from tests.support.ledger.cheating import FLOW, GAUGE, HOLD, OUTLET, VALVE, Cheat
from tests.support.ledger.dairy import bill
from tests.support.ledger.window import START_MS

END_S, FILLED = 600, 1_500
UNITS = {Unit.MILLILITRE: 1_000, Unit.MICROLITRE: 1_000_000}
KINDS = ("unit", "there and back", "reset", "silent", "silent reset", "journal")


@dataclass(frozen=True)
class Anew:
    """What befalls a meter: when, what, how long, and whether it carries its last sample over."""

    at_s: int
    kind: str
    length_s: int
    carries: bool


events = st.lists(
    st.builds(
        Anew,
        st.integers(60, END_S - 150),
        st.sampled_from(KINDS),
        st.sampled_from([1, 2, 5, 40, 100]),
        st.booleans(),
    ),
    max_size=2,
    unique_by=lambda each: each.at_s // 150,
)


def measure(flow: DeviceRig, events: list[Anew], size: int) -> int:
    """Let a litre flow a second, and the meter tell of it; give how often it began anew."""
    at, begun, unit, breaks = 0, 0, Unit.MILLILITRE, 0

    def tell(until: int) -> None:
        nonlocal at
        seconds = range(at, min(until, END_S + 1))
        flow.measure([(each * 1_000, (each - begun) * UNITS[unit]) for each in seconds], size)
        at = max(at, until)

    def turn(*, carries: bool) -> None:
        nonlocal unit
        unit = Unit.MICROLITRE if unit is Unit.MILLILITRE else Unit.MILLILITRE
        flow.unit = unit
        if not carries:
            flow.carried = None

    for each in sorted(events, key=lambda event: event.at_s):
        tell(max(at, each.at_s))
        breaks += each.kind != "silent"
        if each.kind in {"silent", "silent reset", "journal"}:
            at += each.length_s
        if each.kind in {"reset", "silent reset"}:
            begun = at
        if each.kind == "journal":
            flow.restart(lost=True)
        if each.kind in {"unit", "there and back"}:
            turn(carries=each.carries)
        if each.kind == "there and back":
            breaks += 1
            tell(at + each.length_s)
            turn(carries=False)
    tell(END_S + 1)
    return breaks


def cut(town: Cheat, window_ms: int) -> CutWindow | None:
    """Cut the line's next window as a gateway does that heard little more, None if none is left."""
    facts = town.line.facts(town.state)
    bundle = town.line.bundle(town.state)
    plenty = (TankMilk(START_MS - 7_200_000, START_MS - 3_600_000, 10**12),)
    rules = WindowRules(MilkKind.WHOLE, 1_000, 10**9, 0, 10_000)
    for heard_ms in (window_ms + MARGIN_MS, 300_000, END_S * 1_000):
        until_ms = facts.line.through_ms + heard_ms
        pieces = {
            key: [piece for each in new if (piece := Piece.of(each, 0)).first_ms <= until_ms]
            for key, new in bundle.items()
        }
        found = cut_window(LineNow(facts, pieces, plenty, {}, 0), rules)
        if isinstance(found, CutWindow):
            return found
        assert isinstance(found, Wait)
        assert found.reason in {"young", "silent"}, found
    return None


@given(
    events,
    st.sampled_from([1, 7, 10, 60]),
    st.lists(st.sampled_from([20_000, 45_000, 130_000, 300_000]), min_size=1, max_size=4),
)
@settings(max_examples=40, deadline=None)
def test_a_line_whose_meter_hides_flow_goes_on_and_its_tank_holds_what_its_gauge_shows(
    events: list[Anew], size: int, lengths: list[int]
) -> None:
    town = Cheat((FLOW, HOLD, OUTLET, VALVE, GAUGE), litres=(500, 500, 500))
    flow = town.line.of(FLOW)
    breaks = measure(flow, events, size)
    town.good(*(each for each in town.line.devices if each is not flow), begin=0, end=END_S)
    turn = 0
    # The tank's account begins before anything befalls the meter.
    while (found := cut(town, lengths[turn % len(lengths)] if turn else 0)) is not None:
        assert town.judged(found.claim, found.bundle) == ""
        assert town.mint(found.claim) == ""
        turn += 1
    tank, line = town.tank(), LINES.get(town.state, town.line.line_id)
    assert line is not None
    through_s = (line.through_ms - START_MS) // 1_000
    assert line.through_ms >= START_MS + END_S * 1_000 - MARGIN_MS - max(lengths) - 1_000
    device = DEVICES.get(town.state, flow.public)
    if device is not None and device.stopped_ms == FOR_EVER_MS:
        assert abs(tank.gauge_drift_units) <= 2_000
        assert abs(tank.held_units - bill(FILLED - through_s)) <= bill(2)
    tip = town.line.tip(town.state, flow.public)
    assert tip is None or len(tip.breaks_ms) <= breaks
    assert town.minted_units() <= bill(through_s)
    town.close()
