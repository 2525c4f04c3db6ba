"""Readings left out: a decoy, pieces, a shed tail, a fork, a lost journal, a hidden spare."""

import pytest
from msgspec.structs import replace

from ledger.params import DAY_MS, MARGIN_MS
from ledger.state.lines import FOR_EVER_MS
from ledger.state.names import tip_name
from ledger.state.tables import DEVICES, LOTS, TIPS
from ledger.types.doubt import RefuteLot
from tests.support.evidence.rig import DeviceRig
from tests.support.ledger.cheating import HOLD, VALVE, Cheat, good_samples, over_all, showing
from tests.support.ledger.dairy import bill
from tests.support.ledger.window import PLACES, START_MS

COLD = dict.fromkeys(range(40, 81), 60_000)
END_S = 130
TO_S = END_S - MARGIN_MS // 1_000
"""Until when the line is heard, and until when that lets it claim."""
GOOD_S = (39 - 15) + (TO_S - 81 - 15)
"""What counts of all that time, which is cold from 40 to 80 s, voids and margin off."""


def cold_town():
    town = Cheat()
    town.run(END_S, hold_thermometer=COLD)
    return town


def leaving_out(town, device, *places):
    """Give the line's readings but some of a device."""
    bundle = {key: list(each) for key, each in town.line.bundle(town.state).items()}
    kept = bundle[device.public]
    bundle[device.public] = [each for place, each in enumerate(kept) if place not in places]
    return bundle


def test_what_was_cold_counts_nothing():
    town = cold_town()
    claim = town.signed(town.claim())
    assert claim.counted_steps == GOOD_S * 1_000
    assert town.mint(claim) == ""
    town.close()


def test_an_attestor_sees_that_a_link_misses():
    town = cold_town()
    bundle = leaving_out(town, town.line.of(HOLD), 4, 5, 6, 7, 8)
    assert town.judged(over_all(town.claim(), 100_000, bill(100)), bundle) == "broken_link"


