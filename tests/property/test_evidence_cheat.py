"""The random cheat: whatever a plant does with all its keys, no litre is minted that was not there.

- Its instruments tell the truth and one honest quorum of attestors signs: then minted is at most
  what an independent oracle (`tests.support.evidence.oracle`) finds hot, cold, forward and watched,
  and backed by milk that was metered before.
- All attestors lie, and readings are what the plant likes: then minted is at most what the farms'
  meters counted, what the farms consented to, and each of it once.
"""

from contextlib import suppress
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.errors.base import LedgerFault
from ledger.errors.bundle import UnfitWindow
from ledger.params import HOUR_MS, MARGIN_MS
from ledger.primitives.amounts import UNITS_PER_BILL, Units
from ledger.state.records import Role
from ledger.state.tables import MILK_TANKS, grant_role
from ledger.types.milk import tank_id
from ledger.types.window import INTERVALS_MAX, CollectMilk, Interval, WindowClaim
from tests.support.evidence.oracle import steps_that_are_milk
from tests.support.evidence.rig import good_value
from tests.support.evidence.troubles import BAD, LENGTH_MS, Trouble
from tests.support.ledger.cheating import FLOW, HOLD, OUTLET, VALVE, Cheat
from tests.support.ledger.dairy import PLANT, bill, key
from tests.support.ledger.metering import LITRE, MINUTE_MS, CollectingTown
from tests.support.ledger.window import START_MS, TANK

KINDS = (FLOW, HOLD, HOLD, OUTLET, VALVE)
shapes = st.lists(
    st.tuples(st.sampled_from([700, 1_000, 1_900]), st.integers(3, 20), st.integers(0, 900)),
    min_size=len(KINDS),
    max_size=len(KINDS),
)
troubles = st.lists(
    st.builds(
        Trouble,
        st.integers(0, len(KINDS) - 1),
        st.integers(0, LENGTH_MS),
        st.sampled_from([500, 1_900, 2_100, 4_000, 12_000]),
        st.booleans(),
    ),
    max_size=4,
)


@dataclass(frozen=True)
class Cut:
    """One attempt at a window: how far, what is withheld, and how the claim lies."""

    part: float
    mute: int
    keep: float
    more_steps: int
    more_units: int
    widen_ms: int
    merge: bool
    drop: bool


cuts = st.lists(
    st.builds(
        Cut,
        part=st.floats(0.05, 1),
        mute=st.sampled_from([-1, -1, -1, 0, 1, 2, 3, 4]),
        keep=st.floats(0, 1),
        more_steps=st.sampled_from([0, 0, 0, 1, 1_000, -1_000]),
        more_units=st.sampled_from([0, 0, 0, 1, 10**6, -(10**6)]),
        widen_ms=st.sampled_from([0, 0, 0, 1, 1_000, 5_000]),
        merge=st.booleans(),
        drop=st.booleans(),
    ),
    min_size=1,
    max_size=5,
)


def measured(shape: list[tuple[int, int, int]], bad: list[Trouble], litres: int) -> Cheat:
    """Let a line measure well and badly by turns, each device in its own rhythm."""
    town = Cheat(KINDS, litres=(litres, litres, litres))
    for number, (device, (every_ms, size, shift)) in enumerate(
        zip(town.line.devices, shape, strict=True)
    ):
        mine = [each for each in bad if each.device == number]
        samples = []
        for at in range(shift, LENGTH_MS + 1, every_ms):
            inside = [each for each in mine if 0 <= at - each.from_ms < each.length_ms]
            if any(each.silent for each in inside):
                continue
            value = good_value(device.instrument, at)
            samples.append((at, BAD.get(device.instrument, value) if inside else value))
        device.measure(samples, size)
    town.time_ms = START_MS + LENGTH_MS
    return town


def truth(town: Cheat) -> int:
    """Give what the oracle finds in all that the line's devices ever measured."""
    seen = {}
    for device in town.line.devices:
        samples = []
        for envelope in device.envelopes:
            reading = envelope.reading()
            found = [(reading.t0_ms + offset, value) for offset, value in reading.samples]
            samples += found[1:] if samples else found
        seen[bytes(device.public)] = (device.instrument, samples)
    _, flow = seen.pop(bytes(town.line.of(FLOW).public))
    return steps_that_are_milk(flow, seen, town.line.line.flow_max_l_per_h)


def lie(claim: WindowClaim, cut: Cut) -> WindowClaim:
    """Let a claim say more than it may, or less."""
    parts = list(claim.intervals)
    if cut.merge and len(parts) > 1:
        steps = sum(each.steps for each in parts)
        parts = [Interval(parts[0].from_ms, parts[-1].to_ms, steps)]
    if cut.drop and len(parts) > 1:
        parts = parts[1:]
    if parts:
        last = parts[-1]
        steps = max(0, last.steps + cut.more_steps)
        parts[-1] = replace(last, to_ms=last.to_ms + cut.widen_ms, steps=steps)
    counted = sum(each.steps for each in parts)
    total = claim.counted_steps + claim.diverted_steps + claim.lost_steps
    lost = max(0, total - counted - claim.diverted_steps)
    units = Units(max(0, min(claim.units, counted * 1_000) + cut.more_units) if parts else 0)
    return replace(
        claim, intervals=tuple(parts), counted_steps=counted, lost_steps=lost, units=units
    )


