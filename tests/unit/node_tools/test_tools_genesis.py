"""`billcoin genesis`: the same words give the same chain; what is wrong is said with its place."""

import json
import stat

import pytest

from ledger.errors.store import BadGenesis
from ledger.genesis import format_schema
from ledger.primitives.amounts import UNITS_PER_BILL
from ledger.primitives.keys import address_of, format_address
from ledger.state.records import Role
from node.errors import BadArgument
from node.home.key_file import read_key
from tests.support.ledger.dairy import GENESIS_MS, key
from tests.support.node.genesis_command import call, fault, made


def test_the_same_words_time_and_keys_give_the_same_file(tmp_path):
    words = ["--keys", tmp_path / "keys", "--account", "treasury:10.5", "--role", "regulator:law"]
    first = made(tmp_path / "one.json", *words)
    again = made(tmp_path / "two.json", *words)
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    assert first.chain_id == again.chain_id
    other = made(tmp_path / "three.json", *words[2:])
    assert other.chain_id == first.chain_id, "the default folder is keys/ beside the file"


def test_the_schema_is_printed_as_it_is_published():
    result = call("schema")
    assert (result.exit_code, result.stdout) == (0, format_schema())


def test_keys_are_made_for_their_owners_eyes_alone_and_used(tmp_path):
    genesis = made(tmp_path / "g.json", "--validators", 2, "--account", "treasury:1")
    keys = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.key"))
    assert len(keys) == 2 * 4 + 4 + 1
    for path in keys:
        assert stat.S_IMODE((tmp_path / path).stat().st_mode) == 0o600
    vote = read_key(tmp_path / "keys/validator-0/validator.key").public
    assert vote in {validator.vote_key for validator in genesis.validators}
    treasury = address_of(read_key(tmp_path / "keys/treasury.key").public)
    assert [account.address for account in genesis.accounts] == [treasury]


def test_stock_backs_exactly_what_there_is(tmp_path):
    genesis = made(
        tmp_path / "g.json", "--validators", 3, "--stake", "7", "--account", "a:1.25",
        "--stock-kind", "uht", "--stock-days", 9,
    )  # fmt: skip
    assert [(s.name, s.kind, s.units / UNITS_PER_BILL) for s in genesis.stock] == [
        ("stake", "uht", 21.0), ("accounts", "uht", 1.25),
    ]  # fmt: skip


def test_others_are_seated_by_their_public_keys(tmp_path):
    owner = format_address(address_of(key("owner").public), "dbill")
    seat = f"{key('v').public.hex()}:{key('w').public.hex()}:{owner}:12"
    meter = f"{key('meter').public.hex()}:milk_meter:plant-1:{owner}:{GENESIS_MS + 5}"
    genesis = made(
        tmp_path / "g.json", "--validators", 0, "--validator", seat, "--device", meter,
        "--account", f"{owner}:1", "--role", f"mmu:{owner}",
        *(word for name in "abcd" for word in ("--role", f"attestor:{key(name).public.hex()}")),
    )  # fmt: skip
    assert list(tmp_path.rglob("*.key")) == []
    assert genesis.validators[0].vote_key == key("v").public
    assert genesis.devices[0].operator == address_of(key("owner").public)
    assert {grant.role for grant in genesis.roles} == {Role.ATTESTOR, Role.MMU}


@pytest.mark.parametrize("development", [True, False])
def test_a_network_begins_with_four_attestors(tmp_path, development):
    genesis = made(tmp_path / "g.json", f"--{'' if development else 'no-'}development")
    assert sum(grant.role is Role.ATTESTOR for grant in genesis.roles) == 4
    assert genesis.development is development


