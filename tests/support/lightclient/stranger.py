"""A verifier of finality proofs that knows docs/spec/proofs.md and nothing else.

It shares no code with the product: hashlib, PyNaCl and msgpack only. If it and the product ever
disagree about a vector, the text is incomplete or one of the two is wrong.
"""

from hashlib import blake2b
from itertools import pairwise

import msgpack
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

U53, U63 = 2**53, 2**63 - 1


class Refused(Exception):
    """Nothing is proven; the argument is the code."""


def require(condition, code):
    if not condition:
        raise Refused(code)


def hashed(domain, *parts):
    return blake2b(f"BILLCOIN/{domain}/1".encode() + b"".join(parts), digest_size=32).digest()


def packed(value):
    return msgpack.packb(value, use_bin_type=True)


# Section 2: shapes. Each raises Refused("bad_encoding") for anything else.


def whole(value, most, least=0):
    require(type(value) is int and least <= value <= most, "bad_encoding")


def raw(value, most, least=0):
    require(type(value) is bytes and least <= len(value) <= most, "bad_encoding")


def array(value, most, least=0):
    require(type(value) is list and least <= len(value) <= most, "bad_encoding")


def hash32(value):
    raw(value, 32, 32)


def header_shape(value):
    array(value, 15, 15)
    for place in (0, 5, 7, 8, 9, 10, 11, 12, 13):
        hash32(value[place])
    for place in (1, 2, 4, 6):
        whole(value[place], U53)
    whole(value[3], U63)
    raw(value[14], 80)


def certificate_shape(value):
    array(value, 3, 3)
    require(value[0] == "cert", "bad_encoding")
    array(value[1], 5, 5)
    whole(value[1][0], 3, 1)
    for place in (1, 2, 3):
        whole(value[1][place], U53)
    hash32(value[1][4])
    array(value[2], 128, 1)
    for vote in value[2]:
        array(vote, 2, 2)
        whole(vote[0], 127)
        raw(vote[1], 64, 64)


def link_shape(value):
    array(value, 3, 3)
    header_shape(value[0])
    certificate_shape(value[1])
    array(value[2], 128, 1)
    for seat in value[2]:
        array(seat, 3, 3)
        hash32(seat[0])
        hash32(seat[1])
        whole(seat[2], U63, 1)


def steps_shape(value):
    array(value, 16)
    for step in value:
        array(step, 2, 2)
        require(type(step[0]) is bool, "bad_encoding")
        hash32(step[1])


def decoded(data):
    require(len(data) <= 4_194_304, "bad_encoding")
    try:
        value = msgpack.unpackb(data, raw=False, strict_map_key=False)
        require(packed(value) == data, "bad_encoding")
    except (ValueError, TypeError, OverflowError, msgpack.UnpackException) as error:
        raise Refused("bad_encoding") from error
    array(value, 10, 10)
    require(value[0] == "billcoin-proof-1", "bad_encoding")
    hash32(value[1])
    array(value[2], 256)
    for link in value[2]:
        link_shape(link)
    header_shape(value[3])
    certificate_shape(value[4])
    array(value[5], 128)
    for header in value[5]:
        header_shape(header)
    raw(value[6], 65_536)
    steps_shape(value[7])
    array(value[8], 3, 3)
    hash32(value[8][0])
    require(type(value[8][1]) is str and len(value[8][1]) <= 64, "bad_encoding")
    whole(value[8][2], U63)
    steps_shape(value[9])
    return value[1:]


# Section 3.


def block_hash(header):
    return hashed("block", packed(header))


def root_above(data, steps):
    node = hashed("leaf", data)
    for left, sibling in steps:
        node = hashed("node", sibling, node) if left else hashed("node", node, sibling)
    return node


def vote_text(chain_id, subject):
    kind, epoch, view, parent_view, block = subject
    counters = b"".join(number.to_bytes(8, "big") for number in (epoch, view, parent_view))
    text = b"BILLCOIN/vote/1" + chain_id + bytes([kind]) + counters + block
    assert len(text) == 104
    return text


# Section 5.


