"""What a window shows of its devices: all of them, linked, as far as the window's end."""

import pytest
from msgspec.structs import replace

from ledger.params import MARGIN_MS
from ledger.primitives.hashing import ZERO_HASH
from ledger.state.lines import LineDevice
from ledger.state.tables import LINES
from ledger.types.evidence import Instrument
from ledger.types.reading import Envelope, reading_bytes, sign_reading
from tests.support.evidence.rig import good_value
from tests.support.ledger.window import PLACES, START_MS, WindowLine, WindowTown, with_device

HOLD, FLOW = Instrument.HOLD_THERMOMETER, Instrument.FLOW_METER


class Shown(WindowTown):
    """Two minutes of good milk, of which the first was claimed; the second's claim."""

    def __init__(self, kinds=PLACES, *, first=60):
        super().__init__(kinds)
        self.run(120)
        if first:
            assert self.mint(self.claim(first)) == ""
        self.good = self.claim()
        self.hold, self.flow = self.line.of(HOLD), self.line.of(FLOW)

    def part(self, device):
        return next(each for each in self.good.devices if each.device == device.public)

    def code(self, device, **fields):
        """Claim with one device shown otherwise."""
        return self.mint(with_device(self.good, device.public, **fields))

    def signed(self, by, envelope, **changes):
        """An envelope of a device that it signed otherwise."""
        return sign_reading(replace(envelope.reading(), **changes), self.dairy.chain_id, by.key)

    def after_tip(self, device):
        tip = self.line.tip(self.state, device.public)
        return next(each for each in device.envelopes if each.reading().seq == tip.seq + 1)


@pytest.fixture
def town():
    return Shown()


def test_the_window_that_the_others_break_is_good(town):
    assert town.mint(town.good) == ""


def test_each_device_that_watched_is_shown_once_in_order(town):
    devices = town.good.devices
    for wrong in (devices[:-1], devices[::-1], (devices[0], *devices)):
        count = sum(each.count for each in wrong)
        assert town.mint(replace(town.good, devices=wrong, readings_count=count)) == "wrong_devices"


def test_a_device_that_watched_a_part_of_the_window_is_shown_too():
    town = Shown((*PLACES, HOLD), first=0)
    late = town.line.devices[-1].public
    line = LINES.get(town.state, town.line.line_id)
    for until_ms, code in ((START_MS, "wrong_devices"), (START_MS + 1, "")):
        entries = tuple(
            replace(each, until_ms=until_ms) if each.device == late else each
            for each in line.devices
        )
        LINES.put(town.state, replace(line, devices=entries), town.line.line_id)
        assert town.mint(town.good) == code


def test_the_readings_are_as_many_as_the_devices_show(town):
    assert town.mint(replace(town.good, readings_count=town.good.readings_count - 1)) == (
        "wrong_readings"
    )


def test_no_device_shows_fewer_than_their_numbers_tell(town):
    part = town.part(town.hold)
    least = part.end.reading().seq - town.line.tip(town.state, town.hold.public).seq
    assert part.count > least
    assert town.code(town.hold, count=least - 1) == "wrong_readings"
    assert town.code(town.hold, count=least) == ""


def test_after_a_restart_all_of_the_boot_are_counted(town):
    town.hold.restart()
    town.run(60, 121)
    town.good = town.claim()
    seq = town.part(town.hold).end.reading().seq
    assert town.code(town.hold, count=seq) == "wrong_readings"
    assert town.code(town.hold, count=seq + 1) == ""


def test_who_shows_nothing_counts_nothing(town):
    nothing = {"last": None, "end": None, "worst": None, "silent": True}
    assert town.code(town.hold, **nothing) == "wrong_readings"
    assert town.code(town.hold, **nothing, count=0) == "unwatched_interval"


def test_what_is_shown_is_the_devices_own_reading(town):
    end = town.part(town.hold).end
    signature = town.hold.key.sign(reading_bytes(town.dairy.chain_id, b"\xc1"))
    assert town.code(town.hold, end=Envelope(b"\xc1", signature)) == "bad_reading"
    posing = town.signed(town.hold, end, device=town.flow.public)
    assert town.code(town.hold, end=posing) == "bad_reading"


def test_nothing_is_shown_beyond_the_end(town):
    part = town.part(town.hold)
    assert town.code(town.hold, worst=town.hold.envelopes[-1]) == "bad_reading"
    assert town.code(town.hold, end=None) in {"bad_reading", "wrong_readings"}
    assert town.code(town.hold, last=part.end, end=part.last) == "bad_reading"


def test_two_readings_of_one_number_are_not_shown(town):
    end = town.part(town.hold).end
    other = town.signed(town.hold, end, firmware="other")
    assert town.code(town.hold, worst=other) == "bad_reading"
    assert town.code(town.hold, worst=end) == ""


def test_what_a_window_was_done_with_is_not_shown_again(town):
    tip = town.line.tip(town.state, town.hold.public)
    done = town.hold.envelopes[tip.seq]
    assert done.digest() == tip.digest
    assert town.code(town.hold, worst=done) == "unlinked_reading"


