"""A signer's chain: readings numbered and linked, and anew in a boot above with their own times."""

import pytest

from iot_minting.device.signer import DeviceSettings, ReadingSigner
from ledger.primitives.hashing import ZERO_HASH
from ledger.primitives.keys import verify
from ledger.types.reading import Stream, Unit, decode_envelope, reading_bytes
from tests.support.ledger.dairy import key
from tests.support.minting.parts import CHAIN, INGEST, PLANT

UNITS = Stream.VOLUME_TOTAL, Unit.MILLILITRE
SETTINGS = DeviceSettings("m", PLANT, "l", *UNITS, CHAIN, INGEST.public, "127.0.0.1", 1)


@pytest.fixture
def signer():
    return ReadingSigner(SETTINGS, key("m"), 3)


def sign(signer, count):
    return [signer.sign([(1_000 + n, n), (1_001 + n, n)], tamper=False)[1] for n in range(count)]


def check_linked(envelopes, boot):
    previous = ZERO_HASH
    for seq, raw in enumerate(envelopes):
        envelope = decode_envelope(raw)
        reading = envelope.reading()
        assert (reading.boot, reading.seq, reading.previous) == (boot, seq, previous)
        assert verify(reading.device, reading_bytes(CHAIN, envelope.body), envelope.signature)
        previous = envelope.digest()


def test_readings_are_numbered_and_each_names_the_one_before(signer):
    check_linked(sign(signer, 4), boot=3)
    assert (signer.boot, signer.seq) == (3, 4)


def test_what_is_signed_anew_keeps_times_and_values_and_heads_the_boot_above(signer):
    signed = sign(signer, 4)
    anew = [raw for _, raw in signer.sign_anew(7, signed[1:])]
    check_linked([*anew, *sign(signer, 1)], boot=7)
    before = [decode_envelope(raw).reading() for raw in signed[1:]]
    after = [decode_envelope(raw).reading() for raw in anew]
    assert [(r.t0_ms, r.samples) for r in after] == [(r.t0_ms, r.samples) for r in before]


def test_no_boot_is_begun_twice(signer):
    with pytest.raises(AssertionError, match="only rise"):
        signer.sign_anew(3, [])
