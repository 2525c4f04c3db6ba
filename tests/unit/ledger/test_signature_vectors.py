"""Signatures on which libraries differ: the chain's answer, and how a lenient library gets it."""

import json

import pytest

from ledger.primitives.keys import verify
from tests.support.ledger.odd_signatures import MISSPELT, SMALL
from tests.support.ledger.strict_ed25519 import CHECKS, SMALL_Y, lenient, recover, unsigned
from tests.vectors import signatures_vectors, transactions_vectors

VECTORS = json.loads(signatures_vectors.FILE.read_text("utf-8"))
SIGNATURES = VECTORS["signatures"]
TRANSACTIONS = json.loads(transactions_vectors.FILE.read_text("utf-8"))


def parts(vector):
    return tuple(bytes.fromhex(vector[name]) for name in ("key", "message", "signature"))


def test_the_vectors_are_what_the_code_makes():
    assert signatures_vectors.build() == VECTORS
    assert transactions_vectors.build() == TRANSACTIONS


@pytest.mark.parametrize("vector", SIGNATURES, ids=lambda v: v["name"].replace(" ", "-"))
def test_the_equation_behind_the_texts_checks_says_what_the_chain_says(vector):
    key, message, signature = parts(vector)
    checked = all(check(key, signature) for check in CHECKS.values())
    assert (checked and lenient(key, message, signature)) is vector["valid"]
    assert verify(key, message, signature) is vector["valid"]


def test_a_vector_shows_each_check_that_a_lenient_library_needs():
    """All but the key's spelling: of no such key that is not of small order is a scalar known."""
    wrong = [parts(each) for each in SIGNATURES if not each["valid"] and lenient(*parts(each))]
    for name, check in CHECKS.items():
        others = [other for other in CHECKS.values() if other is not check]
        shown = any(
            not check(key, signature) and all(other(key, signature) for other in others)
            for key, _, signature in wrong
        )
        assert shown is (name != "the key is canonical"), name


def test_the_seven_spellings_are_all_that_points_of_small_order_have():
    spelled = {unsigned(point) for point in SMALL} | {unsigned(at) for at, _ in MISSPELT.values()}
    assert spelled == SMALL_Y
    assert {recover(at)[1] for at in SMALL_Y} == {recover(point)[1] for point in SMALL}


def test_what_passes_a_verifier_with_cofactor_is_among_the_vectors():
    refused = [each["name"] for each in SIGNATURES if not each["valid"]]
    assert {"a small part in R", "a small part in the key"} <= set(refused)


def test_transactions_are_refused_by_every_code_of_an_envelope_or_a_basket():
    codes = {case["code"] for case in TRANSACTIONS["cases"]}
    assert codes == {
        "", "malformed", "wrong_chain", "bad_policy", "bad_signature_places", "bad_signature",
        "transaction_expired", "fee_too_low", "zero_units", "unordered_basket",
        "redeems_too_much", "unknown_lot", "short_lot",
    }  # fmt: skip
