"""Laws of baskets: units are conserved, no lot is oversold, and what is refused changes nothing."""

from collections import Counter

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from ledger.primitives.hashing import Domain
from ledger.rules.context import Call
from ledger.state.tables import LOTS, PRODUCTS, account, supply
from ledger.types.milk import PackLot
from ledger.types.transfer import REDEMPTIONS_MAX
from tests.support.ledger.dairy import FEE, bill
from tests.support.ledger.town import Town

PACKED = bill(40)
"""So much of the first lot is in each of two sizes of packs; the rest of it is loose."""


class Shop(Town):
    """A town with three lots on sale, one of them in packs of two sizes."""

    def __init__(self):
        super().__init__()
        self.lots = [self.make_lot() for _ in range(3)]
        self.left = dict.fromkeys(self.lots, bill(100))
        for packs in (40, 20):
            nonce = account(self.state, self.address("mmu")).nonce
            assert self.do("mmu", PackLot(self.lots[0], packs, PACKED // packs)) == ""
            self.left[Call(self.address("mmu"), nonce, 0).name(Domain.PRODUCT)] = PACKED
        self.left[self.lots[0]] -= 2 * PACKED

    def on_sale(self):
        """Count what can be sold under each name, out of the state."""
        lots = {name: LOTS.get(self.state, name) for name in self.lots}
        found = {n: lot.remaining_units - lot.packed_unsold_units for n, lot in lots.items()}
        for name in self.left.keys() - lots.keys():
            product = PRODUCTS.get(self.state, name)
            found[name] = product.units - product.sold_units
        return found


parts = st.lists(
    st.tuples(st.integers(0, 4), st.integers(1, bill(45)) | st.integers(0, 2)),
    max_size=REDEMPTIONS_MAX,
)
payments = st.lists(st.tuples(parts, st.integers(0, bill(20)), st.booleans()), max_size=12)


def judged(shop, basket, units):
    """Say by arithmetic alone what becomes of a payment."""
    names, burned = [name for name, _ in basket], sum(part for _, part in basket)
    if 0 in (units, *(part for _, part in basket)):
        return "zero_units"
    if names != sorted(set(names)):
        return "unordered_basket"
    if any(part > shop.left[name] for name, part in basket):
        return "short_lot"
    return "redeems_too_much" if burned > units else ""


@settings(max_examples=60)
@given(payments)
def test_units_are_conserved_and_no_lot_is_ever_oversold(drawn):
    shop = Shop()
    begun, sold = supply(shop.state), Counter()
    for places, margin, is_tidy in drawn:
        names = sorted(shop.left)
        basket = [(names[place], units) for place, units in places]
        basket = sorted(dict(basket).items()) if is_tidy else basket
        burned = sum(part for _, part in basket)
        held = shop.units("alice"), shop.units("bob")
        code = shop.do("alice", shop.dairy.pay(shop.address("bob"), burned + margin, *basket))
        if burned + margin + FEE > held[0]:
            break
        assert code == judged(shop, basket, burned + margin)
        moved = (held[0] - shop.units("alice"), shop.units("bob") - held[1])
        assert moved == ((burned + margin + FEE, margin) if not code else (FEE, 0))
        for name, part in () if code else basket:
            shop.left[name] -= part
            sold[name] += part
        assert shop.on_sale() == shop.left
    assert begun.units - supply(shop.state).units == sold.total()
    assert min(shop.left.values()) >= 0
    shop.close()


@given(st.permutations(range(5)))
def test_only_one_order_of_a_basket_is_lawful(order):
    shop = Shop()
    names = [sorted(shop.left)[place] for place in order]
    body = shop.dairy.pay(shop.address("bob"), 9, *((name, 1) for name in names))
    code = shop.do("alice", body)
    assert code == ("" if names == sorted(names) else "unordered_basket")


@pytest.mark.parametrize("units", [1, bill(3)])
def test_an_empty_basket_is_no_redemption(units):
    shop = Shop()
    books = supply(shop.state)
    assert shop.do("alice", shop.dairy.pay(shop.address("bob"), units)) == ""
    assert supply(shop.state) == books
    assert shop.on_sale() == shop.left
