"""Laws of raw milk: no meter brings more than it counted, and portions always sum to their tank."""

from dataclasses import dataclass

import hypothesis.strategies as st
from hypothesis import given, settings
from msgspec.structs import replace

from ledger.errors.base import Refused
from ledger.invariants import check_block
from ledger.params import HOUR_MS
from ledger.primitives.keys import PublicKey
from ledger.rules.portions import draw, draw_lost, lapse, put, take_out
from ledger.state import Overlay
from ledger.state.names import epoch_name
from ledger.state.tables import DEVICES, MILK_TANKS, TANK_HOURS
from ledger.state.tanks import MilkTank, Portion
from ledger.types.window import CollectMilk
from tests.support.ledger.dairy import NOW_MS, PLANT, key
from tests.support.ledger.metering import LITRE, MINUTE_MS, CollectingTown, available

FOR_EVER_MS = 2**53


@dataclass
class Meter:
    """A meter's envelopes, a minute each and every one from the last one's end; what it counted."""

    envelopes: list
    counted: int


@st.composite
def meters(draw_from):
    """A meter that counts, stands still, is reset within a boot or at a restart, and boots."""
    town, envelopes, counted = TOWN, [], 0
    boot, seq, total, now_ms = 1, 0, draw_from(st.integers(0, 10**6)), NOW_MS - 2 * HOUR_MS
    for _ in range(draw_from(st.integers(2, 12))):
        values = [total]
        for _ in range(draw_from(st.integers(1, 3))):
            if draw_from(st.integers(0, 6)) == 0:
                total = draw_from(st.integers(0, total))
            else:
                rise = draw_from(st.sampled_from((0, 1, 900, LITRE, 7 * LITRE, 300 * LITRE)))
                total, counted = total + rise, counted + rise
            values.append(total)
        envelopes.append(
            town.envelope("meter-0", seq, now_ms, values, boot=boot, step_ms=MINUTE_MS)
        )
        now_ms += (len(values) - 1) * MINUTE_MS
        if draw_from(st.integers(0, 4)) == 0:
            boot, seq = boot + 1, 0
        else:
            seq += draw_from(st.integers(1, 2))
    return Meter(envelopes, counted)


TOWN = CollectingTown()
SPANS = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), min_size=4, max_size=25)


def bring(town, first, last):
    """Collect all that two envelopes show, as if the most were claimed; give what came in."""
    (_, start), *_ = first.reading().samples
    rise = max(last.reading().samples[-1][1] - start, 0)
    values = [value for _, value in first.reading().samples]
    claims = {rise, *(max(last.reading().samples[-1][1] - value, 0) for value in values)}
    for litres in sorted(claims, reverse=True):
        meter = PublicKey(key("meter-0").public)
        body = CollectMilk(town.mmu, PLANT, "raw", meter, litres * 1_000, first, last)
        if town.do("mmu", body) == "":
            return litres
    return 0


@given(meters(), SPANS)
@settings(max_examples=40, deadline=None)
def test_no_order_or_cutting_brings_more_than_the_meter_counted(meter, spans):
    town = CollectingTown()
    brought = 0
    for one, other in spans:
        first = meter.envelopes[min(one, other) % len(meter.envelopes)]
        last = meter.envelopes[max(one, other) % len(meter.envelopes)]
        brought += bring(town, first, last)
    assert brought <= meter.counted
    tank = MILK_TANKS.get(town.state, town.tank)
    assert (tank.held_units if tank else 0) == brought * 1_000
    town.close()


@given(st.permutations(range(6)))
@settings(max_examples=20, deadline=None)
def test_every_order_of_the_same_cuts_brings_all_that_was_counted(order):
    town = CollectingTown()
    cuts = [
        town.envelope(
            "meter-0", n, NOW_MS - HOUR_MS + n * MINUTE_MS, [n * 5 * LITRE, (n + 1) * 5 * LITRE]
        )
        for n in range(6)
    ]
    assert [bring(town, cuts[n], cuts[n]) for n in order] == [5 * LITRE] * 6
    assert bring(town, cuts[0], cuts[5]) == 0
    town.close()


MINUTES = st.integers(0, 200)
ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), MINUTES, st.integers(1, 9), st.integers(0, 2)),
        st.tuples(st.just("draw"), MINUTES, st.integers(0, 20), MINUTES),
        st.tuples(st.just("lose"), MINUTES, st.integers(1, 20), st.just(0)),
        st.tuples(st.just("take"), st.just(0), st.integers(1, 20), st.just(0)),
        st.tuples(st.just("lapse"), MINUTES, st.just(0), st.just(0)),
        st.tuples(st.just("stop"), MINUTES, st.just(0), st.integers(0, 2)),
    ),
    max_size=30,
)


class RawTank:
    """A tank under random acts: what the chain says beside what was done."""

    def __init__(self):
        self.state = Overlay(TOWN.state)
        self.name = TOWN.tank
        self.drawn = 0

    def act(self, what, minute, units, other):
        at_ms = NOW_MS + minute * MINUTE_MS
        match what:
            case "put":
                self.put(at_ms, units, other)
            case "draw":
                self.draw(at_ms, units, NOW_MS + other * MINUTE_MS)
            case "lose":
                draw_lost(self.state, self.name, units, at_ms)
            case "take":
                tank, _ = take_out(self.state, self.name, units)
                lost = replace(tank, lost_units=tank.lost_units + units)
                MILK_TANKS.put(self.state, lost, self.name)
            case "lapse":
                lapse(self.state, self.name, at_ms + 96 * HOUR_MS)
            case "stop":
                meter = key(f"meter-{other}").public
                device = DEVICES.get(self.state, meter)
                DEVICES.put(self.state, replace(device, stopped_ms=at_ms), meter)

    def put(self, at_ms, units, number):
        fresh = MilkTank(TOWN.mmu, PLANT, "raw", 1)
        tank = MILK_TANKS.get(self.state, self.name) or fresh
        tank = replace(
            tank, mmu=TOWN.mmu, plant=PLANT, name="raw",
            collected_units=tank.collected_units + units,
        )  # fmt: skip
        farm, meter = TOWN.address(f"farm-{number}"), key(f"meter-{number}").public
        portion = Portion(farm, meter, at_ms - MINUTE_MS, at_ms, units)
        put(self.state, self.name, tank, [portion])

    def draw(self, before_ms, units, not_before_ms):
        there = available(self.state, self.name, before_ms, not_before_ms)
        if units > there:
            units = there
        taken = draw(self.state, self.name, units, before_ms, not_before_ms)
        assert sum(each.units for each in taken) == units
        assert available(self.state, self.name, before_ms, not_before_ms) == there - units
        self.drawn += units


@given(ACTS)
@settings(max_examples=150, deadline=None)
def test_portions_sum_to_their_tank_whatever_happens(acts):
    raw = RawTank()
    for act in acts:
        savepoint = raw.state.savepoint()
        try:
            raw.act(*act)
        except Refused:
            raw.state.rollback(savepoint)
        check_block(raw.state)
    tank = MILK_TANKS.get(raw.state, raw.name)
    if tank is not None:
        hours = [TANK_HOURS.get(raw.state, raw.name + epoch_name(hour)) for hour in tank.hours]
        held = sum(portion.units for hour in hours for portion in hour.portions)
        assert held == tank.held_units
        assert tank.drawn_units == raw.drawn
        put_in = sum(units for what, _, units, _ in acts if what == "put")
        assert tank.collected_units == put_in == held + tank.gone_units
