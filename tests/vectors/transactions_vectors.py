"""Vectors of transactions: how one is signed, and by which code an envelope is refused.

`python -m tests.vectors.transactions_vectors` writes `transactions.json` anew. Each case is a
transfer with one thing wrong, or at a bound and right; `code` is what a mempool answers whose state
has the sender's nonce and enough of its units. New cases stand behind the old ones.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from ledger.errors.base import BadSignature, LedgerFault
from ledger.primitives.amounts import UNITS_MAX, Units
from ledger.primitives.codec import encode
from ledger.primitives.errors import CodecFault
from ledger.primitives.hashing import Domain, Hash, digest
from ledger.primitives.keys import (
    POLICY_KEYS_MAX,
    Policy,
    Seed,
    SigningKey,
    address_of,
    format_address,
    verify_many,
)
from ledger.state import Overlay
from ledger.state.tables import credit
from ledger.transition import check_transaction, signature_claims
from ledger.types.transaction import Intent, Transaction, decode_transaction, sign
from ledger.types.transfer import REDEMPTIONS_MAX, Redemption, Transfer
from tests.support.ledger.dairy import Dairy, bill, key
from tests.support.ledger.odd_signatures import MISSPELT, OddKey, wider

FILE = Path(__file__).with_name("transactions.json")
HEIGHT: Final = 7
FEE: Final = Units(100)
SEED: Final = Seed(bytes(range(32)))
DAIRY: Final = Dairy()
SIGNER: Final = SigningKey(SEED)
PAYEE: Final = address_of(key("bob").public)
Raws = Iterator[tuple[str, bytes]]


def _intent(policy: Policy, **changes: Any) -> Intent:
    body = Transfer(PAYEE, Units(1_800_000), bytes(range(32)), ())
    plain = Intent(DAIRY.chain_id, policy, 0, FEE, HEIGHT, body)
    return msgspec.structs.replace(plain, **changes)


def _single(**changes: Any) -> Intent:
    return _intent(Policy.single(SIGNER.public), **changes)


RAW: Final = encode(sign(_single(), SIGNER))
"""A good transaction, to be broken."""


def _joint(count: int, threshold: int) -> tuple[Intent, list[SigningKey]]:
    keys = sorted((key(f"joint-{i}") for i in range(count)), key=lambda each: each.public)
    return _intent(Policy(threshold, tuple(each.public for each in keys))), keys


def _signed_in(intent: Intent, places: list[int], keys: list[SigningKey]) -> bytes:
    """Sign at these places, whatever the policy says of them."""
    text = intent.signing_bytes()
    return encode(Transaction(intent, tuple((at, keys[at].sign(text)) for at in places)))


def _holding() -> Raws:
    yield "one key", encode(sign(_single(), SIGNER))
    intent, keys = _joint(3, 2)
    yield "two of three keys, the first and the last", _signed_in(intent, [0, 2], keys)
    intent, keys = _joint(POLICY_KEYS_MAX, POLICY_KEYS_MAX)
    yield "sixteen of sixteen keys", _signed_in(intent, list(range(POLICY_KEYS_MAX)), keys)
    last = _single(valid_until_height=UNITS_MAX)
    yield "valid until height 2^63 - 1", encode(sign(last, SIGNER))


def _of_other_law() -> Raws:
    yield "of another chain", encode(sign(_single(chain_id=bytes(32)), SIGNER))
    yield "valid until the last height", encode(sign(_single(valid_until_height=6), SIGNER))
    yield "a fee that is one unit too low", encode(sign(_single(fee_units=Units(99)), SIGNER))
    intent, keys = _joint(3, 2)
    policy = intent.sender
    turned = msgspec.structs.replace(intent, sender=Policy(2, policy.keys[::-1]))
    yield "keys that descend", _signed_in(turned, [0, 1], keys[::-1])
    twice = msgspec.structs.replace(intent, sender=Policy(2, (policy.keys[0],) * 2))
    yield "a key twice", _signed_in(twice, [0, 1], [keys[0], keys[0]])
    above = msgspec.structs.replace(intent, sender=Policy(4, policy.keys))
    yield "a threshold above the number of keys", _signed_in(above, [0, 1, 2], keys)
    yield "a signature too few", _signed_in(intent, [1], keys)
    yield "a signature too many", _signed_in(intent, [0, 1, 2], keys)
    yield "places that descend", _signed_in(intent, [1, 0], keys)
    yield "a place twice", _signed_in(intent, [1, 1], keys)
    yield "a place that has no key", _signed_in(intent, [1, 3], [*keys, keys[0]])


def _ill_signed() -> Raws:
    good = sign(_single(), SIGNER)
    ((_, signature),) = good.signatures

    def with_signature(other: bytes) -> bytes:
        return encode(msgspec.structs.replace(good, signatures=((0, other),)))

    intent = good.intent
    yield "signed by another", _signed_in(intent, [0], [key("bob")])
    yield "the id signed in place of the text", with_signature(SIGNER.sign(good.id))
    yield "the intent signed without its domain", with_signature(SIGNER.sign(encode(intent)))
    yield "S + L", with_signature(wider(signature))
    small = OddKey.of(SEED).sign(intent.signing_bytes(), nonce=0)
    yield "an R of small order", with_signature(small)
    part = OddKey.of(SEED).sign(intent.signing_bytes(), part=1)
    yield "a small part in R", with_signature(part)


def _oddly_keyed() -> Raws:
    spelling, part = MISSPELT["p + 1"]
    for name, odd in (
        ("a key of small order", OddKey(0, 1)),
        ("a key that is not canonical", OddKey(0, part, spelling)),
        ("a key with a small part that h cancels", OddKey(OddKey.of(SEED).scalar, 1)),
    ):
        intent = _intent(Policy.single(odd.public))
        signature = odd.sign_exactly(intent.signing_bytes())
        yield name, encode(Transaction(intent, ((0, signature),)))


def _change(value: Any, *place: int) -> bytes:
    """Put a value, or what a function makes of the old one, into a good transaction."""
    fields: Any = msgspec.msgpack.decode(RAW)
    at = fields
    for step in place[:-1]:
        at = at[step]
    at[place[-1]] = value(at[place[-1]]) if callable(value) else value
    return msgspec.msgpack.encode(fields)


def _longer(items: list[Any]) -> list[Any]:
    return [*items, None]


def _misshapen() -> Raws:
    """Break the shape of an envelope, a value a time."""
    policy, nonce, fee, until = (0, 1), (0, 2), (0, 3), (0, 4)
    many = [bytes([i]) * 32 for i in range(POLICY_KEYS_MAX + 1)]
    pairs = [[i % POLICY_KEYS_MAX, bytes(64)] for i in range(POLICY_KEYS_MAX + 1)]
    yield "nothing", b""
    yield "a byte behind", RAW + b"\0"
    yield "a threshold of 0", _change(0, *policy, 0)
    yield "a threshold of 17", _change(17, *policy, 0)
    yield "no keys", _change([], *policy, 1)
    yield "17 keys", _change(many, *policy, 1)
    yield "a key of 31 bytes", _change(bytes(31), *policy, 1, 0)
    yield "no signatures", _change([], 1)
    yield "17 signatures", _change(pairs, 1)
    yield "a place of 16", _change(16, 1, 0, 0)
    yield "a signature of 63 bytes", _change(bytes(63), 1, 0, 1)
    yield "signatures as a map", _change(dict, 1)
    yield "a nonce of 2^63", _change(2**63, *nonce)
    yield "a nonce of -1", _change(-1, *nonce)
    yield "a fee of 2^63", _change(2**63, *fee)
    yield "a fee that is a float", _change(100.0, *fee)
    yield "a fee that is text", _change("100", *fee)
    yield "a height of 2^63", _change(2**63, *until)
    yield "a field too many in the intent", _change(_longer, 0)


def _misshapen_bodies() -> Raws:
    """Break the shape of a payment, or the spelling of what is around it."""
    body = (0, 5)
    yield "a body of no kind that there is", _change("transfers", *body, 0)
    yield "a body as a map", _change({}, *body)
    yield "an address of 31 bytes", _change(bytes(31), *body, 1)
    yield "an address as text", _change("0" * 32, *body, 1)
    yield "units of 2^63", _change(2**63, *body, 2)
    yield "a reference of 31 bytes", _change(bytes(31), *body, 3)
    yield "no word of redemption", _change(lambda items: items[:-1], *body)
    yield "a field too many in the body", _change(_longer, *body)
    yield "a redemption of nothing but a lot", _change([[bytes(32)]], *body, 4)
    yield "true for a number", _change(True, *body, 2)
    fee, height = encode(FEE), encode(HEIGHT)
    assert RAW.count(fee + height) == 1, "fee and height stand side by side"
    yield "a fee in two bytes", RAW.replace(fee + height, b"\xcc" + fee + height)
    yield "a key in a longer head", RAW.replace(b"\xc4\x20", b"\xc5\x00\x20", 1)


def _baskets() -> Raws:
    """Redeem: what a basket may be, and what it may not."""
    lots = sorted(stock.lot_id() for stock in DAIRY.genesis.stock)
    full = [Redemption(Hash(bytes([i]) * 32), Units(1)) for i in range(REDEMPTIONS_MAX + 1)]
    for name, basket in (
        ("a basket of two lots", [(lots[0], 1), (lots[1], 1_799_999)]),
        ("lots that descend", [(lots[1], 1), (lots[0], 1)]),
        ("a lot twice", [(lots[0], 1), (lots[0], 1)]),
        ("a redemption of no units", [(lots[0], 1), (lots[1], 0)]),
        ("a basket of more than is paid", [(lots[0], 1), (lots[1], 1_800_000)]),
        ("a basket with a lot that is not there", [(bytes(32), 1), (lots[0], 1)]),
        ("the largest units, twice", [(lots[0], UNITS_MAX), (lots[1], UNITS_MAX)]),
    ):
        redeem = tuple(Redemption(lot, Units(units)) for lot, units in basket)
        body = msgspec.structs.replace(_single().body, redeem=redeem)
        yield name, encode(sign(_single(body=body), SIGNER))
    for count in (REDEMPTIONS_MAX, REDEMPTIONS_MAX + 1):
        body = msgspec.structs.replace(_single().body, redeem=tuple(full[:count]))
        yield f"a basket of {count}", encode(sign(_single(body=body), SIGNER))
    yield "no basket but nil", _change(None, 0, 5, 4)
    yield "a redemption that stands in no basket", _change([lots[0], 1], 0, 5, 4)


def _judge(raw: bytes) -> str:
    """Give the code that a mempool answers, empty if it would take the transaction in."""
    try:
        transaction = decode_transaction(raw)
    except CodecFault:
        return "malformed"
    state = Overlay(DAIRY.state())
    credit(state, transaction.sender, bill(10))
    try:
        check_transaction(state, transaction, HEIGHT, transaction.intent.nonce)
        claims = signature_claims(transaction, DAIRY.chain_id)
    except LedgerFault as fault:
        return fault.code
    return "" if all(verify_many(claims)) else BadSignature.code


def _cases() -> Iterator[dict[str, str]]:
    groups = (
        _holding, _of_other_law, _ill_signed, _oddly_keyed, _misshapen, _misshapen_bodies, _baskets,
    )  # fmt: skip
    for name, raw in (case for group in groups for case in group()):
        code = _judge(raw)
        txid = "" if code == "malformed" else decode_transaction(raw).id.hex()
        yield {"name": name, "raw": raw.hex(), "id": txid, "code": code}


def build() -> dict[str, Any]:
    """Compute every vector."""
    intent = _single()
    transaction = sign(intent, SIGNER)
    sender = transaction.sender
    return {
        "signing": {
            "seed": SEED.hex(),
            "public_key": SIGNER.public.hex(),
            "sender": sender.hex(),
            "sender_text": format_address(sender, "dbill"),
            "intent": encode(intent).hex(),
            "signed_text": (Domain.TRANSACTION.value + encode(intent)).hex(),
            "signature": transaction.signatures[0][1].hex(),
            "transaction": encode(transaction).hex(),
            "id": digest(Domain.TRANSACTION, encode(intent)).hex(),
        },
        "chain_id": DAIRY.chain_id.hex(),
        "next_height": HEIGHT,
        "fee_least_units": DAIRY.genesis.parameters.fee_least_units,
        "cases": list(_cases()),
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(build(), indent=1) + "\n")
