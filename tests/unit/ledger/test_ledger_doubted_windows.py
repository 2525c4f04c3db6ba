"""Doubt of windows that were minted: a liar's falls by a true reading, an honest one's stands."""

import pytest
from msgspec.structs import replace

from ledger.errors.doubt import NothingRefuted, UnclaimedReading
from ledger.invariants import audit
from ledger.primitives.amounts import Units
from ledger.primitives.keys import address_of
from ledger.primitives.merkle import merkle_path, merkle_root
from ledger.rules.context import Call
from ledger.rules.refuting import check_refutation
from ledger.state.names import question_name
from ledger.state.tables import ATTESTOR_BONDS, DOUBTED, DOUBTS, LOTS, PROVEN, QUESTIONS, parameters
from ledger.types.doubt import AskEvidence, ReadingPlace, RefuteLot, ShowEvidence
from ledger.types.evidence import Instrument
from ledger.types.milk import PostBond
from ledger.types.window import ReleaseShare
from tests.support.evidence.rig import DeviceRig, good_value
from tests.support.ledger.dairy import Dairy, bill
from tests.support.ledger.town import PURSES
from tests.support.ledger.window import START_MS, WindowTown

HOLD = Instrument.HOLD_THERMOMETER
SECONDS = 120


def measured():
    """A town whose attestors have bonds, and whose line has run well, as far as anyone is shown."""
    names = [f"attestor-{i}" for i in range(4)]
    town = WindowTown(dairy=Dairy(balances=PURSES | dict.fromkeys(names, bill(60))))
    for signer in town.dairy.attestor_keys:
        assert town.do(signer, PostBond(bill(50))) == ""
    town.run(SECONDS)
    return town


def minted(town, **changes):
    """Mint the town's window, attested whatever is in it."""
    claim = town.claim(**changes)
    assert town.mint(claim) == ""
    town.lot = claim.lot_id()
    return town


@pytest.fixture
def town():
    return minted(measured())


def bonds(town):
    addresses = [address_of(signer.public) for signer in town.dairy.attestor_keys]
    return {ATTESTOR_BONDS.get(town.state, address).bond_units for address in addresses}


def truth_of(town, kind, bad):
    """Sign, with an instrument's key, what it truly measured: something bad at some seconds."""
    shown = town.line.of(kind)
    device = DeviceRig(shown.key, kind, chain_id=town.dairy.chain_id, start_ms=START_MS)
    samples = [(at, bad.get(at, good_value(kind, at * 1_000))) for at in range(SECONDS + 1)]
    device.measure([(at * 1_000, value) for at, value in samples], 60)
    return device.envelopes


def test_nothing_that_the_window_showed_refutes_it(town):
    call = Call(town.address("alice"), 0, 0)
    for device in town.line.devices:
        for envelope in device.envelopes:
            body = RefuteLot(town.lot, 0, device.public, (envelope,))
            with pytest.raises((NothingRefuted, UnclaimedReading)):
                check_refutation(town.state, call, body)


def test_a_window_that_hid_a_cold_reading_is_void_and_costs_nobody_who_was_shown_another(town):
    cold, device = truth_of(town, HOLD, {50: 60_000})[0], town.line.of(HOLD).public
    assert town.do("alice", RefuteLot(town.lot, 0, device, (cold,))) == ""
    lot, proven = LOTS.get(town.state, town.lot), PROVEN.get(town.state, town.lot)
    assert proven.intervals[0].void
    assert lot.false_units == lot.units
    assert (lot.remaining_units, proven.locked_units) == (0, 0)
    assert bonds(town) == {bill(50)}
    town.close()


def test_who_signed_for_a_window_whose_root_has_a_cold_reading_pays():
    town = measured()
    cold, device = truth_of(town, HOLD, {50: 60_000})[0], town.line.of(HOLD).public
    leaves = [cold.digest(), *([b"other"] * (town.claim().readings_count - 1))]
    minted(town, readings_root=merkle_root(leaves))
    place = ReadingPlace(0, tuple(merkle_path(leaves, 0)))
    assert town.do("alice", RefuteLot(town.lot, 0, device, (cold,), place)) == ""
    assert bonds(town) == {bill(40)}
    town.close()


def test_bonds_answer_for_a_window_for_as_long_as_it_is_contestable(town):
    until_ms = PROVEN.get(town.state, town.lot).contestable_until_ms
    address = address_of(town.dairy.attestor_keys[0].public)
    assert ATTESTOR_BONDS.get(town.state, address).liable_until_ms == until_ms


def test_every_reading_that_the_window_claimed_can_be_asked_for_and_shown(town):
    device = town.line.of(HOLD)
    for envelope in device.envelopes[:2]:
        reading = envelope.reading()
        name = (town.lot, device.public, reading.boot, reading.seq)
        assert town.do("alice", AskEvidence(*name, bill(10))) == ""
        assert town.do("bob", ShowEvidence(*name, (envelope,))) == ""
    town.close()


def test_a_share_stays_locked_while_a_question_waits(town):
    device = town.line.of(HOLD)
    name = (town.lot, device.public, 0, 0)
    town.time_ms = PROVEN.get(town.state, town.lot).contestable_until_ms
    assert town.do("alice", AskEvidence(*name, bill(10))) == ""
    town.time_ms += 1
    assert town.do("mmu", ReleaseShare(town.lot)) == "share_locked"
    assert town.do("bob", ShowEvidence(*name, (device.envelopes[0],))) == ""
    assert town.do("mmu", ReleaseShare(town.lot)) == ""
    town.close()


def forgotten(town, state):
    """A question that its lot does not count."""
    name = question_name(town.lot, town.line.of(HOLD).public, 0, 0)
    QUESTIONS.put(state, QUESTIONS.get(state, name), name[:-1] + b"\x01")


def uncounted(town, state):
    DOUBTS.remove(state, town.lot)


def held_twice(town, state):
    DOUBTED.put(state, 2 * DOUBTED.get(state, town.address("mmu")), town.address("mmu"))


def void_for_nothing(town, state):
    proven = PROVEN.get(state, town.lot)
    void = tuple(replace(each, void=True) for each in proven.intervals)
    PROVEN.put(state, replace(proven, intervals=void), town.lot)


def bond_of_air(town, state):
    address = address_of(town.dairy.attestor_keys[0].public)
    held = ATTESTOR_BONDS.get(state, address)
    ATTESTOR_BONDS.put(state, replace(held, bond_units=Units(held.bond_units + 1)), address)


LIES = {
    forgotten: "do not count the doubts",
    uncounted: "do not count the doubts",
    held_twice: "is not what is in doubt",
    void_for_nothing: "found false",
    bond_of_air: "the account bonds",
}


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_an_audit_finds_every_lie_about_doubt(town, lie):
    name = (town.lot, town.line.of(HOLD).public, 0, 0)
    assert town.do("alice", AskEvidence(*name, bill(10))) == ""
    town.close()
    lie(town, town.state)
    found = audit(town.entries(), town.state.accumulator, parameters(town.state)).findings
    assert any(LIES[lie] in each for each in found), found
