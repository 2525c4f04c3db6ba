"""Topics and receipts: what device and gateway say to each other, and what neither takes."""

import pytest
from msgspec.structs import replace

from iot_minting.errors import BadLease, BadReceipt, WrongTopic
from iot_minting.wire.leases import Lease, read_lease, sign_lease
from iot_minting.wire.receipts import (
    SettledEnvelope,
    read_copy,
    read_receipt,
    sign_copy,
    sign_receipt,
)
from iot_minting.wire.topics import (
    copy_topic,
    lease_topic,
    parse_copy_topic,
    parse_lease_topic,
    parse_topic,
    readings_filter,
    readings_topic,
    receipt_topic,
    state_topic,
)
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash
from tests.support.ledger.dairy import key

CHAIN = Hash(b"\x09" * 32)
DEVICE = key("device").public


def test_a_topic_reads_back_as_its_place():
    assert parse_topic(readings_topic("p", "l", DEVICE)) == ("p", "l", DEVICE)
    assert readings_filter("p") == "bc/v1/p/+/+/r"
    assert readings_filter() == "bc/v1/+/+/+/r"


@pytest.mark.parametrize(
    "topic",
    [
        "",
        state_topic("p", "l", DEVICE),
        "bc/v1/p/l/xyz/r",
        receipt_topic(DEVICE),
        f"bc/v1/p/q/l/{DEVICE.hex()}/r",
    ],
)
def test_a_foreign_topic_is_refused(topic):
    with pytest.raises(WrongTopic):
        parse_topic(topic)


def test_topics_of_leases_and_copies_read_back_and_no_others_do():
    ingest = key("ingest").public
    assert parse_lease_topic(lease_topic("p")) == "p"
    assert parse_copy_topic(copy_topic("p", ingest, DEVICE)) == (ingest, DEVICE)
    for topic in (readings_topic("p", "l", DEVICE), receipt_topic(DEVICE), "bc/v1/lease/p/q"):
        assert parse_lease_topic(topic) is None
        assert parse_copy_topic(topic) is None


def test_only_an_ingests_own_receipt_for_this_device_and_chain_counts():
    ingest, standby = key("ingest"), key("standby")
    settled = SettledEnvelope(3, 9, Hash(b"\x07" * 32))
    raw = encode(sign_receipt(CHAIN, ingest, DEVICE, settled))
    known = (standby.public, ingest.public)
    assert read_receipt(raw, CHAIN, known, DEVICE).settled == settled
    other = encode(replace(sign_receipt(CHAIN, ingest, DEVICE, settled), digest=bytes(32)))
    copy = encode(sign_copy(CHAIN, ingest, DEVICE, settled))
    for bad in (
        (raw, Hash(bytes(32)), known, DEVICE),
        (raw, CHAIN, (standby.public,), DEVICE),
        (raw, CHAIN, (), DEVICE),
        (raw, CHAIN, known, key("other").public),
        (other, CHAIN, known, DEVICE),
        (copy, CHAIN, known, DEVICE),
        (raw[:-1], CHAIN, known, DEVICE),
        (b"", CHAIN, known, DEVICE),
    ):
        with pytest.raises(BadReceipt):
            read_receipt(*bad)


def test_a_copy_is_told_by_its_gateway_alone_and_a_receipt_is_none():
    ingest, settled = key("ingest"), SettledEnvelope(3, 9, Hash(b"\x07" * 32))
    raw = encode(sign_copy(CHAIN, ingest, DEVICE, settled))
    assert read_copy(raw, CHAIN, ingest.public, DEVICE).settled == settled
    receipt = encode(sign_receipt(CHAIN, ingest, DEVICE, settled))
    for bad in ((receipt, ingest.public), (raw, key("standby").public)):
        with pytest.raises(BadReceipt):
            read_copy(bad[0], CHAIN, bad[1], DEVICE)


def test_a_lease_is_the_mmus_word_for_one_plant_and_chain():
    mmu, lease = key("mmu"), Lease(4, key("ingest").public, 77)
    signed = sign_lease(CHAIN, mmu, "p", lease)
    raw = encode(signed)
    assert read_lease(raw, CHAIN, mmu.public, "p") == lease
    for bad in (
        (raw, Hash(bytes(32)), mmu.public, "p"),
        (raw, CHAIN, key("other").public, "p"),
        (raw, CHAIN, mmu.public, "q"),
        (encode(replace(signed, term=5)), CHAIN, mmu.public, "p"),
        (encode(replace(signed, until_ms=78)), CHAIN, mmu.public, "p"),
        (encode(replace(signed, holder=DEVICE)), CHAIN, mmu.public, "p"),
        (raw[:-1], CHAIN, mmu.public, "p"),
    ):
        with pytest.raises(BadLease):
            read_lease(*bad)
