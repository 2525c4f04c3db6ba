"""The golden vectors hold, and a chain can be re-executed from their file alone."""

import json

from ledger.genesis import genesis_state, parse_genesis
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import verify_many
from ledger.state import Overlay
from ledger.transition import BlockContext, apply_block, transactions_root
from ledger.types.block import decode_block
from ledger.types.transaction import decode_transaction
from tests.vectors.ledger_vectors import FILE, build, number_samples

VECTORS = json.loads(FILE.read_text())


def test_every_vector_is_what_the_code_computes():
    assert build() == VECTORS


def test_the_chain_of_the_vectors_re_executes_from_its_genesis_file():
    chain = VECTORS["chain"]
    genesis = parse_genesis(chain["genesis_file"])
    assert genesis.chain_id.hex() == chain["chain_id"]
    state = genesis_state(genesis)
    assert state.root().hex() == chain["genesis_state_root"]
    parent = bytes.fromhex(chain["genesis_hash"])
    for entry in chain["blocks"]:
        block = decode_block(bytes.fromhex(entry["raw"]))
        header = block.header
        assert header.parent_hash == parent
        assert transactions_root(block.transactions) == header.transactions_root
        state = Overlay(state)
        context = BlockContext(genesis.chain_id, header.height, header.time_ms, header.proposer)
        outcome = apply_block(state, context, [decode_transaction(r) for r in block.transactions])
        assert outcome.state_root == header.state_root
        assert outcome.receipts_root == header.receipts_root
        assert header.hash().hex() == entry["hash"]
        parent = Hash(header.hash())


def test_every_signature_of_the_vectors_mint_holds():
    claims = [
        tuple(bytes.fromhex(entry[part]) for part in ("key", "message", "signature"))
        for entry in VECTORS["chain"]["mint_signatures"]
    ]
    assert all(verify_many(claims))


def test_a_sample_that_joins_the_vectors_shifts_none_of_them():
    kept = {"Transfer": 0, "Bond": 1}
    numbers = number_samples(kept, ["Transfer", "Donate", "Bond", "Lend"])
    assert numbers == kept | {"Donate": 2, "Lend": 3}
    assert list(numbers)[:2] == list(kept), "new ones stand behind"
