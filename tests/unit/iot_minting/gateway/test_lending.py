"""Loans are signed and bounded: who lends to whom, how much, and what is taken of it."""

import pytest

from iot_minting.errors import BadLoan
from iot_minting.gateway.duty import Duty, PeerLetter
from iot_minting.gateway.loans import LOANS_AT_ONCE_MAX, LOOK_MS
from iot_minting.wire.loans import (
    LOAN_BYTES_MAX,
    LOAN_ENVELOPES_MAX,
    read_loan,
    read_want,
    sign_loan,
    sign_want,
)
from iot_minting.wire.topics import (
    loan_topic,
    parse_loan_topic,
    parse_want_topic,
    readings_topic,
    want_topic,
)
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash
from tests.support.ledger.dairy import key
from tests.support.minting.loan_town import PEER_KEYS, Town, history
from tests.support.minting.sensor import CHAIN, DEVICE, NOW_MS, PLANT, Sensor


@pytest.fixture
def town(tmp_path):
    made = Town(tmp_path)
    yield made
    made.close()


def letter_of(raw):
    return PeerLetter(None, raw)


def test_nobody_but_a_peer_lends_and_nothing_is_taken_that_no_device_signed(town):
    sensor = Sensor()
    made = [sensor.read() for _ in range(3)]
    forged = Sensor().read(signer=key("somebody"))
    late, full = PEER_KEYS["late"], PEER_KEYS["full"]
    wrong = [
        sign_loan(CHAIN, key("somebody"), late.public, DEVICE.public, None, made),
        sign_loan(Hash(bytes(32)), full, late.public, DEVICE.public, None, made),
        sign_loan(CHAIN, full, PEER_KEYS["other"].public, DEVICE.public, None, made),
        sign_loan(CHAIN, full, late.public, key("unknown").public, None, made),
        sign_loan(CHAIN, full, late.public, DEVICE.public, None, [forged]),
    ]
    town.late.duty.letters = [letter_of(encode(each)) for each in wrong]
    town.late.duty.letters += [letter_of(b""), letter_of(bytes(100))]
    assert town.late.run(NOW_MS) == 0
    assert town.late.desk.stored() == []
    good = sign_loan(CHAIN, full, late.public, DEVICE.public, None, made)
    town.late.duty.letters = [letter_of(encode(good))]
    assert town.late.run(NOW_MS) == 3
    with pytest.raises(BadLoan):
        read_loan(encode(wrong[0]), CHAIN, late.public, [full.public])


def test_a_lender_answers_whom_it_knows_and_no_more_than_its_pace(town):
    history(town.full.desk, 5)
    full, late = PEER_KEYS["full"], PEER_KEYS["late"]

    def want(signer=late, lender=full.public, device=DEVICE.public):
        signed = sign_want(CHAIN, signer, lender, device, None, 0)
        return PeerLetter(late.public, encode(signed))

    for refused in (
        want(signer=key("somebody")),
        want(lender=PEER_KEYS["other"].public),
        want(device=key("unknown").public),
        PeerLetter(late.public, b"\x90"),
    ):
        town.full.duty.letters = [refused]
        town.full.run(NOW_MS)
    assert town.sent == []
    town.full.duty.letters = [want()] * (2 * LOANS_AT_ONCE_MAX)
    town.full.run(NOW_MS + 10_000)
    assert len(town.sent) == LOANS_AT_ONCE_MAX
    assert {topic for topic, _ in town.sent} == {loan_topic(PLANT, late.public)}
    with pytest.raises(BadLoan):
        read_want(want().raw, CHAIN, full.public)


def test_a_loan_fits_a_small_brokers_message():
    sensor = Sensor()
    big = [sensor.read(samples=tuple((n, 2**50 + n) for n in range(64))) for _ in range(60)]
    loan = sign_loan(CHAIN, PEER_KEYS["full"], PEER_KEYS["late"].public, DEVICE.public, (1, 0), big)
    assert 0 < len(loan.envelopes) < len(big)
    assert LOAN_BYTES_MAX // 2 < len(encode(loan)) <= LOAN_BYTES_MAX
    small = [Sensor().read()] * (2 * LOAN_ENVELOPES_MAX)
    loan = sign_loan(CHAIN, PEER_KEYS["full"], PEER_KEYS["late"].public, DEVICE.public, None, small)
    assert len(loan.envelopes) <= LOAN_ENVELOPES_MAX
    assert len(encode(loan)) <= LOAN_BYTES_MAX


def test_it_is_looked_now_and_then_and_not_at_every_batch(town):
    history(town.full.desk, 3)
    looks = []
    town.late.duty.ends_elsewhere = lambda: looks.append(1) or {}
    for at in range(50):
        town.late.run(NOW_MS + at * LOOK_MS // 10)
    assert len(looks) == 5


def test_topics_of_loans_are_no_topics_of_readings():
    asker = PEER_KEYS["late"].public
    assert parse_want_topic(want_topic(PLANT, asker)) == asker
    assert parse_loan_topic(loan_topic(PLANT, asker)) == asker
    for topic in (readings_topic("want", "l", asker), readings_topic("loan", "l", asker)):
        assert parse_want_topic(topic) is parse_loan_topic(topic) is None
        assert not Duty().hear(topic, b""), "a plant may be called so"
    assert Duty().hear(want_topic(PLANT, asker), b"")