def check_final(header, certificate, seats, chain_id):
    _, subject, votes = certificate
    kind, epoch, view, parent_view, block = subject
    require(header[0] == chain_id, "other_chain")
    require(header[11] == hashed("committee", packed(seats)), "wrong_committee")
    require(kind == 3, "not_finalization")
    require(block == block_hash(header), "other_block")
    same = (view, parent_view) == (header[2], header[4])
    fits = epoch == header[1] and parent_view < view and (same or view > header[2])
    require(fits, "wrong_view")
    members = [member for member, _ in votes]
    ascending = all(a < b for a, b in pairwise(members))
    require(ascending and members[-1] < len(seats), "bad_members")
    total, stakes = sum(seat[2] for seat in seats), [seats[member][2] for member in members]
    quorum = 2 * total // 3 + 1
    require(sum(stakes) >= quorum, "no_quorum")
    require(sum(stakes) - min(stakes) < quorum, "surplus_votes")
    for member, signature in votes:
        try:
            VerifyKey(seats[member][0]).verify(vote_text(chain_id, subject), signature)
        except (BadSignatureError, ValueError) as error:
            raise Refused("wrong_signature") from error


def read_anchor(file):
    seats = [
        [bytes.fromhex(v["vote_key"]), bytes.fromhex(v["vrf_key"]), v["stake_units"]]
        for v in file["validators"]
    ]
    return bytes.fromhex(file["chain_id"]), file["epoch"], file["time_ms"], seats


def verify(data, anchor_file, now_ms, trusting_ms):
    """Give what a proof proves and the next anchor's (epoch, time, seats); or raise Refused."""
    chain_id, first, anchor_ms, seats = read_anchor(anchor_file)
    proof = decoded(data)
    of_chain, links, header, finalization, path, transaction, steps, receipt, receipt_steps = proof
    require(now_ms <= anchor_ms + trusting_ms, "anchor_expired")
    require(of_chain == chain_id, "other_chain")
    require(header[1] >= first, "before_anchor")
    epoch = first
    for at, certificate, following in links:
        if at[1] < first:
            continue
        require(at[1] == epoch, "missing_link")
        check_final(at, certificate, seats, chain_id)
        keys = [seat[0] for seat in following]
        require(keys == sorted(set(keys)), "bad_committee")
        require(at[12] == hashed("committee", packed(following)), "wrong_next_committee")
        seats, epoch = following, epoch + 1
    require(header[1] == epoch, "missing_link")
    check_final(header, finalization, seats, chain_id)
    require(header[6] <= now_ms + 600_000, "future_block")
    block = header
    for parent in path:
        require(parent[0] == chain_id, "other_chain")
        leads = block_hash(parent) == block[5] and parent[3] == block[3] - 1
        require(leads, "broken_path")
        block = parent
    require(root_above(transaction, steps) == block[8], "transaction_not_included")
    require(root_above(packed(receipt), receipt_steps) == block[9], "receipt_not_included")
    proven = read_payment(transaction)
    require(receipt[0] == proven["txid"], "other_receipt")
    proven |= {"code": receipt[1], "fee_units": receipt[2], "height": block[3]}
    proven |= {"block_hash": block_hash(block), "time_ms": block[6], "final_height": header[3]}
    time_ms = max(header[6], anchor_ms) if header[1] == first else header[6]
    return proven, (epoch, time_ms, seats)


def read_payment(data):
    """Read a transfer (section 2.5); other kinds are none of this verifier's business."""
    try:
        intent, signatures = msgpack.unpackb(data, raw=False)
        _, (threshold, keys), _, _, _, (kind, to, units, reference, _) = intent
        require(kind == "transfer", "bad_transaction")
        whole(threshold, 16, 1)
        array(keys, 16, 1)
        array(signatures, 16, 1)
    except (ValueError, TypeError, msgpack.UnpackException, Refused) as error:
        raise Refused("bad_transaction") from error
    sender = hashed("address", bytes([threshold, len(keys)]), *keys)
    txid = hashed("tx", packed(intent))
    return {"txid": txid, "sender": sender, "to": to, "units": units, "reference": reference}
