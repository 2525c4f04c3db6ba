"""Garbage on every wire type: it decodes to the one value it spells, or raises a fault."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from ledger.errors.base import LedgerFault
from ledger.errors.store import BadGenesis
from ledger.genesis import format_genesis, parse_genesis
from ledger.primitives.bech32 import decode_bech32m, encode_bech32m
from ledger.primitives.codec import decode, encode
from ledger.primitives.errors import BadAddress, CodecFault
from ledger.store import MemoryStore
from ledger.transition import apply_block, check_transaction, signature_claims
from ledger.types.block import BLOCK_BYTES_MAX, Block, Receipt
from ledger.types.reading import ENVELOPE_BYTES_MAX, Envelope, Reading
from ledger.types.transaction import TRANSACTION_BYTES_MAX, Transaction, decode_transaction
from tests.support.ledger.dairy import Chain, Dairy, key
from tests.support.ledger.milking import Milking

DAIRY = Dairy()
CHAIN = Chain(DAIRY, MemoryStore())
PAID = DAIRY.transaction(DAIRY.pay(bytes(32), 7, (bytes(32), 3)), key("alice"), 0)
BATCH = Milking(DAIRY).next()
MINT = DAIRY.transaction(BATCH.mint, DAIRY.mmu, 0)
ENVELOPE = BATCH.collections[0].first
CHAIN.block(PAID)
BLOCK = CHAIN.store.block(1)
SAMPLES = [
    (Transaction, TRANSACTION_BYTES_MAX, encode(PAID)),
    (Transaction, TRANSACTION_BYTES_MAX, encode(MINT)),
    (Block, BLOCK_BYTES_MAX, BLOCK.raw),
    (Receipt, 200, encode(BLOCK.receipts[0])),
    (Envelope, ENVELOPE_BYTES_MAX, encode(ENVELOPE)),
    (Reading, ENVELOPE_BYTES_MAX, ENVELOPE.body),
]


@st.composite
def mutants(draw, raw):
    """A valid encoding with a few bytes changed, put in, or cut."""
    out = bytearray(raw)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(out)))
        cut = draw(st.integers(0, 2))
        out[at : at + cut] = draw(st.binary(max_size=3))
    return bytes(out)


@pytest.mark.parametrize(("kind", "limit", "raw"), SAMPLES)
@given(data=st.data())
def test_what_decodes_has_one_spelling_and_all_else_is_a_fault(kind, limit, raw, data):
    mutant = data.draw(st.one_of(mutants(raw), st.binary(max_size=300)))
    try:
        value = decode(mutant, kind, limit)
    except CodecFault:
        return
    assert encode(value) == mutant


@pytest.mark.parametrize("raw", [encode(PAID), encode(MINT)])
@given(data=st.data())
def test_no_transaction_breaks_the_ledger(raw, data):
    mutant = data.draw(mutants(raw))
    state = DAIRY.state()
    try:
        transaction = decode_transaction(mutant)
        signature_claims(transaction, DAIRY.chain_id)
        check_transaction(state, transaction, 1)
        apply_block(state, DAIRY.context(), [transaction])
    except (CodecFault, LedgerFault):
        return


@given(data=st.data())
def test_no_text_is_a_genesis_but_a_good_one(data):
    text = format_genesis(DAIRY.genesis)
    raw = data.draw(st.one_of(mutants(text.encode()), st.binary(max_size=50)))
    try:
        genesis = parse_genesis(raw)
    except BadGenesis:
        return
    assert parse_genesis(format_genesis(genesis)) == genesis


@given(st.from_regex(r"[a-z]{1,10}", fullmatch=True), st.binary(max_size=40))
def test_bech32m_reads_back_what_it_wrote(prefix, payload):
    assert decode_bech32m(encode_bech32m(prefix, payload)) == (prefix, payload)


@given(st.text(max_size=100))
def test_any_text_is_an_address_or_a_fault(text):
    try:
        prefix, payload = decode_bech32m(text)
    except BadAddress:
        return
    assert encode_bech32m(prefix, payload) == text.lower()