def test_parameters_are_laid_over_the_defaults(tmp_path):
    file = tmp_path / "p.json"
    file.write_text(json.dumps({"fee_least_units": 7, "staking": {"epoch_blocks": 50}}))
    genesis = made(tmp_path / "g.json", "--parameters", file)
    assert genesis.parameters.fee_least_units == 7
    assert genesis.parameters.staking.epoch_blocks == 50
    assert genesis.parameters.staking.committee_max == 100


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--account", "alice"], "HOLDER:BILL"),
        (["--account", "alice:1.2.3"], "--account alice:1.2.3"),
        (["--account", "Al ice:1"], "neither an address nor a key's name"),
        (["--account", "../up:1"], "neither an address nor a key's name"),
        (["--role", "king:alice"], "none of"),
        (["--device", "x:y"], "CALIBRATED_UNTIL_MS"),
        (["--device", "m:clock:p:o:5"], "flow_meter"),
        (["--device", "m:milk_meter:p:o:soon"], "milliseconds"),
        (["--validator", "a:b:c"], "VOTE_KEY:VRF_KEY:OWNER:BILL"),
        (["--stake", "lots"], "--stake"),
        (["--line", "p:l:m:continuous@1:t"], "PLANT:LINE:MMU:PROCESS@LITRES:TANK:DEVICE"),
        (["--line", "p:l:m:boiled@1:t:d"], "none of batch, continuous"),
        (["--line", "p:l:m:continuous:t:d"], "--line p:l:m:continuous:t:d: '' is not the litres"),
        (["--line", "p:l:m:continuous@1:t:d,"], "neither a key in hex nor a key's name"),
        (["--permit", "f:m:*:*:9"], "FARM:MMU:METER:COLLECTOR:LITRES_A_DAY:UNTIL_MS"),
        (["--permit", "f:m:*:*:all:9"], "'all' is not litres a day"),
        (["--permit", "f:m:*:*:9:soon"], "'soon' is not a time in milliseconds"),
        (["--parameters", "/none"], "can't be read"),
    ],
)
def test_a_wrong_word_is_named(tmp_path, words, told):
    error = fault("new", "--out", tmp_path / "g.json", *words)
    assert isinstance(error, BadArgument)
    assert told in str(error)
    assert not (tmp_path / "g.json").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [("[]", "one JSON object"), ("{", "not JSON"), ('{"x": 1}', "x is no parameter"),
     ('{"fee_least_units": "a"}', "fee_least_units"),
     ('{"fee_least_units": 1, "fee_least_units": 2}', "/fee_least_units: the name stands twice"),
     ('{"staking": ' + "[" * 40 + "]" * 40 + "}", "nests deeper"),
     ('{"staking": {"epochs": 1}}', "staking.epochs is no parameter")],
)  # fmt: skip
def test_wrong_parameters_are_named(tmp_path, text, told):
    (tmp_path / "p.json").write_text(text)
    error = fault("new", "--out", tmp_path / "g.json", "--parameters", tmp_path / "p.json")
    assert told in str(error)


def test_a_genesis_is_never_overwritten(tmp_path):
    made(tmp_path / "g.json")
    assert "never overwritten" in str(fault("new", "--out", tmp_path / "g.json"))


def test_a_chain_that_cannot_begin_is_not_written(tmp_path):
    error = fault("new", "--out", tmp_path / "g.json", "--validators", 0)
    assert isinstance(error, BadGenesis)
    assert "must be 1 to 128" in str(error)
    assert not (tmp_path / "g.json").exists()


def test_check_says_what_begins(tmp_path):
    genesis = made(tmp_path / "g.json", "--validators", 2, "--stake", "1")
    shown = json.loads(call("check", tmp_path / "g.json", "--json").stdout)
    assert (shown["ok"], shown["chain_id"]) == (True, genesis.chain_id.hex())
    assert shown["supply_bill"] == "2.000000"
    assert len(shown["validators"]) == 2
    assert any("no regulator" in remark for remark in shown["remarks"])
    assert any("fewer than four" in remark for remark in shown["remarks"])
    text = call("check", tmp_path / "g.json").stdout
    assert genesis.chain_id.hex() in text
    assert "2.000000 BILL" in text


def test_check_says_where_a_file_is_wrong(tmp_path):
    path = tmp_path / "g.json"
    made(path)
    whole = json.loads(path.read_text())
    whole["validators"][1]["owner"] = "dbill1wrong"
    path.write_text(json.dumps(whole))
    assert "validators[1].owner" in str(fault("check", path))
    assert "can't be read" in str(fault("check", tmp_path / "none.json"))
