"""Every body of the law can be written in words, and what is wrong with words is one line."""

import json

import msgspec
import pytest

from ledger.primitives.keys import format_address
from ledger.types.milk import ChallengeLot
from ledger.types.registry import FreezeAccount, RegisterDevice
from node.cli.tx_bodies import read_body, read_policy
from node.errors import BadArgument
from tests.support.ledger.dairy import PLANT, key
from tests.support.ledger.samples import sample_bodies
from tests.support.ledger.town import Town

BODIES = sample_bodies(Town())
ALICE = Town.address("alice")


def in_words(value):
    """Write a body as a person would: names for fields, hex for bytes."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return [in_words(each) for each in value]
    if isinstance(value, msgspec.Struct):
        tag = type(value).__struct_config__.tag
        names = zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True)
        fields = {public: in_words(getattr(value, name)) for public, name in names}
        return {"type": tag, **fields} if tag else fields
    return value


@pytest.mark.parametrize("body", BODIES, ids=[type(body).__name__ for body in BODIES])
def test_every_body_is_read_from_words(tmp_path, body):
    words = in_words(body)
    if isinstance(words.get("mint"), dict):
        del words["mint"]["type"]  # It can be nothing else there.
    path = tmp_path / "body.json"
    path.write_text(json.dumps(words))
    assert read_body(path, "dbill") == body


def test_addresses_stand_as_people_write_them_and_what_has_a_default_may_be_left(tmp_path):
    path = tmp_path / "body.json"
    words = {"type": "freeze_account", "address": format_address(ALICE, "dbill"), "frozen": True}
    path.write_text(json.dumps(words))
    assert read_body(path, "dbill") == FreezeAccount(ALICE, True)
    gauge = RegisterDevice(key("new").public, "tank_gauge", PLANT, ALICE, 5)
    words = in_words(gauge)
    del words["flow_max_l_per_h"]
    path.write_text(json.dumps(words))
    assert read_body(path, "dbill") == gauge


def test_a_field_keeps_its_public_name_whatever_the_code_calls_it(tmp_path):
    path = tmp_path / "body.json"
    lot, grounds = "11" * 32, "22" * 32
    words = {"type": "challenge_lot", "lot": lot, "deposit": 7, "grounds": grounds}
    path.write_text(json.dumps(words))
    assert read_body(path, "dbill") == ChallengeLot(b"\x11" * 32, 7, b"\x22" * 32)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "is not JSON"),
        ('{"type": "fund_subsidy", "units": 1, "units": 7}', "/units: the name stands twice"),
        ('{"type": "fund_subsidy", "units": ' + "[" * 40 + "]" * 40 + "}", "nests deeper"),
        ('{"type": "fund_subsidy", "units": NaN}', "NaN is not a number"),
        ('{"type": "fund_subsidy", "units": 5.0}', "int"),
        ('{"type": "fund_subsidy", "units": 5}' + " " * 2**20, "are allowed"),
        ("[]", "one JSON object"),
        ('{"type": "freeze"}', "freeze_account"),
        ('{"type": "freeze_account"}', "must be there"),
        ('{"type": "bond", "validator": "00", "units": 5, "more": 1}', "is no field"),
        ('{"type": "bond", "validator": "00", "units": 5}', "length"),
        ('{"type": "bond", "validator": "zz", "units": 5}', "neither hex nor an address"),
        ('{"type": "bond", "validator": "00 11", "units": 5}', "neither hex nor an address"),
        ('{"type": "recall_lot", "lot": "dbill1x"}', "body.json"),
        ('{"type": "fund_subsidy", "units": -1}', ">= 0"),
        ('{"type": "fund_subsidy", "units": "5"}', "int"),
    ],
)
def test_what_is_wrong_with_a_body_is_told(tmp_path, text, why):
    path = tmp_path / "body.json"
    path.write_text(text)
    with pytest.raises(BadArgument, match=why):
        read_body(path, "dbill")


def test_of_two_thresholds_of_a_policy_none_is_taken(tmp_path):
    path = tmp_path / "policy.json"
    keys = json.dumps([key(name).public.hex() for name in "abc"])
    path.write_text(f'{{"threshold": 3, "keys": {keys}, "threshold": 1}}')
    with pytest.raises(BadArgument, match="/threshold: the name stands twice"):
        read_policy(path)


def test_a_policy_is_the_same_in_any_order_of_its_keys(tmp_path):
    path = tmp_path / "policy.json"
    keys = [key(name).public.hex() for name in "abc"]
    path.write_text(json.dumps({"threshold": 2, "keys": keys}))
    first = read_policy(path)
    path.write_text(json.dumps({"threshold": 2, "keys": keys[::-1]}))
    assert read_policy(path) == first
    assert (first.threshold, len(first.keys)) == (2, 3)


@pytest.mark.parametrize(
    "words",
    [
        {"threshold": 3, "keys": ["00" * 32]},
        {"threshold": 1, "keys": ["00"]},
        {"threshold": 1, "keys": ["zz"]},
        {"keys": []},
        {"threshold": 1, "keys": ["00" * 32] * 2},
    ],
)
def test_a_policy_that_cannot_be_met_is_none(tmp_path, words):
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(words))
    with pytest.raises(BadArgument, match="threshold"):
        read_policy(path)
