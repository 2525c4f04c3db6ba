"""A gateway that joins late borrows what devices have forgotten, link by link."""

import pytest

from iot_minting.gateway.borrowing import ASK_AGAIN_MS
from iot_minting.gateway.pieces import BEGINNING, ChainFloor
from ledger.primitives.hashing import ZERO_HASH
from ledger.state.lines import Tip
from tests.support.minting.loan_town import Town, history
from tests.support.minting.sensor import NOW_MS


@pytest.fixture
def town(tmp_path):
    made = Town(tmp_path)
    yield made
    made.close()


def test_who_joins_late_has_all_that_devices_have_forgotten(town):
    sensor = history(town.full.desk)
    town.run()
    assert town.late.desk.stored() == sensor.made
    # And goes on from there, with what comes over the broker.
    assert town.late.desk.take(sensor.read()) == ["stored"]
    quiet = len(town.sent)
    town.run()
    assert len(town.sent) == quiet, "nobody asks for what is there"


def test_what_comes_meanwhile_links_as_soon_as_the_past_is_there(town):
    sensor = history(town.full.desk)
    following = sensor.read()
    assert town.late.desk.take(following) == [], "it waits for the one before"
    town.run()
    assert town.late.desk.stored() == sensor.made


def test_who_joins_late_begins_where_the_chain_is_done_with_the_device(town):
    sensor = history(town.full.desk)
    last = sensor.made[49]
    number = last.reading().boot, last.reading().seq
    town.late.floor = ChainFloor(number, last.digest(), 0)
    town.run()
    assert town.late.desk.stored() == sensor.made[50:]


def test_a_store_that_is_behind_the_chain_goes_on_from_its_tip(town):
    sensor = history(town.full.desk)
    for envelope in sensor.made[:20]:
        town.late.desk.take(envelope)
    last = sensor.made[49]
    number = last.reading().boot, last.reading().seq
    town.late.floor = ChainFloor(number, last.digest(), 0)
    town.run()
    assert town.late.desk.stored() == [*sensor.made[:20], *sensor.made[50:]]


def test_a_link_to_the_chains_tip_is_not_skipped_by_a_lender_that_lacks_it(town):
    """A window would lack what lies between: who has it is asked in its turn."""
    sensor = history(town.full.desk)
    last = sensor.made[49]
    number = last.reading().boot, last.reading().seq
    town.late.floor = ChainFloor(number, last.digest(), 0)
    began_late = town.other.desk
    began_late.tip = Tip(sensor.made[79].digest(), 1, 79, 0, 0)
    for envelope in sensor.made[80:]:
        assert began_late.take(envelope) == ["stored"]
    town.run(names=["other"])
    assert town.late.desk.stored() == []
    town.run(names=["other", "full"])
    assert town.late.desk.stored() == sensor.made[50:]


def test_of_what_is_of_no_use_any_more_nothing_is_asked(town):
    sensor = history(town.full.desk)
    town.late.floor = ChainFloor(BEGINNING, None, NOW_MS + 100_000)
    town.run()
    assert town.late.desk.stored() == sensor.made[100:]


def test_without_knowing_what_the_chain_needs_nothing_is_asked(town):
    history(town.full.desk)
    town.late.floor = None
    town.run()
    assert town.sent == []


@pytest.mark.parametrize("dead", ["full", "other"])
def test_a_lender_that_is_dead_gives_way_to_another(town, dead):
    sensor = history(town.full.desk)
    for envelope in sensor.made:
        town.other.desk.take(envelope)
    town.lost = {dead}
    town.run(2 * ASK_AGAIN_MS // 1_000 + 30, names=["full", "other"])
    assert town.late.desk.stored() == sensor.made


def test_a_borrower_that_is_killed_goes_on_from_what_it_stored(town):
    sensor = history(town.full.desk)
    town.run(4)
    had = len(town.late.desk.stored())
    town.late.desk.restart()
    town.late.begin()
    town.run()
    assert 0 < had <= len(town.late.desk.stored())
    assert town.late.desk.stored() == sensor.made


def test_a_chain_that_began_anew_is_borrowed_too(town):
    sensor = history(town.full.desk, 10, reboot=None)
    sensor.reboot(lost=True)
    for _ in range(5):
        assert town.full.desk.take(sensor.read()) == ["stored"]
    assert sensor.made[10].reading().previous == ZERO_HASH
    town.run()
    assert town.late.desk.stored() == sensor.made
