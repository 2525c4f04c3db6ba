"""Laws that hold for any input: rollback, order, shares, ranges, roots, selection."""

from fractions import Fraction
from itertools import pairwise
from math import floor

import hypothesis.strategies as st
from hypothesis import given

from ledger.errors.evidence import UsedReadings
from ledger.errors.tank import TooManyGaps
from ledger.params import default_parameters
from ledger.primitives.amounts import UNITS_MAX, Units, format_bill, parse_bill
from ledger.primitives.codec import encode
from ledger.primitives.keys import PublicKey, address_of
from ledger.primitives.merkle import merkle_path, merkle_root, verify_path
from ledger.rules.intervals import volume_of
from ledger.rules.measure import apportion, exact_volume
from ledger.rules.metering import Metered, use_meter
from ledger.state import EMPTY, Overlay
from ledger.state.tables import account
from ledger.state.tanks import MeterPoint
from ledger.transition import Execution, apply_block, select_transactions
from ledger.types.reading import Unit
from tests.support.ledger.dairy import FEE, Dairy, bill, key

DAIRY = Dairy()
keys = st.binary(min_size=1, max_size=3)
changes = st.lists(st.tuples(keys, st.none() | st.binary(max_size=4)), max_size=20)
shares = st.fractions(0, 10**9, max_denominator=10**6)


@given(changes, changes, changes)
def test_a_rolled_back_savepoint_leaves_no_trace(before, kept, undone):
    parent = Overlay(EMPTY)
    for name, value in before:
        parent.put(name, value)
    twin, overlay = Overlay(parent), Overlay(parent)
    for name, value in kept:
        twin.put(name, value)
        overlay.put(name, value)
    savepoint = overlay.savepoint()
    for name, value in undone:
        overlay.put(name, value)
    overlay.root()
    overlay.rollback(savepoint)
    assert dict(overlay.changes) == dict(twin.changes)
    assert overlay.root() == twin.root()


@given(changes, st.integers(0, 20))
def test_a_root_follows_content_however_it_came_about(entries, cut):
    one = Overlay(EMPTY)
    for name, value in entries:
        one.put(name, value)
    below = Overlay(EMPTY)
    for name, value in entries[:cut]:
        below.put(name, value)
    two = Overlay(below)
    for name, value in entries[cut:]:
        two.put(name, value)
    flat = Overlay(EMPTY)
    for name, value in sorted(dict(entries).items()):
        flat.put(name, value)
    assert one.root() == two.root() == flat.root()


@given(st.permutations(range(6)))
def test_independent_payments_in_any_order_give_the_same_state(order):
    dairy = Dairy(balances={f"u{i}": bill(5) for i in range(6)})
    made = [
        dairy.transaction(dairy.pay(address_of(key(f"v{i}").public), i + 1), key(f"u{i}"), 0)
        for i in range(6)
    ]
    straight, shuffled = dairy.state(), dairy.state()
    first = apply_block(straight, dairy.context(), made)
    second = apply_block(shuffled, dairy.context(), [made[i] for i in order])
    assert first.state_root == second.state_root


@given(st.integers(0, UNITS_MAX), st.lists(shares, min_size=1, max_size=16).filter(any))
def test_shares_sum_exactly_and_miss_the_exact_by_less_than_one(total, weights):
    parts = apportion(total, weights)
    whole = sum(weights)
    assert sum(parts) == total
    assert all(abs(part - total * w / whole) < 1 for part, w in zip(parts, weights, strict=True))


@given(
    st.sampled_from([Unit.CENTIPOUND, Unit.GRAM, Unit.MILLILITRE]),
    st.lists(st.integers(1, 10**9), min_size=1, max_size=16),
)
def test_a_windows_milk_is_floored_once(unit, steps):
    exact = [exact_volume(unit, rise, 1_030_000) for rise in steps]
    units = volume_of(default_parameters(development=True), unit, sum(steps))
    assert units == floor(sum(exact, Fraction(0)))
    shared = apportion(units, [Fraction(rise) for rise in steps])
    assert all(abs(part - whole) < 2 for part, whole in zip(shared, exact, strict=True))


stretches = st.tuples(*[st.integers(0, most) for most in (2, 40, 4, 200, 20, 300, 20)])


@given(st.lists(stretches, max_size=60))
def test_no_reading_is_ever_used_twice_nor_anything_measured_again(drawn):
    state, device, used = Overlay(EMPTY), PublicKey(key("meter-0").public), []
    for boot, seq, more, begins, lasts, litres, rises in drawn:
        start = MeterPoint(boot, seq, begins, litres * 1_000)
        end = MeterPoint(boot, seq + more, begins + lasts, (litres + rises) * 1_000)
        before = state.savepoint()
        try:
            use_meter(state, Metered(device, Unit.MILLILITRE, start, end), 0, 1_030_000)
        except (UsedReadings, TooManyGaps):
            state.rollback(before)
            continue
        used.append((start, end))
    used.sort(key=lambda each: (each[0].boot, each[0].seq))
    for (_, end), (start, _) in pairwise(used):
        # Neither a number nor a moment nor a litre of a boot is in two of them.
        assert (end.boot, end.seq) < (start.boot, start.seq)
        assert end.time_ms <= start.time_ms
        assert end.boot < start.boot or end.value <= start.value


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=12), st.integers(0, 9))
def test_what_a_builder_selects_executes_in_every_other_node(picks, count):
    payers = [key(name) for name in ("alice", "bob", "mmu", "carol")]
    to = address_of(key("dave").public)
    made = [DAIRY.transaction(DAIRY.pay(to, 1 + n), payers[who], n) for who, n in picks]
    candidates = [(encode(each), each) for each in made]
    building = DAIRY.state()
    execution = Execution(building, DAIRY.context())
    chosen = select_transactions(execution, candidates, bytes_max=2_000, count_max=count)
    proposed = execution.finish()
    by_raw = dict(candidates)
    checked = DAIRY.state()
    again = apply_block(checked, DAIRY.context(), [by_raw[raw] for raw in chosen.included])
    assert again == proposed
    assert len(chosen.included) <= count
    assert sum(len(raw) for raw in chosen.included) <= 2_000
    assert account(checked, DAIRY.context().proposer).units == FEE * len(chosen.included)


@given(st.lists(st.binary(max_size=8), min_size=1, max_size=40), st.data())
def test_every_leaf_has_a_path_and_no_other_data_does(leaves, data):
    index = data.draw(st.integers(0, len(leaves) - 1))
    root, path = merkle_root(leaves), merkle_path(leaves, index)
    assert verify_path(root, leaves[index], index, len(leaves), path)
    other = data.draw(st.binary(max_size=8).filter(lambda raw: raw != leaves[index]))
    assert not verify_path(root, other, index, len(leaves), path)


@given(st.integers(0, UNITS_MAX))
def test_amounts_read_back_as_written(units):
    assert parse_bill(format_bill(Units(units))) == units