def test_the_first_after_the_tip_names_it(town):
    first = town.after_tip(town.hold)
    assert town.code(town.hold, worst=town.signed(town.hold, first, previous=b"x" * 32)) == (
        "unlinked_reading"
    )
    assert town.code(town.hold, worst=first) == ""


def test_neighbours_that_are_shown_name_each_other(town):
    last = town.part(town.hold).last
    after = town.hold.envelopes[last.reading().seq + 1]
    other = town.signed(town.hold, after, previous=b"x" * 32)
    assert town.code(town.hold, worst=other) == "unlinked_reading"


def test_no_chain_begins_anew_unless_it_is_said(town):
    last = town.part(town.hold).last
    middle = town.hold.envelopes[last.reading().seq + 1]
    other = town.signed(town.hold, middle, previous=ZERO_HASH)
    assert town.code(town.hold, worst=other) == "unlinked_reading"


def test_a_restart_sheds_nothing():
    """A first envelope of a boot that names none, not declared as a break."""
    town = Shown()
    tip = town.line.tip(town.state, town.hold.public)
    end = town.part(town.hold).end
    fields = {"boot": tip.boot + 1, "seq": 0, "previous": ZERO_HASH}
    shed = town.signed(town.hold, end, **fields)
    shown = {"last": None, "worst": None, "end": shed, "count": 1}
    assert town.code(town.hold, **shown) == "unlinked_reading"
    assert town.code(town.hold, **shown, broken=True) == ""


def test_only_a_later_boot_breaks_a_chain():
    town = Shown()
    assert town.code(town.hold, broken=True) == "unlinked_reading"
    new = Shown(first=0)
    assert new.code(new.hold, broken=True) == "unlinked_reading"


def test_what_a_window_is_done_with_ends_a_margin_before_it(town):
    end = town.part(town.hold).end
    assert town.code(town.hold, last=end) == "wrong_tip"


def test_the_first_of_a_new_device_is_linked_however_late_and_shown_again():
    town = Shown(first=0)
    first = town.claim(5)
    assert town.mint(first) == ""
    assert town.line.tip(town.state, town.hold.public).again
    rest = town.claim()
    assert town.mint(rest) == ""
    assert not town.line.tip(town.state, town.hold.public).again
    assert first.counted_steps + rest.counted_steps == town.good.counted_steps
    town.close()


def test_each_device_is_shown_up_to_the_end(town):
    last = town.part(town.hold).last
    assert town.code(town.hold, end=last, worst=None) == "window_unreached"
    nothing = {"last": None, "end": None, "worst": None, "count": 0}
    assert town.code(town.hold, **nothing) == "window_unreached"


def test_a_device_that_was_never_heard_owes_nothing():
    town = WindowTown((*PLACES, HOLD))
    spare = town.line.devices.pop()
    town.run(60)
    assert spare.public in {each.device for each in town.claim().devices}
    assert town.mint() == ""


def test_a_device_that_left_is_shown_a_margin_beyond():
    town = Shown((*PLACES, HOLD), first=0)
    spare = town.line.devices[-1]
    line = LINES.get(town.state, town.line.line_id)
    entries = tuple(
        LineDevice(each.device, each.from_ms, START_MS + 20_000)
        if each.device == spare.public
        else each
        for each in line.devices
    )
    LINES.put(town.state, replace(line, devices=entries), town.line.line_id)
    town.good = town.claim()
    short = spare.envelopes[3]  # It ends at 39 s, and the margin at 49.
    shown = {"last": spare.envelopes[0], "end": short, "worst": None}
    assert town.code(spare, **shown) == "window_unreached"
    assert town.code(spare, **shown | {"end": spare.envelopes[4]}) == ""


def test_who_was_heard_past_the_margin_is_not_silent(town):
    later = town.hold.envelopes[-1]
    assert later.reading().last_ms >= town.good.to_ms + MARGIN_MS
    assert town.code(town.hold, end=later, worst=None, silent=True) == "wrong_silence"


def test_a_window_ends_at_a_sample_of_its_flow_meter(town):
    moved = replace(town.good, to_ms=town.good.to_ms + 500)
    assert town.mint(moved) == "window_unreached"


def test_two_lines_that_share_a_gauge_each_have_a_tip_of_it():
    town = WindowTown((*PLACES, Instrument.TANK_GAUGE))
    second = WindowLine(town.dairy, PLACES, name="line-3")
    gauge = town.line.of(Instrument.TANK_GAUGE)
    second.devices.append(gauge)
    entries = (*second.line.devices, LineDevice(gauge.public, START_MS))
    second.line = replace(second.line, devices=tuple(sorted(entries, key=lambda e: e.device)))
    second.register(town.state)
    town.run(120)
    for device in second.devices[:-1]:
        device.measure(
            [(at * 1_000, good_value(device.instrument, at * 1_000)) for at in range(121)]
        )
    assert town.mint() == ""
    assert second.tip(town.state, gauge.public) is None
    first, claim = town.line.tip(town.state, gauge.public), second.claim(town.state, 60)
    assert town.do("mmu", second.mint(town.state, claim)) == ""
    assert town.line.tip(town.state, gauge.public) == first
    assert second.tip(town.state, gauge.public).seq < first.seq
