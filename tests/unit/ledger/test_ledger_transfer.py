"""Transfers and the envelope: what moves, what burns, what is refused, and who is paid."""

import pytest
from msgspec.structs import replace

from ledger.errors.base import (
    BadNonce,
    BadPlaces,
    BadPolicy,
    CannotPayFee,
    FeeTooLow,
    TransactionExpired,
    Unincludable,
    WrongChain,
)
from ledger.errors.money import TooLittleMoney
from ledger.errors.registry import RoleMissing
from ledger.primitives.amounts import UNITS_MAX
from ledger.primitives.codec import encode
from ledger.primitives.keys import Policy, Signature, address_of
from ledger.state.tables import LOTS, account, supply
from ledger.transition import (
    Execution,
    apply_block,
    check_transaction,
    select_transactions,
    signature_claims,
)
from ledger.types.registry import RegisterDevice
from ledger.types.transaction import Intent, Transaction, sign
from tests.support.ledger.dairy import FEE, Dairy, bill, key
from tests.support.ledger.milking import Milking

ALICE, BOB, CAROL = key("alice"), key("bob"), key("carol")
TO_BOB = address_of(BOB.public)
FROM_ALICE = address_of(ALICE.public)
PROPOSER = address_of(key("owner-0").public)


@pytest.fixture
def dairy():
    return Dairy()


@pytest.fixture
def state(dairy):
    return dairy.state()


def stock(dairy, number=0):
    return dairy.genesis.stock[number].lot_id()


def run(dairy, state, body, sender=ALICE):
    """Put one body into a block and give its code."""
    outcome = apply_block(state, dairy.context(), [dairy.next(state, body, sender)])
    return outcome.receipts[0].code


def test_a_payment_moves_units_and_the_fee_reaches_the_proposer(dairy, state):
    assert run(dairy, state, dairy.pay(TO_BOB, bill(3))) == ""
    assert account(state, FROM_ALICE).units == bill(1_000) - bill(3) - FEE
    assert account(state, TO_BOB).units == bill(53)
    assert account(state, PROPOSER).units == FEE
    assert account(state, FROM_ALICE).nonce == 1


def test_a_redeeming_payment_burns_its_part_and_pays_the_rest(dairy, state):
    before, lot = supply(state), stock(dairy)
    remaining = LOTS.get(state, lot).remaining_units
    assert run(dairy, state, dairy.pay(TO_BOB, bill(3), (lot, bill(2)))) == ""
    assert account(state, FROM_ALICE).units == bill(1_000) - bill(3) - FEE
    assert account(state, TO_BOB).units == bill(51)
    assert LOTS.get(state, lot).remaining_units == remaining - bill(2)
    after = supply(state)
    assert after.redeemed_units == before.redeemed_units + bill(2)
    assert after.units == before.units - bill(2)


def test_a_payment_may_redeem_all_it_pays(dairy, state):
    assert run(dairy, state, dairy.pay(TO_BOB, bill(2), (stock(dairy), bill(2)))) == ""
    assert account(state, TO_BOB).units == bill(50)


def test_paying_oneself_costs_the_fee_alone(dairy, state):
    assert run(dairy, state, dairy.pay(FROM_ALICE, bill(3))) == ""
    assert account(state, FROM_ALICE).units == bill(1_000) - FEE


def test_a_sender_may_spend_all_it_has_after_the_fee(dairy, state):
    assert run(dairy, state, dairy.pay(TO_BOB, bill(1_000) - FEE)) == ""
    assert account(state, FROM_ALICE).units == 0


def test_a_lot_may_be_redeemed_to_its_last_unit(dairy, state):
    batch = Milking(dairy).next()
    for sender, body in batch.steps:
        assert run(dairy, state, body, sender) == ""
    lot = batch.lot
    assert run(dairy, state, dairy.pay(TO_BOB, bill(100), (lot, bill(100)))) == ""
    assert LOTS.get(state, lot).remaining_units == 0
    assert run(dairy, state, dairy.pay(TO_BOB, 1, (lot, 1))) == "short_lot"


