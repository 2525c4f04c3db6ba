"""Every type of transaction: one spelling each, garbage a fault, order only where it matters."""

from contextlib import suppress

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from ledger.errors.base import LedgerFault
from ledger.primitives.codec import encode
from ledger.primitives.errors import CodecFault
from ledger.primitives.keys import PublicKey, address_of
from ledger.rules import LAWS
from ledger.state import Overlay
from ledger.state.records import Role
from ledger.state.tables import grant_role
from ledger.store.schema import named_addresses
from ledger.transition import apply_block, check_transaction, signature_claims
from ledger.types.milk import PackLot
from ledger.types.price import FundSubsidy
from ledger.types.registry import GrantRole
from ledger.types.staking import RegisterValidator
from ledger.types.transaction import decode_transaction
from tests.support.ledger.dairy import bill, key
from tests.support.ledger.samples import sample_bodies
from tests.support.ledger.town import Town

TOWN = Town()
BODIES = sample_bodies(TOWN)
BATCH = TOWN.milking.next()
NAMES = [type(body).__name__ for body in BODIES]
RAWS = [encode(TOWN.dairy.transaction(body, key("alice"), 0)) for body in BODIES]


@st.composite
def mutants(draw, raw):
    """A valid encoding with a few bytes changed, put in, or cut."""
    out = bytearray(raw)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(out)))
        cut = draw(st.integers(0, 2))
        out[at : at + cut] = draw(st.binary(max_size=3))
    return bytes(out)


def test_there_is_a_sample_of_every_type():
    assert {type(body) for body in BODIES} == set(LAWS)


@pytest.mark.parametrize("raw", RAWS, ids=NAMES)
def test_every_type_reads_back_as_written(raw):
    transaction = decode_transaction(raw)
    assert encode(transaction) == raw
    assert transaction.sender in named_addresses(transaction)


@pytest.mark.parametrize("raw", RAWS, ids=NAMES)
@settings(max_examples=25)
@given(data=st.data())
def test_garbage_is_a_fault_and_never_anything_else(raw, data):
    mutant = data.draw(mutants(raw))
    state = TOWN.dairy.state()
    try:
        transaction = decode_transaction(mutant)
    except CodecFault:
        return
    assert encode(transaction) == mutant
    with suppress(LedgerFault):
        signature_claims(transaction, TOWN.dairy.chain_id)
        check_transaction(state, transaction, 1)
    with suppress(LedgerFault):
        apply_block(state, TOWN.dairy.context(), [transaction])


@pytest.mark.parametrize("raw", RAWS, ids=NAMES)
def test_every_cut_of_every_type_is_a_fault(raw):
    for length in range(0, len(raw), max(1, len(raw) // 64)):
        with pytest.raises(CodecFault):
            decode_transaction(raw[:length])


@pytest.mark.parametrize("body", BODIES, ids=NAMES)
def test_a_block_that_is_dropped_leaves_no_trace(body):
    parent = TOWN.dairy.state()
    before, root = dict(parent.changes), parent.root()
    child = Overlay(parent)
    apply_block(child, TOWN.dairy.context(), [TOWN.dairy.transaction(body, key("alice"), 0)])
    assert (dict(parent.changes), parent.root()) == (before, root)


@pytest.mark.parametrize("body", BODIES, ids=NAMES)
def test_a_refused_body_leaves_its_fee_and_nothing_else(body):
    town = Town()
    transaction = town.dairy.transaction(body, key("alice"), 0)
    outcome = apply_block(town.state, town.dairy.context(), [transaction])
    if not outcome.receipts[0].code:
        return
    alice, proposer = (address_of(key(name).public) for name in ("alice", "owner-0"))
    changed = {k for k, v in town.state.changes.items() if v != town.state.before(k)}
    assert changed == {b"a" + alice, b"a" + proposer}


@given(st.permutations(range(5)))
def test_independent_transactions_of_any_family_in_any_order_give_the_same_state(order):
    def made(town):
        for collection in BATCH.collections:
            assert town.do("mmu", collection) == ""
        stock = town.dairy.genesis.stock[0].lot_id()
        vote = PublicKey(key("vote-new").public)
        bodies = [
            ("alice", RegisterValidator(vote, vote, "new", 0, bytes(64))),
            ("bob", FundSubsidy(bill(2))),
            ("carol", town.dairy.pay(town.address("dave"), 5, (stock, 5))),
            ("regulator", GrantRole(Role.LAB, town.address("dave"))),
            ("mmu", BATCH.mint),
        ]
        return [town.dairy.next(town.state, body, key(who)) for who, body in bodies]

    roots = set()
    for places in (range(5), order):
        town = Town()
        transactions = made(town)
        outcome = apply_block(town.state, town.dairy.context(), [transactions[i] for i in places])
        assert all(not receipt.code for receipt in outcome.receipts)
        roots.add(outcome.state_root)
    assert len(roots) == 1


@given(st.lists(st.integers(1, bill(30)), min_size=1, max_size=6))
def test_packs_in_any_portions_leave_the_same_lot(portions):
    town = Town()
    lot = town.make_lot()
    for units in portions:
        town.do("mmu", PackLot(lot, 1, units))
    grant_role(town.state, Role.LAB, town.address("alice"))
    town.close()
