"""Laws of consent and of devices in force, over any order of changes."""

import hypothesis.strategies as st
from hypothesis import given
from msgspec.structs import replace

from ledger.primitives.hashing import ZERO_HASH
from ledger.primitives.keys import PublicKey
from ledger.rules.devices import begin_anew
from ledger.rules.permits import ALL_METERS, permit_terms
from ledger.state.lines import FOR_EVER_MS
from ledger.state.records import Device, in_force
from ledger.types.evidence import Instrument
from ledger.types.line import PermitCollector
from tests.support.ledger.dairy import NOW_MS, bill, key
from tests.support.ledger.lines import LinedDairy
from tests.support.ledger.town import PURSES, Town

FARM, METER = Town.address("farm-1"), PublicKey(key("meter-1").public)
MMUS = (Town.address("mmu"), Town.address("alice"))
STEP_MS, STEPS = 60_000, 12


class TwoMmus(LinedDairy):
    """A dairy beside which another MMU may have milk."""

    def _roles(self):
        mmu = next(role for role in super()._roles() if role.role == "mmu")
        return (*super()._roles(), replace(mmu, holder=MMUS[1]))


changes = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 1),
        st.booleans(),
        st.one_of(st.just(0), st.integers(1, 6)),
    ),
    max_size=6,
)
"""Steps that pass before it, to whom, for the meter or for all, and for how many steps."""


@given(changes)
def test_milk_is_one_mmus_at_a_time_and_what_was_permitted_stays_so(changes):
    """A model that knows each step's owner: the law agrees, and never about the past anew."""
    town = Town(TwoMmus(balances={**PURSES, "farm-1": bill(10)}))
    own: dict[int, int | None] = {}
    shared: dict[int, int | None] = {}
    now, own_since = 0, None
    for wait, whose, for_meter, steps in changes:
        now += wait
        town.time_ms = NOW_MS + now * STEP_MS
        meter = METER if for_meter else ALL_METERS
        until_ms = town.time_ms + steps * STEP_MS
        body = PermitCollector(MMUS[whose], meter, ZERO_HASH, 5, until_ms)
        held = own if for_meter else shared
        if town.do("farm-1", body) == "no_permit":
            assert steps == 0
            continue
        if for_meter and own_since is None:
            own_since = now
        for step in [each for each in held if each >= now]:
            del held[step]
        held.update(dict.fromkeys(range(now, now + steps), whose))
    for step in range(now + STEPS):
        ruling = own if own_since is not None and step >= own_since else shared
        from_ms = NOW_MS + step * STEP_MS
        for whose, mmu in enumerate(MMUS):
            terms = permit_terms(town.state, FARM, METER, mmu, from_ms, from_ms + STEP_MS - 1)
            assert (terms is not None) == (ruling.get(step) == whose)


spans = st.tuples(st.integers(0, 50), st.integers(0, 20))


@given(
    st.lists(
        st.tuples(st.sampled_from(["stop", "clear", "calibrate"]), st.integers(1, 20)), max_size=8
    ),
    spans,
)
def test_no_stop_is_outlived_by_what_it_reached(events, span):
    """What a stop reaches counts never again, however the device is cleared and calibrated."""
    device = Device(Instrument.MILK_METER, "p", bytes(32), 40, 0)
    dead: set[int] = set()
    now = 0
    for what, size in events:
        now += size
        if what == "stop":
            since = max(0, now - size)
            device = replace(device, stopped_ms=min(device.stopped_ms, since))
        elif what == "clear" and device.stopped_ms != FOR_EVER_MS:
            dead |= set(range(device.stopped_ms, now))
            device = begin_anew(device, now, device.calibrated_until_ms)
            device = replace(device, stopped_ms=FOR_EVER_MS)
        elif what == "calibrate":
            lapsed = device.calibrated_until_ms <= now
            until = now + 30
            device = (
                begin_anew(device, now, until)
                if lapsed
                else replace(device, calibrated_until_ms=until)
            )
    first, length = span
    if in_force(device, first, first + length):
        assert not dead & set(range(first, first + length + 1))
        assert first + length < device.stopped_ms