def test_exactly_the_fee_is_enough_to_be_included(dairy, state):
    to = address_of(CAROL.public)
    for funds in (FEE - 1, 1):
        run(dairy, state, dairy.pay(to, funds))
        transaction = dairy.transaction(dairy.pay(TO_BOB, 1), CAROL, 0)
        if funds == FEE - 1:
            with pytest.raises(CannotPayFee):
                check_transaction(state, transaction, 1)
    outcome = apply_block(state, dairy.context(), [transaction])
    assert outcome.receipts[0].code == "insufficient_funds"
    assert account(state, to).units == 0


REFUSED = {
    "zero": (lambda d: d.pay(TO_BOB, 0), "zero_units"),
    "zero redeemed": (lambda d: d.pay(TO_BOB, 5, (stock(d), 0)), "zero_units"),
    "too much": (lambda d: d.pay(TO_BOB, bill(1_000)), "insufficient_funds"),
    "the largest amount": (lambda d: d.pay(TO_BOB, UNITS_MAX), "insufficient_funds"),
    "redeems more": (lambda d: d.pay(TO_BOB, 5, (stock(d), 6)), "redeems_too_much"),
    "no such lot": (lambda d: d.pay(TO_BOB, 5, (bytes(32), 5)), "unknown_lot"),
    "expired lot": (lambda d: d.pay(TO_BOB, 5, (stock(d, 1), 5)), "expired_lot"),
    "short lot": (lambda d: d.pay(TO_BOB, bill(21), (stock(d, 1), bill(21))), "short_lot"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_payment_pays_its_fee_and_does_nothing_else(dairy, state, case):
    make, code = REFUSED[case]
    before, lots = supply(state), [LOTS.get(state, stock(dairy, i)) for i in (0, 1)]
    assert run(dairy, state, make(dairy)) == code
    assert account(state, FROM_ALICE).units == bill(1_000) - FEE
    assert account(state, FROM_ALICE).nonce == 1
    assert account(state, TO_BOB).units == bill(50)
    assert account(state, PROPOSER).units == FEE
    assert supply(state) == before
    assert [LOTS.get(state, stock(dairy, i)) for i in (0, 1)] == lots


UNINCLUDABLE = {
    "another chain": (
        lambda d: sign(replace(d.intent(d.pay(TO_BOB, 1), ALICE, 0), chain_id=bytes(32)), ALICE),
        WrongChain,
    ),
    "a nonce too high": (lambda d: d.transaction(d.pay(TO_BOB, 1), ALICE, 1), BadNonce),
    "a fee too low": (lambda d: d.transaction(d.pay(TO_BOB, 1), ALICE, 0, fee=99), FeeTooLow),
    "outdated": (lambda d: d.transaction(d.pay(TO_BOB, 1), ALICE, 0, until=0), TransactionExpired),
    "nothing to pay with": (lambda d: d.transaction(d.pay(TO_BOB, 1), CAROL, 0), CannotPayFee),
    "a signature too many": (
        lambda d: replace(
            d.transaction(d.pay(TO_BOB, 1), ALICE, 0),
            signatures=((0, Signature(bytes(64))), (0, Signature(bytes(64)))),
        ),
        BadPlaces,
    ),
    "a place outside the policy": (
        lambda d: replace(
            d.transaction(d.pay(TO_BOB, 1), ALICE, 0), signatures=((1, Signature(bytes(64))),)
        ),
        BadPlaces,
    ),
    "an unreachable threshold": (
        lambda d: Transaction(
            replace(d.intent(d.pay(TO_BOB, 1), ALICE, 0), sender=Policy(2, (ALICE.public,))),
            ((0, Signature(bytes(64))),),
        ),
        BadPolicy,
    ),
}


@pytest.mark.parametrize("case", UNINCLUDABLE)
def test_what_can_not_be_included_leaves_no_trace(dairy, state, case):
    make, fault = UNINCLUDABLE[case]
    transaction = make(dairy)
    execution = Execution(state, dairy.context())
    with pytest.raises(fault) as caught:
        execution.include(transaction)
    assert isinstance(caught.value, Unincludable)
    assert caught.value.code
    assert caught.value.numbers
    assert not state.changes
    with pytest.raises(fault):
        check_transaction(state, transaction, 1)


def test_a_spent_nonce_can_not_be_used_again(dairy, state):
    transaction = dairy.transaction(dairy.pay(TO_BOB, 1), ALICE, 0)
    with pytest.raises(BadNonce):
        apply_block(state, dairy.context(), [transaction, transaction])


def test_a_mempool_may_say_which_nonce_comes_next(dairy, state):
    transaction = dairy.transaction(dairy.pay(TO_BOB, 1), ALICE, 7)
    check_transaction(state, transaction, 1, 7)
    with pytest.raises(BadNonce) as caught:
        check_transaction(state, transaction, 1)
    assert caught.value.numbers == {"got": 7, "expected": 0}


def test_a_mempool_hears_of_too_little_money_at_once(dairy, state):
    transaction = dairy.transaction(dairy.pay(TO_BOB, bill(1_000)), ALICE, 0)
    with pytest.raises(TooLittleMoney, match="1000000100 units"):
        check_transaction(state, transaction, 1)


def test_a_mempool_hears_of_a_missing_role_at_once(dairy, state):
    device = RegisterDevice(bytes(32), "tank_gauge", "plant", TO_BOB, 2**53)
    batch = Milking(dairy).next()
    for body in batch.collections:
        assert run(dairy, state, body, dairy.mmu) == ""
    for body in (batch.mint, device):
        with pytest.raises(RoleMissing):
            check_transaction(state, dairy.transaction(body, ALICE, 0), 1)
    check_transaction(state, dairy.next(state, batch.mint, dairy.mmu), 1)
    check_transaction(state, dairy.transaction(device, dairy.regulator, 0), 1)


def test_an_account_of_two_of_three_keys_pays_with_any_two():
    keys = sorted((ALICE, BOB, CAROL), key=lambda k: k.public)
    policy = Policy(2, tuple(k.public for k in keys))
    dairy = Dairy()
    state = dairy.state()
    apply_block(
        state, dairy.context(), [dairy.next(state, dairy.pay(policy.address(), 500), ALICE)]
    )
    intent = Intent(dairy.chain_id, policy, 0, FEE, 9, dairy.pay(TO_BOB, 400))
    for chosen in ((keys[0], keys[1]), (keys[0], keys[2])):
        assert len(signature_claims(sign(intent, *chosen), dairy.chain_id)) == 2
    with pytest.raises(BadPlaces):
        check_transaction(state, sign(intent, keys[0]), 1)
    outcome = apply_block(state, dairy.context(), [sign(intent, keys[2], keys[0])])
    assert outcome.receipts[0].code == ""
    assert account(state, policy.address()).units == 0


def test_a_signature_of_no_key_of_the_policy_is_a_fault(dairy):
    transaction = dairy.transaction(dairy.pay(TO_BOB, 1), ALICE, 0)
    with pytest.raises(BadPlaces):
        signature_claims(replace(transaction, signatures=((3, bytes(64)),)), dairy.chain_id)


def test_a_builder_takes_what_fits_and_says_why_it_left_the_rest(dairy, state):
    bodies = [
        dairy.transaction(dairy.pay(TO_BOB, 1), ALICE, 0),
        dairy.transaction(dairy.pay(TO_BOB, 1), CAROL, 0),
        dairy.transaction(dairy.pay(TO_BOB, 1), ALICE, 2),
        dairy.transaction(dairy.pay(TO_BOB, 1), ALICE, 1),
        dairy.transaction(dairy.pay(TO_BOB, 1), BOB, 0),
    ]
    candidates = [(encode(each), each) for each in bodies]
    execution = Execution(state, dairy.context())
    chosen = select_transactions(execution, candidates, bytes_max=10_000, count_max=2)
    assert chosen.included == (candidates[0][0], candidates[3][0])
    assert [(n, type(fault)) for n, fault in chosen.refused] == [(1, CannotPayFee), (2, BadNonce)]
    assert len(execution.finish().receipts) == 2


def test_a_builder_never_passes_its_limit_of_bytes(dairy, state):
    bodies = [dairy.transaction(dairy.pay(TO_BOB, 1), ALICE, n) for n in range(10)]
    candidates = [(encode(each), each) for each in bodies]
    size = len(candidates[0][0]) + 5
    chosen = select_transactions(
        Execution(state, dairy.context()), candidates, bytes_max=3 * size + 1
    )
    assert len(chosen.included) == 3
