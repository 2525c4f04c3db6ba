"""Baskets: one payment buys milk of up to eight lots, whole or not at all."""

import pytest

from ledger.errors.money import UnorderedBasket
from ledger.primitives.codec import encode
from ledger.primitives.errors import Malformed
from ledger.primitives.keys import address_of
from ledger.state.tables import LOTS, account, supply
from ledger.transition import apply_block, check_transaction
from ledger.types.transaction import decode_transaction
from ledger.types.transfer import REDEMPTIONS_MAX
from tests.support.ledger.dairy import FEE, Dairy, bill, key
from tests.support.ledger.milking import Milking

ALICE = key("alice")
TO_BOB = address_of(key("bob").public)
FROM_ALICE = address_of(ALICE.public)


@pytest.fixture
def dairy():
    return Dairy()


@pytest.fixture
def state(dairy):
    return dairy.state()


def run(dairy, state, body, sender=ALICE):
    """Put one body into a block and give its code."""
    outcome = apply_block(state, dairy.context(), [dairy.next(state, body, sender)])
    return outcome.receipts[0].code


def in_stock(dairy, state, count):
    """Mint so many lots; give their ids, ascending."""
    milking = Milking(dairy)
    batches = [milking.next() for _ in range(count)]
    for batch in batches:
        for sender, body in batch.steps:
            assert run(dairy, state, body, sender) == ""
    return sorted(batch.lot for batch in batches)


def test_one_payment_buys_a_basket(dairy, state):
    lots = in_stock(dairy, state, REDEMPTIONS_MAX)
    before = supply(state)
    basket = [(lot, bill(number + 1)) for number, lot in enumerate(lots)]
    burned = sum(part for _, part in basket)
    assert run(dairy, state, dairy.pay(TO_BOB, burned + 5, *basket)) == ""
    assert account(state, FROM_ALICE).units == bill(1_000) - burned - 5 - FEE
    assert account(state, TO_BOB).units == bill(50) + 5
    assert supply(state).units == before.units - burned
    for lot, part in basket:
        held = LOTS.get(state, lot)
        assert held.remaining_units == held.units - part


def test_a_basket_is_bought_whole_or_not_at_all(dairy, state):
    lots = in_stock(dairy, state, 2)
    books = supply(state)
    left = [LOTS.get(state, lot) for lot in lots]
    outdated = sorted([(lots[0], 1), (dairy.genesis.stock[1].lot_id(), 1)])
    for basket, code in (
        ([(lots[0], 1), (lots[1], bill(100) + 1)], "short_lot"),
        (outdated, "expired_lot"),
        ([(lots[0], bill(4)), (lots[1], bill(4))], "redeems_too_much"),
        ([(lots[0], 1), (lots[1], 0)], "zero_units"),
    ):
        assert run(dairy, state, dairy.pay(TO_BOB, bill(7), *basket)) == code
    assert [LOTS.get(state, lot) for lot in lots] == left
    assert supply(state) == books
    assert account(state, TO_BOB).units == bill(50)


def test_a_baskets_lots_ascend_each_once(dairy, state):
    first, second, third = in_stock(dairy, state, 3)
    for basket in (
        [(second, 1), (first, 1)],
        [(first, 1), (first, 1)],
        [(first, 1), (third, 1), (second, 1)],
    ):
        body = dairy.pay(TO_BOB, 9, *basket)
        assert run(dairy, state, body) == "unordered_basket"
        with pytest.raises(UnorderedBasket, match=basket[-1][0].hex()):
            check_transaction(state, dairy.next(state, body, ALICE), 1)


def test_a_basket_of_more_than_eight_is_no_transaction(dairy):
    basket = [(bytes([number]) * 32, 1) for number in range(REDEMPTIONS_MAX + 1)]
    assert REDEMPTIONS_MAX == 8
    fits = dairy.transaction(dairy.pay(TO_BOB, 9, *basket[:-1]), ALICE, 0)
    assert decode_transaction(encode(fits)) == fits
    with pytest.raises(Malformed):
        decode_transaction(encode(dairy.transaction(dairy.pay(TO_BOB, 9, *basket), ALICE, 0)))
