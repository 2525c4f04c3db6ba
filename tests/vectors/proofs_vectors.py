"""Test vectors of finality proofs: good ones, and broken ones with the code that they are told by.

`python -m tests.vectors.proofs_vectors` writes `proofs.json` anew. A change of the good ones is a
change of the format: it needs a new tag, and a line in the change log.
"""

import json
from pathlib import Path

import msgspec

from ledger.primitives.codec import encode
from ledger.types.transfer import Transfer
from node.lightclient import PROOF_BYTES_MAX, errors, find_fork, format_anchor, verify_proof
from node.lightclient.verifying import CLOCK_DRIFT_MS, TRUSTING_MS
from tests.support.lightclient.broken_proofs import BROKEN, ODDLY_SIGNED
from tests.support.lightclient.odd_proofs import (
    COUNTER_MAX,
    joint_chain,
    misspelt_chain,
    small_order_chain,
    wide_chain,
)
from tests.support.lightclient.proof_chain import START_MS, grown

replace = msgspec.structs.replace
FILE = Path(__file__).with_name("proofs.json")
NOW_MS = START_MS + 60_000
ANCHORS = {"epoch 0": 0, "epoch 2": 2}
GOOD = [
    ("a block with one payment", {"height": 1}, "epoch 0"),
    ("the middle of three", {"height": 3, "index": 1}, "epoch 0"),
    ("a payment that failed", {"height": 3, "index": 2}, "epoch 0"),
    ("three blocks below the final one", {"height": 1, "head": 4}, "epoch 0"),
    ("the last of five: it rises without a sibling", {"height": 5, "index": 4}, "epoch 0"),
    ("over three epochs", {"height": 13, "index": 12}, "epoch 0"),
    ("two epochs from a newer anchor", {"height": 13, "index": 6, "start": 2}, "epoch 2"),
    ("links below the anchor are passed over", {"height": 9, "index": 2}, "epoch 2"),
]


ODD_CHAINS = {
    "the largest numbers": wide_chain,
    "two of three keys": joint_chain,
    "a key of small order": small_order_chain,
    "a key that is not canonical": misspelt_chain,
}
"""Chains of one block, each with an anchor of its own."""


def _good(chain, name, place, anchor):
    return show_proven(name, encode(chain.proof(**place)), anchor, chain.anchor(ANCHORS[anchor]))


def show_proven(name, raw, anchor, trusted, now_ms=NOW_MS):
    """Verify a proof; make a vector of it and of what it proves."""
    proven = verify_proof(raw, trusted, now_ms)
    return {
        "name": name,
        "anchor": anchor,
        "now_ms": now_ms,
        "proof": raw.hex(),
        "proven": {
            "txid": proven.txid.hex(),
            "sender": proven.transaction.sender.hex(),
            **_show_body(proven.transaction.intent.body),
            "code": proven.receipt.code,
            "fee_units": proven.receipt.fee_units,
            "height": proven.block.height,
            "block_hash": proven.block_hash.hex(),
            "time_ms": proven.block.time_ms,
            "final_height": proven.final_headers[-1].header.height,
        },
        "next_anchor": json.loads(format_anchor(proven.anchor)),
    }


def _show_body(body):
    if not isinstance(body, Transfer):
        return {"kind": body.__struct_config__.tag}
    return {"to": body.to.hex(), "units": body.units, "reference": body.reference.hex()}


def _misspelt(chain):
    """Break the spelling of one proof: the value is the same, the bytes are not."""
    raw = encode(chain.proof(1))
    fields = msgspec.msgpack.decode(raw)
    long_count = b"\xdc\x00\x0a" + raw[1:]
    wide_integer = raw[:-2] + b"\xcd\x00" + raw[-2:-1] + raw[-1:]
    assert raw[-2:] == b"\x64\x90", "a proof of one payment ends in its fee and no steps"
    return {
        "nothing": b"",
        "a byte too many": raw + b"\0",
        "a byte too few": raw[:-1],
        "an array with a longer head": long_count,
        "an integer that is wider than it need be": wide_integer,
        "another tag": msgspec.msgpack.encode(["billcoin-proof-2", *fields[1:]]),
        "a field too many": msgspec.msgpack.encode([*fields, 0]),
        "a field too few": msgspec.msgpack.encode(fields[:-1]),
        "a short hash": msgspec.msgpack.encode([fields[0], bytes(31), *fields[2:]]),
        "text for bytes": msgspec.msgpack.encode([fields[0], "0" * 32, *fields[2:]]),
        "a map": msgspec.msgpack.encode(dict(enumerate(fields))),
    }


