"""Test vectors of finality proofs: good ones, and broken ones with the code that they are told by.

`python -m tests.vectors.proofs_vectors` writes `proofs.json` anew. A change of the good ones is a
change of the format: it needs a new tag, and a line in the change log.
"""

import json
from pathlib import Path

import msgspec

from ledger.primitives.codec import encode
from node.lightclient import PROOF_BYTES_MAX, errors, find_fork, format_anchor, verify_proof
from node.lightclient.verifying import CLOCK_DRIFT_MS, TRUSTING_MS
from tests.support.lightclient.broken_proofs import BROKEN
from tests.support.lightclient.proof_chain import START_MS, grown

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


def _good(chain, name, place, anchor):
    raw = encode(chain.proof(**place))
    proven = verify_proof(raw, chain.anchor(ANCHORS[anchor]), NOW_MS)
    body = proven.transaction.intent.body
    return {
        "name": name,
        "anchor": anchor,
        "now_ms": NOW_MS,
        "proof": raw.hex(),
        "proven": {
            "txid": proven.txid.hex(),
            "sender": proven.transaction.sender.hex(),
            "to": body.to.hex(),
            "units": body.units,
            "reference": body.reference.hex(),
            "code": proven.receipt.code,
            "fee_units": proven.receipt.fee_units,
            "height": proven.block.height,
            "block_hash": proven.block_hash.hex(),
            "time_ms": proven.block.time_ms,
            "final_height": proven.final_headers[-1].header.height,
        },
        "next_anchor": json.loads(format_anchor(proven.anchor)),
    }


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
    return {
        "trusting_ms": TRUSTING_MS,
        "clock_drift_ms": CLOCK_DRIFT_MS,
        "proof_bytes_max": PROOF_BYTES_MAX,
        "anchors": {
            name: json.loads(format_anchor(chain.anchor(epoch))) for name, epoch in ANCHORS.items()
        },
        "good": [_good(chain, *each) for each in GOOD],
        "broken": broken,
        "forks": [
            _fork(chain, other, {"height": 3}, {"height": 3}),
            _fork(chain, other, {"height": 1, "head": 3}, {"height": 1, "head": 4}),
            _fork(chain, other, {"height": 6}, {"height": 9}),
            _fork(chain, chain, {"height": 3, "head": 4}, {"height": 6}),
        ],
    }


def _leaves(fault):
    subs = fault.__subclasses__()
    return [leaf for sub in subs for leaf in _leaves(sub)] if subs else [fault]


if __name__ == "__main__":
    FILE.write_text(json.dumps(build(), indent=1) + "\n")
