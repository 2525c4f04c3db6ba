"""Topics and receipts: what device and gateway say to each other, and what neither takes."""

import pytest
from msgspec.structs import replace

from iot_minting.errors import BadReceipt, WrongTopic
from iot_minting.wire.receipts import SettledEnvelope, read_receipt, sign_receipt
from iot_minting.wire.topics import (
    parse_topic,
    readings_topic,
    receipt_topic,
    shared_filter,
    state_topic,
)
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash
from tests.support.ledger.dairy import key

CHAIN = Hash(b"\x09" * 32)
DEVICE = key("device").public


def test_a_topic_reads_back_as_its_place():
    assert parse_topic(readings_topic("p", "l", DEVICE)) == ("p", "l", DEVICE)
    assert shared_filter("mmu") == "$share/mmu/bc/v1/+/+/+/r"
    assert shared_filter("") == "bc/v1/+/+/+/r"


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


def test_only_the_ingests_own_receipt_for_this_device_and_chain_counts():
    ingest = key("ingest")
    settled = SettledEnvelope(3, 9, Hash(b"\x07" * 32))
    signed = sign_receipt(CHAIN, ingest, DEVICE, settled)
    raw = encode(signed)
    assert read_receipt(raw, CHAIN, ingest.public, DEVICE).settled == settled
    other = encode(replace(signed, digest=bytes(32)))
    for bad in (
        (raw, Hash(bytes(32)), ingest.public, DEVICE),
        (raw, CHAIN, key("other").public, DEVICE),
        (raw, CHAIN, ingest.public, key("other").public),
        (other, CHAIN, ingest.public, DEVICE),
        (raw[:-1], CHAIN, ingest.public, DEVICE),
        (b"", CHAIN, ingest.public, DEVICE),
    ):
        with pytest.raises(BadReceipt):
            read_receipt(*bad)
