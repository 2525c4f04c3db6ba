"""Genesis: a file that reads back, a chain id that follows its content, and clear faults."""

import json

import pytest
from msgspec.structs import replace

from ledger.errors.store import BadGenesis
from ledger.genesis import (
    Genesis,
    GenesisRole,
    format_genesis,
    genesis_block,
    genesis_hash,
    genesis_state,
    parse_genesis,
)
from ledger.invariants import audit
from ledger.state.records import Role
from ledger.state.tables import (
    MODULE_ACCOUNTS,
    STAKE_ACCOUNT,
    account,
    attestors,
    chain_id,
    has_role,
    parameters,
    supply,
)
from tests.support.ledger.dairy import Dairy, bill, key

GENESIS: Genesis = Dairy().genesis
TEXT = format_genesis(GENESIS)


def test_a_genesis_file_reads_back_and_names_the_same_chain():
    again = parse_genesis(TEXT)
    assert again == GENESIS
    assert again.chain_id == GENESIS.chain_id


def test_layout_does_not_matter_and_content_does():
    compact = json.dumps(json.loads(TEXT), separators=(",", ":"), sort_keys=True)
    assert parse_genesis(compact).chain_id == GENESIS.chain_id
    assert replace(GENESIS, time_ms=GENESIS.time_ms + 1).chain_id != GENESIS.chain_id
    assert replace(GENESIS, name="other").chain_id != GENESIS.chain_id


def test_the_state_of_block_0_is_backed_by_stock():
    state = genesis_state(GENESIS)
    books = supply(state)
    assert books.minted_units == books.remaining_units == sum(s.units for s in GENESIS.stock)
    assert account(state, STAKE_ACCOUNT).units == 4 * bill(100)
    assert chain_id(state) == GENESIS.chain_id
    assert parameters(state) == GENESIS.parameters
    assert has_role(state, Role.MMU, GENESIS.roles[1].holder)
    assert attestors(state) == tuple(k.public for k in Dairy().attestor_keys)
    entries = [(k, v) for k, v in state.changes.items() if v is not None]
    assert audit(entries, state.accumulator).findings == []


def test_every_module_account_is_another():
    assert len(set(MODULE_ACCOUNTS.values())) == len(MODULE_ACCOUNTS)


def test_block_0_commits_to_state_and_committee():
    header = genesis_block(GENESIS).header
    assert (header.height, header.view, header.epoch) == (0, 0, 0)
    assert header.state_root == genesis_state(GENESIS).root()
    assert header.committee_hash == GENESIS.committee.hash
    assert genesis_hash(GENESIS) == header.hash()
    keys = [seat.key for seat in GENESIS.committee.seats]
    assert keys == sorted(k.public for k in Dairy().validator_keys)


def spoil(path, value):
    """The genesis file with one place replaced, or removed by `...`."""
    file = json.loads(TEXT)
    *way, last = path
    at = file
    for step in way:
        at = at[step]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return json.dumps(file)


ADDRESS = json.loads(TEXT)["accounts"][0]["address"]


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (["name"], "Test Net", "name"),
        (["prefix"], "DB", "DB"),
        (["time_ms"], -1, "time_ms"),
        (["time_ms"], 1.5, "int"),
        (["extra"], 1, "unknown field"),
        (["validators"], ..., "missing required field"),
        (["validators"], [], "validators: 0"),
        (["validators", 0, "stake_units"], 0, "validators[0].stake_units"),
        (["validators", 0, "vote_key"], "zz", "validators[0].vote_key"),
        (["validators", 1, "vrf_key"], "AB" * 32, "validators[1].vrf_key"),
        (["validators", 0, "owner"], ADDRESS[:-1] + "q", "validators[0].owner"),
        (["accounts", 0, "units"], 1, "they must be equal"),
        (["accounts", 1, "address"], ADDRESS, "accounts[1]: it stands here twice"),
        (["accounts", 0, "address"], "bill1xyz", "accounts[0].address"),
        (["stock", 1, "name"], "stock-1", "stock[1]"),
        (["stock", 1, "expires_ms"], GENESIS.time_ms, "stock[1]"),
        (["stock", 0, "kind"], "oat", "oat"),
        (["roles", 0], {"role": "regulator", "key": "ab" * 32}, "by `address`"),
        (["roles", 2], {"role": "attestor", "address": ADDRESS}, "by `key`"),
        (["roles", 0, "role"], "king", "king"),
        (["devices", 0, "instrument"], "thermostat", "thermostat"),
        (["devices", 0, "plant"], "", "length"),
        (["devices", 1, "key"], key("meter-0").public.hex(), "devices[1]: it stands here twice"),
        (["parameters", "density_mg_per_l"], 1, "density_mg_per_l"),
        (["parameters", "shelf_days", "uht"], ..., "shelf_days lacks uht"),
        (["parameters", "split", "attestors_bp"], 290, "levy"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(path, value, words):
    with pytest.raises(BadGenesis) as caught:
        parse_genesis(spoil(path, value))
    assert words in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\xff", "[" * 100_000, "x" * 5_000_000])
def test_what_is_no_genesis_at_all_is_a_fault(text):
    with pytest.raises(BadGenesis):
        parse_genesis(text)


def test_a_field_that_stands_twice_is_a_fault():
    doubled = TEXT.replace('"stake_units": ', '"stake_units": 1, "stake_units": ', 1)
    with pytest.raises(BadGenesis, match="/validators/0/stake_units: the name stands twice"):
        parse_genesis(doubled)
    with pytest.raises(BadGenesis, match="/name: the name stands twice"):
        parse_genesis(TEXT.replace("{", '{"name": "first", ', 1))


def test_a_parameter_that_stands_twice_is_a_fault_and_so_is_a_deep_nest():
    doubled = TEXT.replace('"fee_least_units": ', '"fee_least_units": 1, "fee_least_units": ', 1)
    with pytest.raises(BadGenesis, match="/parameters/fee_least_units: the name stands twice"):
        parse_genesis(doubled)
    nest = "[" * 40 + "]" * 40
    with pytest.raises(BadGenesis, match="nests deeper"):
        parse_genesis(TEXT.replace("{", f'{{"more": {nest}, ', 1))


@pytest.mark.parametrize("development", [True, False])
def test_every_network_has_at_least_four_attestors(development):
    with pytest.raises(BadGenesis, match="3 attestors"):
        Dairy(attestors=3, development=development).genesis.check()
    assert Dairy(attestors=4, development=development).genesis.development is development


def test_more_units_than_amounts_can_count_are_refused():
    huge = {"alice": 2**63 - 1, "bob": 2**63 - 1}
    with pytest.raises(BadGenesis, match="more than"):
        Dairy(balances=huge).genesis.check()


def test_no_account_of_the_law_has_a_role():
    closed = replace(GENESIS, roles=(*GENESIS.roles, GenesisRole(Role.MMU, STAKE_ACCOUNT)))
    with pytest.raises(BadGenesis, match=rf"roles\[{len(GENESIS.roles)}\]"):
        closed.check()


def test_a_role_stands_once():
    twice = replace(GENESIS, roles=(*GENESIS.roles, GenesisRole(Role.MMU, GENESIS.roles[1].holder)))
    with pytest.raises(BadGenesis, match="twice"):
        twice.check()
