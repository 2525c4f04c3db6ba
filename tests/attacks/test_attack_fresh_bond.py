"""An attestor that lied and leaves with its bond while a doubt about its word is open yet."""

import pytest

from ledger.state.tables import ATTESTOR_BONDS
from ledger.types.milk import ChallengeLot, ReleaseBond, ResolveChallenge
from tests.support.ledger.dairy import bill
from tests.support.ledger.doubted import FIRST, HOLD, OPEN_UNTIL_MS, Doubted

COLD = (60_000,) * 10
SIGNER = "attestor-0"


def leave(town):
    """Let a regulator give back all that an attestor has at stake, if the law lets it."""
    return town.do("regulator", ReleaseBond(town.address(SIGNER), town.bond(SIGNER)))


@pytest.fixture
def town():
    town = Doubted()
    bob = ChallengeLot(town.lot, bill(10), bytes(32))
    town.time_ms = OPEN_UNTIL_MS - 1
    assert (town.ask(HOLD, 30), town.do("bob", bob)) == ("", "")
    town.time_ms = OPEN_UNTIL_MS + 1
    return town


def test_who_signed_stays_until_no_doubt_is_open(town):
    assert leave(town) == "bound_bond"
    shown = town.envelope(HOLD, FIRST[0] + 10_000, seq=30)
    assert town.show(HOLD, 30, shown) == ""
    assert leave(town) == "bound_bond"
    town.must("carol", ResolveChallenge(town.lot, town.address("bob"), 0))
    assert leave(town) == ""
    assert ATTESTOR_BONDS.get(town.state, town.address(SIGNER)) is None
    town.close()


def test_what_an_answer_shows_costs_who_signed_it(town):
    cold = town.envelope(HOLD, FIRST[0] + 10_000, *COLD, seq=30)
    place = town.place(cold)
    assert town.show(HOLD, 30, cold) == ""
    assert leave(town) == "bound_bond"
    before = town.bond(SIGNER)
    assert town.refute(HOLD, cold, place=place) == ""
    assert town.bond(SIGNER) < before
    town.close()


def test_who_did_not_sign_may_leave(town):
    free = ReleaseBond(town.address("attestor-2"), town.bond("attestor-2"))
    assert town.do("regulator", free) == ""
    town.close()
