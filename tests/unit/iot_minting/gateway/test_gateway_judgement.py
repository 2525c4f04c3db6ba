"""What the gateway accepts, and how it refuses everything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot_minting.gateway.judgement import (
    BACKLOG_MS,
    LIVE_MS,
    WAITING_MAX,
    WAITING_MS,
    BootProgress,
    Gateway,
)
from iot_minting.gateway.plausibility import Before
from iot_minting.gateway.verdicts import Accepted, RefusedEnvelope, Repeated
from ledger.primitives.hashing import ZERO_HASH, Hash
from ledger.types.evidence import Instrument
from ledger.types.reading import FIRST_OF_CHAIN
from tests.support.ledger.dairy import LINE, PLANT, key
from tests.support.minting.milk_line import START_MS, MilkLine, Sensor


def refusal(verdicts):
    (verdict,) = verdicts
    assert isinstance(verdict, RefusedEnvelope), verdict
    return verdict


def reading(at_ms=START_MS, value=10):
    return [(at_ms, value)]


@pytest.fixture
def line():
    return MilkLine()


@pytest.fixture
def meter(line):
    return line.meters[0]


def test_a_good_envelope_is_accepted_with_its_farm(line, meter):
    (verdict,) = line.send(meter, reading())
    assert isinstance(verdict, Accepted)
    assert verdict.stored.operator == line.registry.find(meter.key.public).operator
    assert (verdict.stored.plant, verdict.stored.line) == (PLANT, LINE)
    assert line.gateway.head(meter.key.public, 1) == 0


def test_bytes_that_are_no_envelope_are_malformed(line, meter):
    assert refusal(line.deliver(meter, b"\x00garbage")).entry.code == "malformed"


@given(st.binary(max_size=300))
def test_no_bytes_do_more_than_be_refused(raw):
    line = MilkLine()
    entry = refusal(line.deliver(line.meters[0], raw)).entry
    assert entry.code == "malformed"
    assert entry.raw == raw


def test_a_foreign_version_is_malformed(line, meter):
    assert refusal(line.send(meter, reading(), version=1)).entry.code == "malformed"


def test_an_unregistered_device_is_unknown(line):
    stranger = Sensor(key("stranger"), Instrument.MILK_METER, line.dairy.chain_id)
    assert refusal(line.send(stranger, reading())).entry.code == "unknown_device"


def test_anothers_signature_is_wrong(line, meter):
    verdict = refusal(line.send(meter, reading(), signer=key("thief")))
    assert (verdict.entry.code, verdict.settled) == ("wrong_signature", False)


def test_a_signature_for_another_chain_is_wrong(line, meter):
    meter.chain_id = Hash(b"\x01" * 32)
    assert refusal(line.send(meter, reading())).entry.code == "wrong_signature"


@pytest.mark.parametrize("topic", ["nonsense", f"bc/v1/elsewhere/{LINE}/%s/r", "bc/v1/a/b/c/r"])
def test_a_topic_that_is_not_the_devices_is_refused(line, meter, topic):
    topic = topic.replace("%s", meter.key.public.hex())
    assert refusal(line.send(meter, reading(), topic=topic)).entry.code == "wrong_topic"


def test_the_same_envelope_again_is_a_repeat_and_moves_nothing(line, meter):
    envelope = meter.read(reading())
    line.deliver(meter, envelope)
    (again,) = line.deliver(meter, envelope)
    assert isinstance(again, Repeated)
    assert again.entry.code == "replayed_sequence"
    assert line.gateway.head(meter.key.public, 1) == 0


def test_another_reading_under_a_used_number_is_refused(line, meter):
    line.send(meter, reading())
    verdict = refusal(line.send(meter, reading(value=99), seq=0))
    assert verdict.entry.code == "replayed_sequence"
    assert "another reading" in verdict.entry.detail


def test_an_envelope_that_names_another_before_it_breaks_the_chain(line, meter):
    line.send(meter, reading())
    verdict = refusal(line.send(meter, reading(), previous=Hash(b"\x05" * 32)))
    assert (verdict.entry.code, verdict.settled) == ("broken_chain", False)


@pytest.mark.parametrize("lost", [False, True])
def test_a_boots_first_envelope_names_the_last_of_the_boot_before_or_begins_a_chain(
    line, meter, lost
):
    line.send(meter, reading())
    last = meter.previous
    meter.reboot()
    previous = FIRST_OF_CHAIN if lost else last
    (verdict,) = line.send(meter, reading(START_MS + 1), previous=previous)
    assert isinstance(verdict, Accepted)


def test_a_boots_first_envelope_that_names_another_breaks_the_chain(line, meter):
    line.send(meter, reading())
    early = meter.previous
    line.send(meter, reading(START_MS + 1))
    meter.reboot()
    verdict = refusal(line.send(meter, reading(START_MS + 2), previous=early))
    assert (verdict.entry.code, verdict.settled) == ("broken_chain", False)


def test_a_device_that_was_off_for_a_week_goes_on_with_its_old_sample(line, meter):
    line.send(meter, reading())
    last, week_ms = meter.previous, 7 * 86_400_000
    meter.reboot()
    line.now_ms += week_ms
    samples = [(START_MS, 10), (START_MS + week_ms, 10)]
    (verdict,) = line.send(meter, samples, previous=last)
    assert isinstance(verdict, Accepted)


def test_an_envelope_ahead_waits_and_follows_its_predecessor(line, meter):
    first, second, third = (meter.read(reading(START_MS + n, 10 + n)) for n in range(3))
    assert line.deliver(meter, third) == []
    assert line.deliver(meter, second) == []
    verdicts = line.deliver(meter, first)
    assert [v.stored.seq for v in verdicts] == [0, 1, 2]


def test_what_waits_too_long_is_refused_for_its_missing_predecessor(line, meter):
    meter.read(reading())
    assert line.send(meter, reading()) == []
    assert line.gateway.expire(START_MS + WAITING_MS - 1) == []
    verdict = refusal(line.gateway.expire(START_MS + WAITING_MS))
    assert (verdict.entry.code, verdict.settled) == ("missing_predecessor", False)


def test_the_room_to_wait_is_bounded(line, meter):
    meter.read(reading())
    for _ in range(WAITING_MAX):
        assert line.send(meter, reading()) == []
    assert refusal(line.send(meter, reading())).entry.code == "missing_predecessor"


@pytest.mark.parametrize("late_ms", [-LIVE_MS - 1, LIVE_MS + 1])
def test_a_first_reading_out_of_its_time_is_refused(line, meter, late_ms):
    verdict = refusal(line.send(meter, reading(), arrival_ms=START_MS + late_ms))
    assert (verdict.entry.code, verdict.settled) == ("outside_time_window", True)


def test_a_backlog_on_a_known_chain_is_accepted_for_three_days(line, meter):
    line.send(meter, reading())
    (late,) = line.send(meter, reading(START_MS + 1), arrival_ms=START_MS + BACKLOG_MS)
    assert isinstance(late, Accepted)
    later = line.send(meter, reading(START_MS + 2), arrival_ms=START_MS + BACKLOG_MS + 3)
    assert refusal(later).entry.code == "outside_time_window"


def test_a_reading_after_the_calibration_is_refused_and_settled(line, meter):
    until_ms = line.registry.find(meter.key.public).calibrated_until_ms
    verdict = refusal(line.send(meter, reading(until_ms), arrival_ms=until_ms))
    assert (verdict.entry.code, verdict.settled) == ("not_calibrated", True)


def test_a_tampered_device_is_refused_from_then_on(line, meter):
    line.send(meter, reading())
    assert refusal(line.send(meter, reading(), tamper=True)).entry.code == "tampered"
    assert refusal(line.send(meter, reading())).entry.code == "tampered"
    meter.reboot()
    assert refusal(line.send(meter, reading())).entry.code == "tampered"
    (other,) = line.send(line.meters[1], reading())
    assert isinstance(other, Accepted)


def test_a_falling_total_is_implausible_and_the_chain_goes_on(line, meter):
    line.send(meter, reading(value=50))
    verdict = refusal(line.send(meter, reading(value=49)))
    assert (verdict.entry.code, verdict.settled) == ("implausible", True)
    (next_one,) = line.send(meter, reading(value=60))
    assert isinstance(next_one, Accepted)


def test_a_new_boot_begins_a_chain_of_its_own(line, meter):
    line.send(meter, reading())
    meter.reboot()
    (verdict,) = line.send(meter, reading())
    assert isinstance(verdict, Accepted)
    assert sorted(line.gateway.heads()) == [(meter.key.public, 1, 0), (meter.key.public, 2, 0)]


def test_a_boot_that_was_overtaken_goes_on_in_quarantine_and_is_not_settled(line, meter):
    """The chain takes a device's readings in order: a run that shows these would fail whole."""
    first, second = meter.read(reading()), meter.read(reading(START_MS + 1))
    (before,) = line.deliver(meter, first)
    meter.reboot()
    (after,) = line.send(meter, reading(START_MS + 2))
    verdict = refusal(line.deliver(meter, second))
    assert (verdict.entry.code, verdict.settled) == ("overtaken_boot", False)
    assert line.gateway.newest(meter.key.public) == 2
    (again,) = line.deliver(meter, first)
    assert isinstance(before, Accepted)
    assert isinstance(after, Accepted)
    assert isinstance(again, Repeated), "its device may forget what is stored, of whatever boot"


