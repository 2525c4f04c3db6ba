"""Who a signer is: tokens that only the account's key makes, for one chain and a minute."""

import pytest

from api.signing.token import TOKEN_AHEAD_MS_MAX, TOKEN_MS, format_token, read_token, token_text
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Signature
from tests.support.api.signing import CHAIN, OPERATING, START_MS, key_of

KEY = key_of("operating")


def token(until_ms=START_MS + TOKEN_MS, chain=CHAIN, key=KEY):
    return format_token(key.public, until_ms, key.sign(token_text(chain, until_ms)))


def test_a_token_names_the_account_whose_key_signed_it():
    assert read_token(token(), CHAIN, START_MS) == OPERATING


@pytest.mark.parametrize("now_ms", [START_MS + TOKEN_MS, START_MS - TOKEN_AHEAD_MS_MAX])
def test_a_token_is_good_for_its_time_alone(now_ms):
    assert read_token(token(), CHAIN, now_ms) is None


def test_a_token_of_another_chain_is_none():
    assert read_token(token(chain=Hash(bytes(32))), CHAIN, START_MS) is None


def test_a_token_that_another_key_signed_is_none():
    until_ms = START_MS + TOKEN_MS
    stolen = key_of("thief").sign(token_text(CHAIN, until_ms))
    assert read_token(format_token(KEY.public, until_ms, stolen), CHAIN, START_MS) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bcs",
        "bcs___",
        token().replace("bcs", "bck"),
        token() + "_",
        token().replace(str(START_MS + TOKEN_MS), "１８"),
        token().replace(str(START_MS + TOKEN_MS), "9" * 400),
        token().replace(str(START_MS + TOKEN_MS), f"{START_MS + TOKEN_MS}.0"),
        format_token(KEY.public[:31], START_MS + TOKEN_MS, Signature(bytes(64))),
        format_token(KEY.public, START_MS + TOKEN_MS, Signature(bytes(63))),
        "bcs_zz_1_zz",
    ],
)
def test_anything_else_is_no_token(text):
    assert read_token(text, CHAIN, START_MS) is None


def test_what_a_token_signs_is_never_a_transaction():
    assert token_text(CHAIN, 1).startswith(b"BILLCOIN/signer/1")