def _broken(chain):
    for name, raw in _misspelt(chain).items():
        yield name, raw, "epoch 0", NOW_MS, "bad_encoding"
    for breaker, fault in BROKEN:
        raw = encode(breaker(chain))
        yield breaker.__name__.replace("_", " "), raw, "epoch 0", NOW_MS, fault.code
    raw = encode(chain.proof(3))
    expired_ms = chain.anchor().time_ms + TRUSTING_MS + 1
    yield "an anchor that is too old", raw, "epoch 0", expired_ms, "anchor_expired"
    yield "a block before the anchor", raw, "epoch 2", NOW_MS, "before_anchor"
    early_ms = chain.header(3).time_ms - CLOCK_DRIFT_MS - 1
    yield "a block from the future", raw, "epoch 0", early_ms, "future_block"


def _also_good(chain):
    """Good proofs that joined the vectors later."""
    for anchor in ("the largest numbers", "two of three keys"):
        odd = ODD_CHAINS[anchor]()
        yield show_proven(anchor, encode(odd.proof(1)), anchor, odd.anchor())
    raw = encode(_with_unsigned_link(chain.proof(9, 2)))
    name = "a link that is passed over, and would not hold"
    yield show_proven(name, raw, "epoch 2", chain.anchor(2))


def _with_unsigned_link(proof):
    """Take the signatures of the first link away, all but their shape."""
    first, *others = proof.links
    unsigned = tuple((member, bytes(64)) for member, _ in first.finalization.votes)
    finalization = replace(first.finalization, votes=unsigned)
    return replace(proof, links=(replace(first, finalization=finalization), *others))


def _misshapen(chain):
    """Break the shape of one proof, a value a time; the bytes stay canonical but for the last."""
    raw = encode(chain.proof(9, 2))

    def changed(value, *place):
        fields = msgspec.msgpack.decode(raw)
        at = fields
        for step in place[:-1]:
            at = at[step]
        at[place[-1]] = value
        return msgspec.msgpack.encode(fields)

    of_header, of_certificate, of_receipt = 3, 4, 8
    time = encode(chain.header(9).time_ms)
    assert time[0] == 0xCF, "a time in milliseconds takes 8 bytes"
    return {
        "kind 0": changed(0, of_certificate, 1, 0),
        "kind 4": changed(4, of_certificate, 1, 0),
        "a counter above 2^53": changed(COUNTER_MAX + 1, of_header, 2),
        "a negative counter": changed(-1, of_header, 2),
        "a height above 2^63 - 1": changed(2**63, of_header, 3),
        "a time that is a float": changed(1.76e12, of_header, 6),
        "a member of 128": changed(128, of_certificate, 2, 0, 0),
        "no votes": changed([], of_certificate, 2),
        "a seat without stake": changed(0, 2, 0, 2, 0, 2),
        "a seat with more stake than there is": changed(2**63, 2, 0, 2, 0, 2),
        "no seats": changed([], 2, 0, 2),
        "a side that is a number": changed(1, 7, 0, 0),
        "nil for a code": changed(None, of_receipt, 1),
        "bytes for a code": changed(b"", of_receipt, 1),
        "a code of 65 characters": changed("m" * 65, of_receipt, 1),
        "a fee above 2^63 - 1": changed(2**63, of_receipt, 2),
        "a VRF proof of 81 bytes": changed(bytes(81), of_header, 14),
        "a link that is passed over, and is none": changed([], 2, 0),
        "text that is not UTF-8": raw.replace(b"insufficient", b"insuff\xffcient"),
        "text with half of a surrogate pair": raw.replace(
            b"insufficient", b"insuf\xed\xa0\x80ient"
        ),
        "a positive integer in a signed format": raw.replace(time, b"\xd3" + time[1:]),
    }


def _also_broken(chain):
    """Broken proofs that joined the vectors later: name, bytes, anchor, code."""
    for breaker, fault in ODDLY_SIGNED:
        yield breaker.__name__.replace("_", " "), encode(breaker(chain)), "epoch 0", fault.code
    for anchor in ("a key of small order", "a key that is not canonical"):
        yield anchor, encode(ODD_CHAINS[anchor]().proof(1)), anchor, "wrong_signature"
    for name, raw in _misshapen(chain).items():
        yield name, raw, "epoch 2", "bad_encoding"