def attempt(town: Cheat, cut: Cut, *, honest: bool) -> str | None:
    """Claim a window as a cut says; give the chain's code, None if no attestor signs."""
    devices = town.line.devices
    whole = {device.public: device.envelopes for device in devices}
    silent = []
    if cut.mute >= 0:
        device = devices[cut.mute]
        kept = int(len(device.envelopes) * cut.keep)
        silent, device.envelopes = [device.public], device.envelopes[:kept]
    try:
        reached = town.claim(silent=silent)
        times = sorted(
            {
                reading.t0_ms + offset
                for reading in (each.reading() for each in town.line.of(FLOW).envelopes)
                for offset, _ in reading.samples
                if reached.from_ms < reading.t0_ms + offset <= reached.to_ms
            }
        )
        if times:
            at = times[min(len(times) - 1, int(cut.part * len(times)))]
            until = (at - START_MS) / 1_000
            reached = town.claim(until, silent=silent)  # type: ignore[arg-type]
        claim = lie(reached, cut)
        if honest and town.judged(claim):
            return None
        return town.mint(claim)
    except LedgerFault:
        return None
    finally:
        for device in devices:
            device.envelopes = whole[device.public]


@given(shapes, troubles, cuts, st.sampled_from([5, 20, 60]))
@settings(max_examples=80, deadline=None)
def test_true_instruments_and_an_honest_quorum_mint_only_pasteurized_milk(
    shape: list[tuple[int, int, int]], bad: list[Trouble], plan: list[Cut], litres: int
) -> None:
    town = measured(shape, bad, litres)
    for cut in plan:
        attempt(town, cut, honest=True)
    tank = MILK_TANKS.get(town.state, town.line.tank_id)
    assert town.minted_units() <= truth(town) * 1_000
    assert town.minted_units() == tank.drawn_units <= bill(3 * litres)
    town.close()


@given(shapes, troubles, cuts)
@settings(max_examples=30, deadline=None)
def test_who_claims_all_that_is_good_mints_all_but_what_stands_near_the_cold(
    shape: list[tuple[int, int, int]], bad: list[Trouble], plan: list[Cut]
) -> None:
    """So that the law above does not hold by minting nothing."""
    calm = [each for each in bad if KINDS[each.device] is not HOLD]
    town = measured(shape, calm, 60)
    for cut in plan:
        plain = Cut(cut.part, -1, 1, 0, 0, 0, merge=False, drop=False)
        attempt(town, plain, honest=True)
    # There may be nothing left.
    with suppress(UnfitWindow):
        assert town.mint(town.signed(town.claim())) == ""
    # What the margin past the last window's end has is not claimed yet.
    assert town.minted_units() + bill(MARGIN_MS // 1_000 + 2) >= truth(town) * 1_000


@given(shapes, troubles, cuts, st.sampled_from([5, 20, 60]))
@settings(max_examples=60, deadline=None)
def test_where_all_attestors_lie_milk_is_bounded_by_the_tank_and_the_lines_limit(
    shape: list[tuple[int, int, int]], bad: list[Trouble], plan: list[Cut], litres: int
) -> None:
    town = measured(shape, bad, litres)
    for cut in plan:
        attempt(town, cut, honest=False)
    tank = MILK_TANKS.get(town.state, town.line.tank_id)
    assert town.minted_units() == tank.drawn_units <= bill(3 * litres)
    line_ms = town.line.facts(town.state).line.through_ms - START_MS
    most = town.line.line.flow_max_l_per_h * UNITS_PER_BILL * line_ms // HOUR_MS
    # Each interval may have one step of the meter's more.
    assert town.minted_units() <= most + len(plan) * INTERVALS_MAX * 1_000
    town.close()


# Collections.


@dataclass(frozen=True)
class Collecting:
    """One attempt to collect: between which envelopes, how much, by whom, for whom, into what."""

    first: int
    last: int
    litres: int
    who: str
    mmu: str


attempts = st.lists(
    st.builds(
        Collecting,
        first=st.integers(0, 11),
        last=st.integers(0, 11),
        litres=st.integers(0, 130),
        who=st.sampled_from(["mmu", "mmu", "carol", "bob", "alice"]),
        mmu=st.sampled_from(["mmu", "mmu", "mmu", "bob"]),
    ),
    min_size=1,
    max_size=20,
)
rises = st.lists(st.integers(0, 30), min_size=12, max_size=12)


@given(rises, attempts, st.integers(0, 11), st.sampled_from([10, 50, 10**6]))
@settings(max_examples=120, deadline=None)
def test_no_more_is_collected_than_a_true_meter_counted_while_its_farm_consented(
    litres: list[int], plan: list[Collecting], withdrawn: int, a_day: int
) -> None:
    """A true meter signs one chain; whoever collects may choose envelopes, units and order."""
    town = CollectingTown()
    grant_role(town.state, Role.COLLECTOR, town.address("carol"))
    grant_role(town.state, Role.MMU, town.address("bob"))
    begin_ms = town.time_ms - 30 * MINUTE_MS
    until_ms = begin_ms + withdrawn * MINUTE_MS
    town.permit("farm-0", litres_a_day=a_day, until_ms=until_ms)
    totals = [5_000]
    for litre in litres:
        totals.append(totals[-1] + litre * LITRE)
    chain = [
        town.envelope("meter-0", number, begin_ms + number * MINUTE_MS, totals[number : number + 2])
        for number in range(12)
    ]
    meter = key("meter-0").public
    for each in plan:
        body = CollectMilk(
            town.address(each.mmu),
            PLANT,
            TANK,
            meter,
            Units(each.litres * UNITS_PER_BILL),
            chain[each.first],
            chain[each.last],
        )
        town.do(each.who, body)
    tank = MILK_TANKS.get(town.state, town.raw(TANK))
    assert MILK_TANKS.get(town.state, tank_id(town.address("bob"), PLANT, TANK)) is None
    got = tank.collected_units if tank else 0
    # Of what was metered up to the end of consent; of a day, its litres and the day's before.
    consented = sum(litres[:withdrawn])
    assert got <= min(consented, 2 * a_day) * UNITS_PER_BILL
    town.close()
