"""A signer's chain: readings numbered, linked and carried on, and anew in a boot above."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot_minting.device.signer import NEW_SAMPLES_MAX, NO_CHAIN, DeviceSettings, ReadingSigner
from ledger.primitives.keys import verify
from ledger.types.reading import FIRST_OF_CHAIN, Stream, Unit, decode_envelope, reading_bytes
from tests.support.ledger.dairy import key
from tests.support.minting.parts import CHAIN, INGEST, PLANT

UNITS = Stream.VOLUME_TOTAL, Unit.MILLILITRE
SETTINGS = DeviceSettings("m", PLANT, "l", *UNITS, CHAIN, (INGEST.public,), "127.0.0.1", 1)


def make_signer(boot=3, end=NO_CHAIN):
    return ReadingSigner(SETTINGS, key("m"), boot, end)


def sign(signer, count, from_ms=1_000):
    return [
        signer.sign([(from_ms + 2 * n, n), (from_ms + 2 * n + 1, n)], tamper=False).raw
        for n in range(count)
    ]


def timed(reading):
    return [(reading.t0_ms + offset_ms, value) for offset_ms, value in reading.samples]


def check_linked(envelopes, boot, previous=FIRST_OF_CHAIN):
    for seq, raw in enumerate(envelopes):
        envelope = decode_envelope(raw)
        reading = envelope.reading()
        assert (reading.boot, reading.seq, reading.previous) == (boot, seq, previous)
        assert verify(reading.device, reading_bytes(CHAIN, envelope.body), envelope.signature)
        previous = envelope.digest()


def test_readings_are_numbered_and_each_names_the_one_before():
    signer = make_signer()
    check_linked(sign(signer, 4), boot=3)
    assert (signer.boot, signer.seq) == (3, 4)


def test_each_reading_begins_with_the_sample_that_ended_the_one_before():
    readings = [decode_envelope(raw).reading() for raw in sign(make_signer(), 3)]
    assert [timed(reading) for reading in readings] == [
        [(1_000, 0), (1_001, 0)],
        [(1_001, 0), (1_002, 1), (1_003, 1)],
        [(1_003, 1), (1_004, 2), (1_005, 2)],
    ]


def test_a_boot_is_linked_to_the_one_before_however_long_the_device_was_off():
    signer = make_signer()
    sign(signer, 2)
    month_ms = 30 * 86_400_000
    (raw, *_) = sign(make_signer(4, signer.end), 2, month_ms)
    reading = decode_envelope(raw).reading()
    assert reading.previous == signer.end.digest
    assert timed(reading) == [(1_003, 1), (month_ms, 0), (month_ms + 1, 0)]


def test_what_is_signed_anew_keeps_its_samples_but_for_the_first_carried_one():
    signer = make_signer()
    signed = sign(signer, 4)
    anew = [each.raw for each in signer.sign_anew(7, signed[1:])]
    check_linked([*anew, *sign(signer, 1, 2_000)], boot=7)
    before = [timed(decode_envelope(raw).reading()) for raw in signed[1:]]
    after = [timed(decode_envelope(raw).reading()) for raw in anew]
    assert after == [before[0][1:], *before[1:]]


def test_what_began_a_chain_is_signed_anew_whole():
    signer = make_signer()
    (first,) = sign(signer, 1)
    (anew,) = signer.sign_anew(4, [first])
    assert timed(decode_envelope(anew.raw).reading()) == timed(decode_envelope(first).reading())


def test_no_boot_is_begun_twice():
    with pytest.raises(AssertionError, match="only rise"):
        make_signer().sign_anew(3, [])


def test_time_never_falls_below_the_carried_sample():
    signer = make_signer()
    sign(signer, 1)
    with pytest.raises(AssertionError, match="never falls"):
        signer.sign([(999, 0)], tamper=False)


@given(st.integers(1, NEW_SAMPLES_MAX))
def test_a_full_envelope_decodes(count):
    signer = make_signer()
    sign(signer, 1)
    signed = signer.sign([(2_000 + n, 2**53 - n % 2) for n in range(count)], tamper=True)
    assert len(decode_envelope(signed.raw).reading().samples) == count + 1
