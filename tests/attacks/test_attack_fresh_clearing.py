"""A plant that refutes, with a reading that a regulator cleared, what it minted after it."""

from msgspec.structs import replace

from ledger.evidence import check_window, trim_bundle
from ledger.primitives.merkle import merkle_path
from ledger.state.tables import ATTESTOR_BONDS, PROVEN
from ledger.types.doubt import ReadingPlace, RefuteLot
from ledger.types.line import ClearDevice, ReportTamper
from ledger.types.milk import PostBond
from tests.support.ledger.cheating import HOLD, Cheat
from tests.support.ledger.dairy import Dairy, bill
from tests.support.ledger.town import PURSES
from tests.support.ledger.window import PLACES, START_MS

NAMES = [f"attestor-{number}" for number in range(4)]


def cleared_town():
    """A town whose thermometer says from 60 to 90 s that it was open, and is cleared at 70 s."""
    town = Cheat(PLACES, dairy=Dairy(balances=PURSES | dict.fromkeys(NAMES, bill(200))))
    for name in NAMES:
        assert town.do(name, PostBond(bill(100))) == ""
    hold = town.line.of(HOLD)
    town.good(*town.line.devices, begin=0, end=60)
    hold.sign([(61_000, 74_500), (90_000, 74_500)], tamper=True)
    report = hold.envelopes[-1]
    town.time_ms = START_MS + 65_000
    assert town.do("alice", ReportTamper(report)) == ""
    town.time_ms = START_MS + 70_000
    number = report.reading()
    assert town.do("regulator", ClearDevice(hold.public, number.boot, number.seq)) == ""
    town.good(hold, begin=91, end=240)
    town.good(*(each for each in town.line.devices if each is not hold), begin=61, end=240)
    return town, report


def refutations(town, claim, envelope):
    """List how to show an envelope, with its place, against every interval."""
    shown = trim_bundle(town.line.facts(town.state), town.line.bundle(town.state), claim)
    leaves = [each.digest() for part in claim.devices for each in shown[part.device]]
    index = leaves.index(envelope.digest())
    place = ReadingPlace(index, tuple(merkle_path(leaves, index)))
    device = town.line.of(HOLD).public
    return [
        RefuteLot(claim.lot_id(), number, device, (envelope,), place)
        for number in range(len(claim.intervals))
    ]


def test_what_was_cleared_refutes_nothing_that_counted_after_its_own_time():
    town, report = cleared_town()
    facts, bundle = town.line.facts(town.state), town.line.bundle(town.state)
    claim = town.claim()
    check_window(facts, claim, trim_bundle(facts, bundle, claim))
    assert len(claim.intervals) == 2
    bodies = refutations(town, claim, report)
    assert town.mint(claim) == ""
    assert [town.do("alice", body) for body in bodies] == ["nothing_refuted"] * 2
    assert not any(each.void for each in PROVEN.get(town.state, claim.lot_id()).intervals)
    bonds = {ATTESTOR_BONDS.get(town.state, town.address(name)).bond_units for name in NAMES}
    assert bonds == {bill(100)}
    town.close()


def test_what_was_cleared_still_refutes_what_counted_in_its_own_time():
    """All attestors lie: milk counts while a reading says that its instrument was open."""
    town, report = cleared_town()
    claim = town.claim()
    first, second = claim.intervals
    early = replace(second, from_ms=START_MS + 75_000)
    devices = tuple(replace(each, worst=None) for each in claim.devices)
    lie = replace(claim, intervals=(first, early), devices=devices)
    bodies = refutations(town, lie, report)
    assert town.mint(lie) == ""
    assert [town.do("alice", body) for body in bodies] == ["nothing_refuted", ""]
    town.close()


def test_what_was_cleared_is_dated_as_it_likes():
    """Its clock was half a minute ahead as it was open: that was looked into all the same."""
    town = Cheat(PLACES, dairy=Dairy(balances=PURSES))
    hold = town.line.of(HOLD)
    town.good(*town.line.devices, begin=0, end=60)
    town.odd(hold, [(100_000, 74_500), (110_000, 74_500)], tamper=True)
    report = hold.envelopes[-1]
    town.time_ms = START_MS + 65_000
    assert town.do("alice", ReportTamper(report)) == ""
    town.time_ms = START_MS + 70_000
    number = report.reading()
    assert town.do("regulator", ClearDevice(hold.public, number.boot, number.seq)) == ""
    hold.carried = None
    town.good(hold, begin=71, end=240)
    town.good(*(each for each in town.line.devices if each is not hold), begin=61, end=240)
    claim = town.signed(town.claim())
    assert [each.from_ms - START_MS for each in claim.intervals] == [0, 71_000, 111_000]
    bodies = refutations(town, claim, report)
    assert town.mint(claim) == ""
    assert [town.do("alice", body) for body in bodies] == ["nothing_refuted"] * 3
    town.close()