def _bad_anchors(chain):
    """Texts that are no anchors, though some readers of JSON take them for one."""
    good = format_anchor(chain.anchor())

    def changed(old, new):
        assert old in good
        return good.replace(old, new, 1)

    key = chain.keys(0)[0].public.hex()
    turned = json.loads(good)
    turned["validators"].reverse()
    doubled = json.loads(good)
    doubled["validators"].insert(0, doubled["validators"][0])
    return {
        "a field twice": changed('"epoch": 0', '"epoch": 0, "epoch": 0'),
        "a field twice, once escaped": changed('"epoch": 0', r'"epoch": 0, "epo\u0063h": 0'),
        "a field too many": changed('"epoch": 0', '"epoch": 0, "view": 0'),
        "a field too few": changed('"epoch": 0,', ""),
        "a number with a point": changed('"epoch": 0', '"epoch": 0.0'),
        "a number with an exponent": changed('"epoch": 0', '"epoch": 0e0'),
        "a number as text": changed('"epoch": 0', '"epoch": "0"'),
        "true for a number": changed('"epoch": 0', '"epoch": true'),
        "a negative number": changed('"epoch": 0', '"epoch": -1'),
        "an epoch above 2^53": changed('"epoch": 0', '"epoch": 9007199254740993'),
        "a stake of nothing": changed('"stake_units": 5', '"stake_units": 0'),
        "a stake above 2^63 - 1": changed('"stake_units": 5', '"stake_units": 9223372036854775808'),
        "capitals in a key": changed(key, key.upper()),
        "a key that is too short": changed(key, key[:-2]),
        "a blank in a key": changed(key, key[:-1] + " "),
        "a prefix with a digit": changed('"dbill"', '"dbill1"'),
        "validators out of order": json.dumps(turned),
        "a validator twice": json.dumps(doubled),
        "no validators": json.dumps({**json.loads(good), "validators": []}),
        "a byte order mark": "\ufeff" + good,
        "something behind": good + "{}",
        "a comma too many": changed('"epoch": 0,', '"epoch": 0,,'),
        "nothing": "",
        "a list": "[]",
        "a genesis that is none": '{"parameters": {}}',
    }


def _fork(chain, other, one_place, other_place):
    one, two = encode(chain.proof(**one_place)), encode(other.proof(**other_place))
    fork = find_fork(one, two, chain.anchor(), NOW_MS)
    return {
        "anchor": "epoch 0",
        "now_ms": NOW_MS,
        "one": one.hex(),
        "other": two.hex(),
        "height": None if fork is None else fork.height,
        "signers": [] if fork is None else [key.hex() for key in fork.signers],
        "slashable": [] if fork is None else [double.key.hex() for double in fork.evidence],
    }


def build():
    """Compute every vector."""
    chain, other = grown(), grown(branch=1)
    broken = [
        {"name": name, "anchor": anchor, "now_ms": now_ms, "proof": raw.hex(), "code": code}
        for name, raw, anchor, now_ms, code in _broken(chain)
    ]
    tree = [fault.code for fault in _leaves(errors.ProofFault)]
    assert {each["code"] for each in broken} == set(tree) - {"bad_anchor"}
    # Behind the others, so that what was there keeps its place.
    broken += [
        {"name": name, "anchor": anchor, "now_ms": NOW_MS, "proof": raw.hex(), "code": code}
        for name, raw, anchor, code in _also_broken(chain)
    ]
    odd_anchors = {name: make().anchor() for name, make in ODD_CHAINS.items()}
    anchors = {name: chain.anchor(epoch) for name, epoch in ANCHORS.items()} | odd_anchors
    return {
        "trusting_ms": TRUSTING_MS,
        "clock_drift_ms": CLOCK_DRIFT_MS,
        "proof_bytes_max": PROOF_BYTES_MAX,
        "anchors": {name: json.loads(format_anchor(anchor)) for name, anchor in anchors.items()},
        "good": [*(_good(chain, *each) for each in GOOD), *_also_good(chain)],
        "broken": broken,
        "forks": [
            _fork(chain, other, {"height": 3}, {"height": 3}),
            _fork(chain, other, {"height": 1, "head": 3}, {"height": 1, "head": 4}),
            _fork(chain, other, {"height": 6}, {"height": 9}),
            _fork(chain, chain, {"height": 3, "head": 4}, {"height": 6}),
        ],
        "bad_anchors": [{"name": name, "text": text} for name, text in _bad_anchors(chain).items()],
    }


def _leaves(fault):
    subs = fault.__subclasses__()
    return [leaf for sub in subs for leaf in _leaves(sub)] if subs else [fault]


if __name__ == "__main__":
    FILE.write_text(json.dumps(build(), indent=1) + "\n")
