"""Devices that lost their journal: a chain of its own begins, and nothing counts across."""

from ledger.params import DAY_MS
from ledger.state.lines import Tip
from ledger.state.names import tip_name
from ledger.state.tables import (
    DEVICES,
    LINES,
    TIPS,
)
from ledger.types.evidence import Instrument
from tests.support.ledger.window import START_MS, WindowTown


def window_town(seconds=120, **parts):
    town = WindowTown(**parts)
    town.run(seconds)
    return town


def test_a_device_that_lost_its_journal_three_times_in_thirty_days_is_stopped():
    town = window_town(80, litres=(400,))
    hold = town.line.of(Instrument.HOLD_THERMOMETER)
    for number in range(3):
        assert DEVICES.get(town.state, hold.public).stopped_ms == 2**53
        tip, (time_ms, value) = hold.envelopes[-1], hold.carried
        done = Tip(tip.digest(), hold.boot, hold.seq - 1, time_ms, value, breaks(town, hold))
        TIPS.put(town.state, done, tip_name(town.line.line_id, hold.public))
        hold.restart(lost=True)
        town.run(80, 81 * (number + 1))
        assert town.mint() == ""
        assert len(breaks(town, hold)) == number + 1
    through_ms = LINES.get(town.state, town.line.line_id).through_ms
    assert DEVICES.get(town.state, hold.public).stopped_ms == through_ms


def test_a_device_is_stopped_now_at_the_latest():
    """Its third break is told by a window that ends ahead of the block, as clocks may stand."""
    town = window_town(80, litres=(400,))
    hold = town.line.of(Instrument.HOLD_THERMOMETER)
    tip, (time_ms, value) = hold.envelopes[-1], hold.carried
    done = Tip(tip.digest(), hold.boot, hold.seq - 1, time_ms, value, (START_MS, START_MS + 1))
    TIPS.put(town.state, done, tip_name(town.line.line_id, hold.public))
    hold.restart(lost=True)
    town.run(80, 81)
    claim = town.claim()
    town.time_ms = claim.to_ms - 1_000
    assert town.mint(claim) == ""
    assert DEVICES.get(town.state, hold.public).stopped_ms == town.time_ms < claim.to_ms


def test_a_new_device_that_loses_its_journal_goes_on_by_a_chain_of_its_own():
    town = window_town(60, litres=(400,))
    hold = town.line.of(Instrument.HOLD_THERMOMETER)
    assert town.mint(town.claim(5)) == ""
    assert town.line.tip(town.state, hold.public).again
    hold.envelopes.clear()
    hold.restart(lost=True)
    town.run(60, 61)
    claim = town.claim()
    assert town.mint(claim) == ""
    assert breaks(town, hold) == (claim.to_ms,)


def test_breaks_of_more_than_thirty_days_ago_are_forgotten():
    town = window_town(60, litres=(400,))
    hold = town.line.of(Instrument.HOLD_THERMOMETER)
    tip, (time_ms, value) = hold.envelopes[-1], hold.carried
    long_ago = (START_MS - 30 * DAY_MS, START_MS - 30 * DAY_MS + 1)
    done = Tip(tip.digest(), hold.boot, hold.seq - 1, time_ms, value, long_ago)
    TIPS.put(town.state, done, tip_name(town.line.line_id, hold.public))
    hold.restart(lost=True)
    town.run(80, 61)
    claim = town.claim()
    assert town.mint(claim) == ""
    assert breaks(town, hold) == (claim.to_ms,)


def breaks(town, device):
    tip = town.line.tip(town.state, device.public)
    return tip.breaks_ms if tip else ()
