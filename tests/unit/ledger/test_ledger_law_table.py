"""The table of laws: one for each body, or the import stops; whom and what a body shows."""

from typing import get_args, get_type_hints

import pytest
from msgspec import Struct

from ledger.primitives.keys import Address, Signature
from ledger.rules import LAWS, body_claims, named_accounts
from ledger.rules.law import law_table
from ledger.types.market import ConfirmDelivery, MarketBody
from ledger.types.transaction import Body
from tests.support.ledger.samples import sample_bodies
from tests.support.ledger.town import Town

MARKET = get_args(MarketBody)
LAWS_OF_MARKET = [LAWS[kind] for kind in MARKET]
TOWN = Town()
BODIES = sample_bodies(TOWN)
NAMES = [type(body).__name__ for body in BODIES]


def test_every_body_has_its_law_and_no_law_stands_without_a_body():
    assert set(LAWS) == set(get_args(Body))
    assert all(law.kind is kind for kind, law in LAWS.items())


def test_a_body_without_a_law_stops_the_import():
    lawless = [law for law in LAWS_OF_MARKET if law.kind is not ConfirmDelivery]
    with pytest.raises(AssertionError, match="no law for ConfirmDelivery"):
        law_table(MARKET, lawless)


def test_a_law_without_a_body_stops_the_import():
    bodies = [kind for kind in MARKET if kind is not ConfirmDelivery]
    with pytest.raises(AssertionError, match="a law for ConfirmDelivery"):
        law_table(bodies, LAWS_OF_MARKET)


def test_two_laws_for_one_body_stop_the_import():
    with pytest.raises(AssertionError, match="ConfirmDelivery has two laws"):
        law_table(MARKET, [*LAWS_OF_MARKET, LAWS[ConfirmDelivery]])


def test_a_law_judges_its_own_bodies_only():
    strange = BODIES[0]
    with pytest.raises(AssertionError):
        LAWS[ConfirmDelivery].names(strange)


def carried(found, kind):
    """List what stands in a body under a type, however deep."""
    if isinstance(found, Struct):
        for name, hint in get_type_hints(type(found)).items():
            value = getattr(found, name)
            yield from [value] if hint is kind else carried(value, kind)
    elif isinstance(found, tuple):
        for each in found:
            yield from carried(each, kind)


@pytest.mark.parametrize("body", BODIES, ids=NAMES)
def test_every_account_that_a_body_carries_is_named_for_its_history(body):
    assert set(named_accounts(body)) == set(carried(body, Address))


@pytest.mark.parametrize("body", BODIES, ids=NAMES)
def test_every_signature_that_a_body_carries_is_claimed(body):
    claims = body_claims(body, TOWN.address("alice"), TOWN.dairy.chain_id)
    assert {signature for _, _, signature in claims} == set(carried(body, Signature))