def test_a_reading_of_a_time_reported_before_is_settled_and_counts_once(line, meter):
    """A device that signs anew does not know which of its readings arrived."""
    line.send(meter, [(START_MS, 0), (START_MS + 50, 9)])
    meter.reboot()
    copy = refusal(line.send(meter, [(START_MS, 0), (START_MS + 50, 9)]))
    assert (copy.entry.code, copy.settled) == ("overtaken_time", True)
    (new,) = line.send(meter, [(START_MS + 50, 9), (START_MS + 99, 12)])
    assert isinstance(new, Accepted)


def test_a_gateway_that_restarts_knows_how_far_its_devices_came(line, meter):
    late, at_ms = meter.read(reading()), START_MS + 50
    meter.reboot()
    head = BootProgress(meter.key.public, 2, 0, ZERO_HASH, Before(at_ms, 9, "volume_total", "mL"))
    line.gateway = Gateway(line.dairy.chain_id, line.registry, lambda *_: None, [head])
    assert refusal(line.deliver(meter, late)).entry.code == "overtaken_boot"
    meter.reboot()
    assert refusal(line.send(meter, reading(at_ms - 1))).entry.code == "overtaken_time"


@given(st.permutations(range(8)), st.lists(st.integers(0, 7), max_size=8))
def test_any_order_and_any_repetition_is_stored_once_in_order(order, repeats):
    line = MilkLine()
    meter = line.meters[0]
    envelopes = [meter.read(reading(START_MS + n, n)) for n in range(8)]
    accepted = []
    for number in [*order, *repeats]:
        verdicts = line.deliver(meter, envelopes[number])
        accepted += [v.stored.seq for v in verdicts if isinstance(v, Accepted)]
    assert accepted == list(range(8))
