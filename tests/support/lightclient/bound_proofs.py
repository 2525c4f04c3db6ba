"""Proofs whose lists are as long as they may be, and one longer; and bodies that are no transfers.

Each builder gives a chain, whose committee of epoch 0 is the anchor, and a proof on it. The numbers
are written out here: they are the text's (docs/spec/proofs.md §2), not the code's.
"""

from collections.abc import Callable, Iterator

import msgspec

from consensus.messages import Certificate
from ledger.primitives.amounts import Units
from ledger.primitives.codec import encode
from ledger.primitives.committee import Member
from ledger.primitives.hashing import Domain, Hash, digest
from ledger.primitives.keys import Policy, SigningKey
from ledger.types.block import Receipt
from ledger.types.registry import FreezeAccount
from ledger.types.transaction import Intent, Transaction, sign
from ledger.types.transfer import Transfer
from node.lightclient import Proof
from node.lightclient.types import MerkleStep
from node.lightclient.verifying import climb
from tests.support.lightclient.proof_chain import (
    CHAIN_ID,
    PAYEE,
    ProofChain,
    make_key,
    payment,
)

LINKS, PATH, STEPS, SEATS, VOTES, KEYS = 256, 128, 16, 128, 128, 16
Built = tuple[ProofChain, Proof]

replace = msgspec.structs.replace


def linked(links: int) -> Built:
    """Lead over so many epochs, of a block and a validator each."""
    chain = ProofChain(stakes=((1,),) * (links + 1), epoch_blocks=1)
    for _ in range(links + 1):
        chain.add(1, vrf_proof=b"")
    return chain, chain.proof(links + 1)


def descended(headers: int) -> Built:
    """Lead from a final block down to the payment over so many headers."""
    chain = ProofChain(stakes=((1,),), epoch_blocks=headers + 1)
    for _ in range(headers + 1):
        chain.add(1, vrf_proof=b"")
    return chain, chain.proof(1, head=headers + 1)


def climbed(steps: int) -> Built:
    """Lead from payment and receipt to their roots over so many steps, now left, now right."""
    chain, paid = ProofChain(), payment(0)
    raw, receipt = encode(paid), Receipt(paid.id, "", Units(100))
    up = tuple(MerkleStep(n % 2 == 0, Hash(bytes([n]) * 32)) for n in range(steps))
    roots = {"transactions_root": climb(raw, up), "receipts_root": climb(encode(receipt), up)}
    chain.add(raws=(raw,), receipts=(receipt,), **roots)
    return chain, replace(chain.proof(1), transaction_steps=up, receipt_steps=up)


def seated(seats: int) -> Built:
    """Lead to an epoch with so many seats."""
    chain = ProofChain(stakes=((1, 1, 1, 1), (1,) * seats), epoch_blocks=1)
    chain.add(1)
    chain.add(1)
    return chain, chain.proof(2)


def voted(votes: int) -> Built:
    """Finalize by so many votes: more than a quorum needs, and from 129 on more than seats."""
    chain = ProofChain(stakes=((1,) * SEATS,))
    chain.add(1)
    proof = chain.proof(1)
    text, keys = proof.finalization.subject.signing_bytes(CHAIN_ID), chain.keys(0)
    members = [min(n, SEATS - 1) for n in range(votes)]
    signed = tuple((Member(member), keys[member].sign(text)) for member in members)
    return chain, replace(proof, finalization=Certificate(proof.finalization.subject, signed))


def held(keys: int) -> Built:
    """Prove a payment of an account of so many keys, all of which signed."""
    signers = sorted((make_key(f"holder-{n}") for n in range(keys)), key=lambda each: each.public)
    policy = Policy(keys, tuple(each.public for each in signers))
    body = Transfer(PAYEE, Units(1_800_000), bytes(32), ())
    intent = Intent(CHAIN_ID, policy, 0, Units(100), 1_000_000, body)
    text = intent.signing_bytes()
    signatures = tuple((place, each.sign(text)) for place, each in enumerate(signers))
    return including(encode(Transaction(intent, signatures)), encode(intent))


def including(raw: bytes, intent: bytes) -> Built:
    """Put a transaction's bytes, whatever they are, into a block with the receipt of its intent."""
    chain, txid = ProofChain(), digest(Domain.TRANSACTION, intent)
    chain.add(raws=(raw,), receipts=(Receipt(txid, "", Units(100)),))
    return chain, chain.proof(1)


def frozen() -> Built:
    """Prove that a regulator froze an account: no transfer, and a transaction all the same."""
    regulator: SigningKey = make_key("regulator")
    policy = Policy.single(regulator.public)
    intent = Intent(CHAIN_ID, policy, 0, Units(100), 1_000_000, FreezeAccount(PAYEE, frozen=True))
    return including(encode(sign(intent, regulator)), encode(intent))


def unheard_of() -> Built:
    """Prove what no ledger does yet: the body's kind is none."""
    paid = payment(0)
    fields = msgspec.msgpack.decode(encode(paid))
    fields[0][5] = ["teleport", PAYEE]
    return including(msgspec.msgpack.encode(fields), msgspec.msgpack.encode(fields[0]))


FULL: dict[str, Callable[[], Built]] = {
    "over 256 links": lambda: linked(LINKS),
    "down a path of 128 headers": lambda: descended(PATH),
    "up 16 steps": lambda: climbed(STEPS),
    "to an epoch of 128 seats": lambda: seated(SEATS),
    "16 keys, all of which signed": lambda: held(KEYS),
}
"""Good proofs: no list may be longer."""


def overfull() -> Iterator[tuple[str, Built, str]]:
    """Give proofs with a list that is one too long, or a vote too many, and their codes."""
    yield "257 links", linked(LINKS + 1), "bad_encoding"
    yield "a path of 129 headers", descended(PATH + 1), "bad_encoding"
    yield "17 steps", climbed(STEPS + 1), "bad_encoding"
    yield "129 seats", seated(SEATS + 1), "bad_encoding"
    yield "129 votes", voted(VOTES + 1), "bad_encoding"
    yield "128 votes, more than a quorum needs", voted(VOTES), "surplus_votes"
    yield "17 keys and signatures", held(KEYS + 1), "bad_transaction"
    yield "a kind that no ledger has", unheard_of(), "bad_transaction"
