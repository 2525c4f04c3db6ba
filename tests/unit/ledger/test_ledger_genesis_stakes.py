"""A genesis begins with sound keys, one validator an owner, and nothing in the law's accounts."""

import pytest
from msgspec.structs import replace

from ledger.errors.store import BadGenesis
from ledger.genesis import genesis_block, genesis_state
from ledger.primitives.keys import PublicKey
from ledger.rules.epochs import committee_of
from ledger.state.tables import STAKE_ACCOUNT
from tests.support.ledger.dairy import Dairy
from tests.support.ledger.town import parameters

GENESIS = Dairy().genesis


def with_validator(**fields):
    first, *rest = GENESIS.validators
    return replace(GENESIS, validators=(replace(first, **fields), *rest))


@pytest.mark.parametrize(
    ("genesis", "where"),
    [
        (with_validator(owner=GENESIS.validators[1].owner), "validators[1]"),
        (with_validator(vote_key=PublicKey(bytes(32))), "validators[0]"),
        (with_validator(vrf_key=PublicKey(b"\1" + bytes(31))), "validators[0]"),
        (with_validator(owner=STAKE_ACCOUNT), "validators[0]"),
        (replace(GENESIS, parameters=parameters(staking={"unbonding_epochs": 21})), "parameters"),
        (replace(GENESIS, parameters=parameters(price={"floor": 10**9})), "parameters"),
    ],
)
def test_what_can_not_begin_a_chain(genesis, where):
    with pytest.raises(BadGenesis) as caught:
        genesis.check()
    assert caught.value.numbers["where"] == where


def test_the_first_two_committees_are_those_of_the_genesis():
    state = genesis_state(GENESIS)
    header = genesis_block(GENESIS).header
    for epoch in (0, 1):
        assert committee_of(state, epoch).hash == header.committee_hash
    assert committee_of(state, 2) is None
