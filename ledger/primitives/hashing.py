"""Domain-separated hashing: BLAKE2b with 32 bytes of output over `domain || parts`.

Each use has a domain of its own, so that no hash of one kind can be passed off as another.
No domain is a prefix of another. The parts are concatenated as they are: callers pass fixed
lengths, or one variable part at the end.
"""

from enum import Enum
from hashlib import blake2b
from typing import Annotated, Final, NewType

from msgspec import Meta

Hash = NewType("Hash", bytes)
"""Thirty-two bytes that name something."""

HASH_BYTES: Final = 32
WireHash = Annotated[Hash, Meta(min_length=HASH_BYTES, max_length=HASH_BYTES)]
"""`Hash` as a field of a wire struct: its length is checked when decoded."""

ZERO_HASH: Final = Hash(bytes(HASH_BYTES))


class Domain(Enum):
    """What a hash or a signature is about. Part of the protocol: never change, only add."""

    ADDRESS = b"BILLCOIN/address/1"
    TRANSACTION = b"BILLCOIN/tx/1"
    BLOCK = b"BILLCOIN/block/1"
    GENESIS = b"BILLCOIN/genesis/1"
    VOTE = b"BILLCOIN/vote/1"
    COMMITTEE = b"BILLCOIN/committee/1"
    SEED = b"BILLCOIN/seed/1"
    SCHEDULE = b"BILLCOIN/schedule/1"
    READING = b"BILLCOIN/reading/2"
    ENVELOPE = b"BILLCOIN/envelope/1"
    STOCK = b"BILLCOIN/stock/1"
    MODULE = b"BILLCOIN/module/1"
    RECEIPT = b"BILLCOIN/receipt/1"
    STATE = b"BILLCOIN/state/1"
    MERKLE_LEAF = b"BILLCOIN/leaf/1"
    MERKLE_NODE = b"BILLCOIN/node/1"
    ACKNOWLEDGEMENT = b"BILLCOIN/ack/2"
    POSSESSION = b"BILLCOIN/possession/1"
    TANK = b"BILLCOIN/tank/1"
    PRODUCT = b"BILLCOIN/product/1"
    OFFER = b"BILLCOIN/offer/1"
    DEAL = b"BILLCOIN/deal/1"
    MANDATE = b"BILLCOIN/mandate/1"
    LINE = b"BILLCOIN/line/1"
    PLANT = b"BILLCOIN/plant/1"
    WINDOW = b"BILLCOIN/window/1"
    WITNESS = b"BILLCOIN/witness/1"
    REFUSAL = b"BILLCOIN/refusal/1"
    LEASE = b"BILLCOIN/lease/1"
    COPY = b"BILLCOIN/copy/1"
    ASKING = b"BILLCOIN/ask/1"
    WANT = b"BILLCOIN/want/1"
    LOAN = b"BILLCOIN/loan/1"


def digest(domain: Domain, *parts: bytes) -> Hash:
    """Hash the parts under a domain."""
    return Hash(blake2b(domain.value + b"".join(parts), digest_size=HASH_BYTES).digest())
