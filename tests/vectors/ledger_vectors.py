"""Golden vectors of the ledger: what another implementation must reproduce byte for byte.

`python -m tests.vectors.ledger_vectors` writes `ledger.json` anew. A change there is a change of
the protocol: it needs a new domain or a new chain, and a line in the change log.
"""

import json
from itertools import count
from pathlib import Path

import msgspec

from ledger.genesis import format_genesis, genesis_hash, genesis_state
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Domain, digest
from ledger.primitives.keys import Policy, address_of, format_address
from ledger.primitives.merkle import EMPTY_ROOT, merkle_path, merkle_root
from ledger.primitives.votes import VoteKind
from ledger.rules.epochs import committee_of, epoch_of
from ledger.state import EMPTY_ACCUMULATOR, state_root
from ledger.state.lattice import accumulate
from ledger.state.tables import MODULE_ACCOUNTS
from ledger.store import MemoryStore
from ledger.transition import signature_claims
from ledger.types.staking import Bond, possession_bytes
from ledger.types.transaction import Intent, decode_transaction
from tests.support.ledger.dairy import Chain, Dairy, bill, key
from tests.support.ledger.milking import Milking
from tests.support.ledger.samples import sample_bodies
from tests.support.ledger.town import Town

FILE = Path(__file__).with_name("ledger.json")
LEAVES = [b"", b"a", b"bc", b"def", b"ghij"]
ENTRIES = [(b"key", b"value"), (b"k", b"")]


def grow():
    """Grow four blocks: collections, a mint, a basket beside a refused payment, and nothing."""
    dairy = Dairy()
    chain = Chain(dairy, MemoryStore())
    batch = Milking(dairy).next()
    basket = sorted([(batch.lot, bill(2)), (dairy.genesis.stock[0].lot_id(), 7)])
    bob = address_of(key("bob").public)
    *collections, mint = (
        dairy.transaction(body, sender, nonce) for nonce, (sender, body) in enumerate(batch.steps)
    )
    paid = dairy.transaction(dairy.pay(bob, bill(3), *basket), key("alice"), 0)
    refused = dairy.transaction(dairy.pay(bob, bill(5_000)), key("alice"), 1)
    for transactions in (collections, [mint], [paid, refused], []):
        chain.block(*transactions)
    return chain


def _chain():
    chain = grow()
    dairy = chain.dairy
    blocks = []
    for height in range(1, chain.store.head().height + 1):
        stored = chain.store.block(height)
        header = stored.block.header
        blocks.append(
            {
                "raw": stored.raw.hex(),
                "hash": header.hash().hex(),
                "transactions_root": header.transactions_root.hex(),
                "receipts_root": header.receipts_root.hex(),
                "state_root": header.state_root.hex(),
                "receipts": [encode(receipt).hex() for receipt in stored.receipts],
                "transaction_ids": [
                    decode_transaction(raw).id.hex() for raw in stored.block.transactions
                ],
            }
        )
    (mint,) = map(decode_transaction, chain.store.block(2).block.transactions)
    signed = [
        {"key": public.hex(), "message": message.hex(), "signature": signature.hex()}
        for public, message, signature in signature_claims(mint, dairy.chain_id)
    ]
    return {
        "genesis_file": format_genesis(dairy.genesis),
        "genesis_encoding": encode(dairy.genesis).hex(),
        "chain_id": dairy.chain_id.hex(),
        "genesis_hash": genesis_hash(dairy.genesis).hex(),
        "genesis_state_root": genesis_state(dairy.genesis).root().hex(),
        "genesis_state": {
            name.hex(): value.hex()
            for name, value in sorted(genesis_state(dairy.genesis).changes.items())
            if value is not None
        },
        "mint_signatures": signed,
        "lot_id": mint.intent.body.claim.lot_id().hex(),
        "blocks": blocks,
    }


def number_samples(kept, names):
    """Give each sample its nonce: the one that it has in the file, a new one the next.

    So a sample that joins the others shifts none of them.
    """
    numbers = {name: kept[name] for name in names if name in kept}
    fresh = count(max(numbers.values(), default=-1) + 1)
    return numbers | {name: next(fresh) for name in names if name not in kept}


def _kept():
    """Read which nonces the samples in the file have, also where their bodies' law is of before."""
    bodies = json.loads(FILE.read_text())["bodies"] if FILE.exists() else {}
    place = Intent.__struct_encode_fields__.index("nonce")
    return {
        name: msgspec.msgpack.decode(bytes.fromhex(sample["raw"]))[0][place]
        for name, sample in bodies.items()
    }


def _bodies():
    """Each type of transaction, signed by one account."""
    town = Town()
    samples = {type(body).__name__: body for body in sample_bodies(town)}
    made = {
        name: town.dairy.transaction(samples[name], key("alice"), number)
        for name, number in number_samples(_kept(), list(samples)).items()
    }
    return {
        name: {"raw": encode(transaction).hex(), "id": transaction.id.hex()}
        for name, transaction in made.items()
    }


def _staking():
    """What validators sign, and a committee's hash, as the ledger keeps them."""
    town = Town(staking={"epoch_blocks": 2})
    town.do("alice", town.registration("alice"))
    town.do("alice", Bond(key("vote-new").public, bill(100)))
    committee = committee_of(town.state, 2)
    vote = town.vote(key("validator-0"), VoteKind.FINALIZE, b"h", epoch=3, view=7)
    names = (key("vote-new").public, key("vrf-new").public)
    chain = town.dairy.chain_id
    return {
        "chain_id": chain.hex(),
        "vote": encode(vote).hex(),
        "vote_signing_bytes": vote.signing_bytes(chain).hex(),
        "possession_bytes": possession_bytes(chain, town.address("alice"), *names).hex(),
        "committee": encode(committee.seats).hex(),
        "committee_hash": committee.hash.hex(),
        "epochs": [[h, epoch_of(h, 10)] for h in (0, 1, 10, 11, 20, 21)],
    }


def build():
    """Compute every vector."""
    keys = sorted(key(name).public for name in ("alice", "bob", "carol"))
    policy = Policy(2, tuple(keys))
    return {
        "digests": {
            domain.value.decode(): digest(domain, b"abc").hex()
            for domain in sorted(Domain, key=str)
        },
        "addresses": [
            {
                "threshold": each.threshold,
                "keys": [public.hex() for public in each.keys],
                "address": each.address().hex(),
                "text": format_address(each.address(), "dbill"),
            }
            for each in (Policy.single(keys[0]), policy)
        ],
        "module_accounts": {name: address.hex() for name, address in MODULE_ACCOUNTS.items()},
        "merkle": {
            "empty_root": EMPTY_ROOT.hex(),
            "leaves": [leaf.hex() for leaf in LEAVES],
            "roots": [merkle_root(LEAVES[: n + 1]).hex() for n in range(len(LEAVES))],
            "paths": [[h.hex() for h in merkle_path(LEAVES, n)] for n in range(len(LEAVES))],
        },
        "lattice": {
            "entries": [[name.hex(), value.hex()] for name, value in ENTRIES],
            "empty_root": state_root(EMPTY_ACCUMULATOR).hex(),
            "root": state_root(accumulate(EMPTY_ACCUMULATOR, (), ENTRIES)).hex(),
        },
        "chain": _chain(),
        "bodies": _bodies(),
        "staking": _staking(),
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(build(), indent=1) + "\n")
