"""Ways to break a proof, each with the fault that it must be told by. Each takes a grown chain."""

import msgspec

from ledger.primitives.codec import encode
from ledger.primitives.keys import SigningKey
from ledger.primitives.votes import VoteKind
from ledger.types.block import Receipt
from node.lightclient import errors
from tests.support.ledger.odd_signatures import MISSPELT, OddKey, wider
from tests.support.lightclient.proof_chain import CHAIN_ID, ProofChain, payment

replace = msgspec.structs.replace


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


def resigned(chain, sign):
    """Finalize block 2 with one vote signed otherwise: `sign` gets the secret and the text."""
    certificate = chain.certify(2)
    (member, _), *others = certificate.votes
    signature = sign(chain.seed_of(0, member), certificate.subject.signing_bytes(CHAIN_ID))
    voted = replace(certificate, votes=((member, signature), *others))
    return replace(chain.proof(2), finalization=voted)


def small_part_in_a_signature(chain):
    """Sign with an R that is not of prime order: with the cofactor it would verify."""
    return resigned(chain, lambda seed, text: OddKey.of(seed).sign(text, part=1))


def scalar_above_the_order(chain):
    return resigned(chain, lambda seed, text: wider(SigningKey(seed).sign(text)))


def small_order_in_a_signature(chain):
    return resigned(chain, lambda seed, text: OddKey.of(seed).sign(text, nonce=0))


def misspelt_small_order_in_a_signature(chain):
    """R is the identity, written as p + 1."""
    spelling, _ = MISSPELT["p + 1"]
    return resigned(
        chain, lambda seed, text: OddKey.of(seed).sign(text, nonce=0, spelling=spelling)
    )


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
"""In the order of the vectors; what joins them stands in `ODDLY_SIGNED`, or in a list behind it."""

ODDLY_SIGNED = [
    (scalar_above_the_order, errors.WrongVoteSignature),
    (small_order_in_a_signature, errors.WrongVoteSignature),
    (misspelt_small_order_in_a_signature, errors.WrongVoteSignature),
]
