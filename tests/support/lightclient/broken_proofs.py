"""Ways to break a proof, each with the fault that it must be told by. Each takes a grown chain."""

from hashlib import sha512

import msgspec
import nacl.bindings as sodium

from ledger.primitives.codec import encode
from ledger.primitives.votes import VoteKind
from ledger.types.block import Receipt
from node.lightclient import errors
from tests.support.lightclient.proof_chain import CHAIN_ID, ProofChain, payment

replace = msgspec.structs.replace
ORDER = 2**252 + 27742317777372353535851937790883648493
ORDER_EIGHT = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")


def other_chain(chain):
    return replace(chain.proof(1), chain_id=bytes(32))


def header_of_another_chain(chain):
    header = replace(chain.header(1), chain_id=bytes(32))
    return replace(chain.proof(1), header=header)


def path_of_another_chain(chain):
    proof = chain.proof(1, head=2)
    return replace(proof, path=(replace(proof.path[0], chain_id=bytes(32)),))


def no_links(chain):
    return replace(chain.proof(9), links=())


def missing_link(chain):
    return replace(chain.proof(9), links=chain.proof(9).links[1:])


def link_too_many(chain):
    return replace(chain.proof(4), links=(chain.link(0),))


def swapped_seats(chain):
    link = chain.link(0)
    return replace(chain.proof(5), links=(replace(link, seats=link.seats[::-1]),))


def more_stake(chain):
    link = chain.link(0)
    seats = (replace(link.seats[0], stake=999), *link.seats[1:])
    return replace(chain.proof(5), links=(replace(link, seats=seats),))


def another_committee(chain):
    header = replace(chain.header(1), committee_hash=bytes(32))
    return replace(chain.proof(1), header=header)


def notarized_only(chain):
    return replace(chain.proof(1), finalization=chain.certify(1, kind=VoteKind.NOTARIZE))


def anothers_votes(chain):
    return replace(chain.proof(2), finalization=chain.certify(1))


def votes(name, **fields):
    """Make a breaker that finalizes block 2 otherwise."""

    def broken(chain):
        return replace(chain.proof(2), finalization=chain.certify(2, **fields))

    broken.__name__ = name
    return broken


def forged(chain):
    certificate = chain.certify(2)
    (member, _), *others = certificate.votes
    forgery = replace(certificate, votes=((member, bytes(64)), *others))
    return replace(chain.proof(2), finalization=forgery)


def small_part_in_a_signature(chain):
    """Sign with an R that is not of prime order: with the cofactor it would verify."""
    certificate = chain.certify(2)
    (member, _), *others = certificate.votes
    seed = chain.keys(0)[member]
    text = certificate.subject.signing_bytes(CHAIN_ID)
    votes = ((member, sign_with_small_part(seed, text)), *others)
    return replace(chain.proof(2), finalization=replace(certificate, votes=votes))


def sign_with_small_part(key, text):
    """Sign by RFC 8032, but add a point of order 8 to R before it is hashed."""
    half = bytearray(sha512(key._secret[:32]).digest()[:32])
    half[0] &= 248
    half[31] = half[31] & 127 | 64
    nonce = (12_345).to_bytes(32, "little")
    prime = sodium.crypto_scalarmult_ed25519_base_noclamp(nonce)
    mixed = sodium.crypto_core_ed25519_add(prime, ORDER_EIGHT)
    hashed = int.from_bytes(sha512(mixed + key.public + text).digest(), "little") % ORDER
    answer = (12_345 + hashed * int.from_bytes(half, "little")) % ORDER
    return mixed + answer.to_bytes(32, "little")


def gap_in_the_path(chain):
    proof = chain.proof(1, head=4)
    return replace(proof, path=proof.path[1:])


def wrong_height(chain):
    odd = ProofChain()
    odd.add(1)
    odd.add(1, height=7)
    return odd.proof(1, head=2)


def another_payment(chain):
    return replace(chain.proof(3), transaction=encode(payment(999)))


def steps_of_another(chain):
    return replace(chain.proof(3), transaction_steps=chain.proof(3, 1).transaction_steps)


def better_receipt(chain):
    proof = chain.proof(3, 2)
    return replace(proof, receipt=replace(proof.receipt, code=""))


def others_receipt(chain):
    other = chain.proof(3, 1)
    proof = chain.proof(3, 2)
    return replace(proof, receipt=other.receipt, receipt_steps=other.receipt_steps)


def no_transaction(chain):
    odd = ProofChain()
    odd.add(raws=(b"milk",), receipts=(Receipt(bytes(32), "", 0),))
    return odd.proof(1)


BROKEN = [
    (other_chain, errors.OtherChain),
    (header_of_another_chain, errors.OtherChain),
    (path_of_another_chain, errors.OtherChain),
    (no_links, errors.MissingLink),
    (missing_link, errors.MissingLink),
    (link_too_many, errors.MissingLink),
    (swapped_seats, errors.BadCommittee),
    (more_stake, errors.WrongNextCommittee),
    (another_committee, errors.WrongCommittee),
    (notarized_only, errors.NotFinalization),
    (anothers_votes, errors.OtherBlock),
    (votes("votes_of_another_epoch", epoch=1), errors.WrongView),
    (votes("votes_of_an_earlier_view", view=2), errors.WrongView),
    (votes("votes_on_another_parent", parent_view=0), errors.WrongView),
    (votes("votes_on_no_earlier_parent", view=5, parent_view=5), errors.WrongView),
    (votes("members_out_of_order", members=(1, 0, 2)), errors.BadMembers),
    (votes("member_twice", members=(0, 0, 1)), errors.BadMembers),
    (votes("member_without_a_seat", members=(0, 1, 4)), errors.BadMembers),
    (votes("too_little_stake", members=(0, 2)), errors.NoQuorum),
    (votes("surplus_votes", members=(0, 1, 2, 3)), errors.SurplusVotes),
    (forged, errors.WrongVoteSignature),
    (small_part_in_a_signature, errors.WrongVoteSignature),
    (gap_in_the_path, errors.BrokenPath),
    (wrong_height, errors.BrokenPath),
    (another_payment, errors.TransactionNotIncluded),
    (steps_of_another, errors.TransactionNotIncluded),
    (better_receipt, errors.ReceiptNotIncluded),
    (others_receipt, errors.OtherReceipt),
    (no_transaction, errors.BadTransaction),
]