def test_where_all_attestors_lie_the_chain_bounds_it_by_flow_and_tank():
    """Cold samples that no shown envelope has: the chain alone can't see them. It is refutable."""
    town = Cheat(litres=(200, 200, 200))
    town.run(60)
    assert town.mint(town.signed(town.claim())) == ""
    town.run(200, begin=61, hold_thermometer=dict.fromkeys(range(101, 141), 60_000))
    flowed = town.claim()
    total = flowed.counted_steps + flowed.lost_steps
    flowed = showing(flowed, town.line.of(HOLD).public, worst=None)
    lie = over_all(flowed, total, bill(total // 1_000))
    assert town.mint(over_all(flowed, total + 1, bill(1))) == "wrong_fates"
    assert town.mint(replace(lie, units=lie.units + 1)) == "window_over_flow"
    worst = town.line.of(HOLD).envelopes[11]
    shown = showing(lie, town.line.of(HOLD).public, worst=worst)
    assert town.mint(shown) == "bad_sample"
    assert town.mint(lie) == ""
    assert town.minted_units() == bill(60 - MARGIN_MS // 1_000 + total // 1_000)
    # Who has the reading voids all of it.
    body = RefuteLot(lie.lot_id(), 0, town.line.of(HOLD).public, (worst,))
    assert town.do("alice", body) == ""
    assert LOTS.get(town.state, lie.lot_id()).remaining_units == 0
    town.close()


def test_a_decoy_beside_the_run_is_no_link_of_the_chain():
    town = cold_town()
    hold = town.line.of(HOLD)
    bundle = leaving_out(town, hold, 4, 5, 6, 7, 8)
    bundle[hold.public][4:4] = [hold.envelopes[2]] * 5
    assert town.judged(over_all(town.claim(), 100_000, bill(100)), bundle) == "broken_link"


def test_a_range_in_pieces_has_too_few_readings():
    town = cold_town()
    hold, claim = town.line.of(HOLD), town.claim()
    part = next(each for each in claim.devices if each.device == hold.public)
    fewer = showing(claim, hold.public, count=part.count - 5)
    assert town.judged(fewer) == "claim_differs"
    town.mint(town.signed(claim))
    town.run(120, begin=END_S + 1)
    claim = town.claim()
    part = next(each for each in claim.devices if each.device == hold.public)
    fewer = showing(claim, hold.public, count=part.count - 5)
    assert (town.judged(fewer), town.mint(fewer)) == ("claim_differs", "wrong_readings")


def restarted(*, linked):
    """A line whose thermometer restarts at 80 s after it was cold, and sheds what it said then."""
    town = Cheat()
    hold = town.line.of(HOLD)
    town.good(*(each for each in town.line.devices if each is not hold), begin=0, end=END_S)
    hold.measure(good_samples(HOLD, 0, 40))
    kept, previous, carried = len(hold.envelopes), hold.previous, hold.carried
    hold.measure([(at * 1_000, 60_000) for at in range(41, 81)])
    hold.restart()
    if not linked:
        # Its keeper signs the boot's first anew, as if it followed what was hot.
        del hold.envelopes[kept:]
        hold.previous, hold.carried = previous, carried
    hold.measure(good_samples(HOLD, 81, END_S))
    return town, hold, kept


def test_a_restart_does_not_shed_the_cold_tail():
    town, hold, kept = restarted(linked=True)
    assert town.signed(town.claim()).counted_steps == (GOOD_S + 1) * 1_000
    bundle = leaving_out(town, hold, *range(kept, kept + 4))
    assert town.judged(over_all(town.claim(), 100_000, bill(100)), bundle) == "broken_link"


def test_a_tail_that_a_keeper_signs_away_is_a_silence():
    """By its own key a device may say less; it never makes what it did not see good."""
    town, _, _ = restarted(linked=False)
    claim = town.signed(town.claim())
    assert claim.counted_steps == (40 + TO_S - 81) * 1_000
    assert town.mint(claim) == ""


def test_a_fork_may_not_follow_what_a_window_was_done_with():
    town = Cheat()
    town.run(70)
    assert town.mint(town.signed(town.claim())) == ""
    hold = town.line.of(HOLD)
    town.run(60, begin=71)
    tip = town.line.tip(town.state, hold.public)
    place = next(n for n, each in enumerate(hold.envelopes) if each.reading().seq == tip.seq)
    claim = town.signed(town.claim())
    previous = town.resign(hold, place, firmware="fork").digest()
    for later in range(place + 1, len(hold.envelopes)):
        previous = town.resign(hold, later, previous=previous).digest()
    assert town.judged(claim) == "broken_link"
    first = hold.envelopes[place + 1]
    assert town.mint(showing(claim, hold.public, last=first)) == "unlinked_reading"
    assert town.mint(showing(claim, hold.public, worst=first)) == "unlinked_reading"


def lost_journal(town, begin):
    """Let the thermometer lose its journal, with half a minute of cold milk in it."""
    hold = town.line.of(HOLD)
    others = [each for each in town.line.devices if each is not hold]
    town.good(*others, begin=begin, end=begin + 140)
    hold.measure(good_samples(HOLD, begin, begin + 40))
    hold.measure([((begin + at) * 1_000, 60_000) for at in range(41, 71)])
    # A claim of the new chain goes on from the tip: all that followed it is gone.
    hold.envelopes.clear()
    hold.restart(lost=True)
    hold.measure(good_samples(HOLD, begin + 71, begin + 140))
    return hold


def test_a_lost_journal_proves_nothing_across_the_break_and_a_third_stops_the_device():
    town = Cheat(litres=(1_000, 1_000, 1_000))
    town.run(80)
    assert town.mint(town.signed(town.claim())) == ""
    for time in range(3):
        hold = lost_journal(town, 81 + time * 141)
        claim = town.signed(town.claim())
        part = next(each for each in claim.devices if each.device == hold.public)
        assert part.broken
        # Nothing of what lies between the tip, at most, and the new chain's first sample.
        first_ms = START_MS + (81 + time * 141 + 71) * 1_000
        assert all(each.from_ms >= first_ms for each in claim.intervals)
        assert town.mint(claim) == ""
    assert DEVICES.get(town.state, hold.public).stopped_ms == claim.to_ms
    town.run(120, begin=504)
    assert town.signed(town.claim()).counted_steps == 0
    assert town.minted_units() <= bill(3 * 50 + 80)
    town.close()


@pytest.mark.parametrize(("days", "stopped"), [(31, False), (29, True)])
def test_only_journals_lost_of_late_stop_a_device(days, stopped):
    town = Cheat(litres=(1_000, 1_000, 1_000))
    town.run(80)
    assert town.mint(town.signed(town.claim())) == ""
    hold = town.line.of(HOLD)
    past = tuple(START_MS - days * DAY_MS + at for at in (0, 1))
    name = tip_name(town.line.line_id, hold.public)
    TIPS.put(town.state, replace(TIPS.get(town.state, name), breaks_ms=past), name)
    lost_journal(town, 81)
    assert town.mint(town.signed(town.claim())) == ""
    assert (DEVICES.get(town.state, hold.public).stopped_ms < FOR_EVER_MS) is stopped


def test_a_break_shown_where_the_chain_goes_on_is_no_break():
    town = Cheat()
    town.run(60)
    assert town.mint() == ""
    town.run(60, begin=61)
    hold = town.line.of(HOLD)
    claim = showing(town.claim(), hold.public, broken=True)
    assert town.judged(claim) == "claim_differs"
    assert town.mint(claim) == "unlinked_reading"


def test_a_spare_is_not_missed_until_it_speaks_and_then_judges():
    """Bounded only: a spare that was never shown may be hidden. One word, and it is bound."""
    town = Cheat((*PLACES, HOLD))
    *others, spare = town.line.devices
    town.good(*others, begin=0, end=200)
    spare.measure([(at * 1_000, 60_000) for at in range(201)])
    honest = town.claim(90)
    assert town.signed(honest).counted_steps == 0
    kept, spare.envelopes = spare.envelopes, []
    hidden = town.signed(town.claim(90))
    assert hidden.counted_steps == 90_000
    spare.envelopes = kept
    assert town.mint(honest) == ""
    spare.envelopes = []
    claim = town.line.claim(town.state, 170, silent=[spare.public])
    assert town.signed(claim).counted_steps == 0
    assert town.mint(claim) == ""


def test_an_old_spare_shown_late_hides_nothing_that_it_says():
    """Its chain begins anywhere, but what it says of the window's own time must be shown."""
    town = Cheat((*PLACES, HOLD))
    *others, spare = town.line.devices
    town.good(*others, begin=0, end=120)
    spare.measure([(at * 1_000, 60_000) for at in range(121)])
    kept, spare.envelopes = spare.envelopes, spare.envelopes[8:]
    claim = town.claim()
    # Begun at 79 s: what it said before is hidden, and refutes whoever counts it.
    assert town.signed(claim).counted_steps <= 79_000
    assert town.mint(claim) == ""
    body = RefuteLot(claim.lot_id(), 0, spare.public, (kept[2],))
    assert town.do("alice", body) == ""
    town.close()


def test_old_hot_readings_of_days_ago_serve_nobody():
    """A device that was never shown begins with what reaches the window; time is what it says."""
    town = Cheat()
    hold = town.line.of(HOLD)
    town.good(*(each for each in town.line.devices if each is not hold), begin=0, end=120)
    old = DeviceRig(hold.key, HOLD, chain_id=town.dairy.chain_id, start_ms=START_MS - 3 * DAY_MS)
    old.measure(good_samples(HOLD, 0, 120))
    hold.envelopes = old.envelopes
    facts = town.line.facts(town.state)
    assert facts.line.through_ms == START_MS
    claim = town.line.claim(town.state, 90, silent=[hold.public])
    assert town.signed(claim).counted_steps == 0


def test_a_spare_shown_by_one_envelope_can_not_be_called_silent_from_its_start():
    """It was shown too near to the window's end to be linked by it: it is on duty all the same."""
    town = Cheat((*PLACES, HOLD), litres=(200, 200, 200))
    *others, spare = town.line.devices
    town.good(*others, begin=0, end=250)
    spare.measure(good_samples(HOLD, 80, 100))
    spare.measure([(at * 1_000, 60_000) for at in range(101, 251)])
    assert town.mint(town.signed(town.claim(75))) == ""
    assert town.line.tip(town.state, spare.public).again
    honest = town.signed(town.claim(200))
    spare.envelopes = []
    hidden = town.line.claim(town.state, 200, silent=[spare.public])
    assert town.signed(hidden).counted_steps <= honest.counted_steps
    lie = over_all(hidden, hidden.counted_steps + hidden.lost_steps, hidden.units)
    assert (town.judged(lie), town.mint(lie)) == ("claim_differs", "unwatched_interval")
    assert town.mint(hidden) == ""


@pytest.mark.parametrize("until", [120, 130, 150])
def test_who_is_heard_past_a_window_is_not_silent_in_it_whatever_a_claimant_says(until):
    """It fell silent later; another one is behind, so its windows end before that."""
    town = Cheat()
    valve = town.line.of(VALVE)
    town.good(*(each for each in town.line.devices if each is not valve), begin=0, end=200)
    valve.measure([(at * 1_000, 1) for at in range(290)], 58)
    claim = town.claim(until, silent=[valve.public])
    assert not any(each.silent for each in claim.devices)
    assert town.judged(showing(claim, valve.public, silent=True)) == "claim_differs"
    assert town.mint(town.signed(claim)) == ""
    assert claim.counted_steps == until * 1_000
