"""A proof is good for one purpose, chain, host, subject and time, and for nothing on the ledger."""

from dataclasses import replace

import pytest

from api.people.challenges import (
    KeyChallenge,
    ProofPurpose,
    WalletProof,
    draw_nonce,
    is_ours,
    proven_address,
)
from ledger.primitives.hashing import Domain
from ledger.primitives.keys import Policy, Seed, SigningKey, address_of

KEY = bytes(32)
FIRST, SECOND, THIEF = (SigningKey(Seed(bytes([number]) * 32)) for number in (1, 2, 3))
ASKED = KeyChallenge(
    purpose=ProofPurpose.LINK, chain_id=bytes(32), host="milk.example", nonce=bytes(32),
    expires_ms=1_000_000,
)  # fmt: skip
BOTH = Policy(1, tuple(sorted((FIRST.public, SECOND.public))))


def proof(*signers: SigningKey, policy: Policy | None = None, message: bytes = b"") -> WalletProof:
    text = message or ASKED.message()
    shown = policy or Policy.single(signers[0].public)
    return WalletProof(shown, [(key.public, key.sign(text)) for key in signers])


def test_the_message_is_what_the_document_says_byte_for_byte():
    assert ASKED.message() == (
        b"BILLCOIN/link/1"
        + bytes(32)
        + b"\x0cmilk.example"
        + bytes(32)
        + (1_000_000).to_bytes(8, "big")
    )


def test_an_account_is_proven_by_its_key():
    assert proven_address(proof(FIRST), ASKED.message()) == address_of(FIRST.public)


def test_either_key_of_a_one_of_two_account_proves_it():
    for key in (FIRST, SECOND):
        assert proven_address(proof(key, policy=BOTH), ASKED.message()) == BOTH.address()


def test_an_account_of_two_keys_needs_both():
    both = Policy(2, BOTH.keys)
    assert proven_address(proof(FIRST, policy=both), ASKED.message()) is None
    assert proven_address(proof(FIRST, SECOND, policy=both), ASKED.message()) == both.address()
    twice = WalletProof(both, proof(FIRST, FIRST).signatures)
    assert proven_address(twice, ASKED.message()) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"purpose": ProofPurpose.LOGIN},
        {"purpose": ProofPurpose.TERMINAL},
        {"chain_id": b"\1" * 32},
        {"host": "evil.example"},
        {"nonce": b"\1" * 32},
        {"expires_ms": 1_000_001},
    ],
)
def test_a_proof_of_something_else_proves_nothing(changes):
    other = replace(ASKED, **changes).message()
    assert proven_address(proof(FIRST, message=other), ASKED.message()) is None


def test_a_stranger_s_signature_under_another_s_account_proves_nothing():
    assert proven_address(proof(THIEF, policy=Policy.single(FIRST.public)), ASKED.message()) is None
    assert proven_address(WalletProof(BOTH, []), ASKED.message()) is None
    swapped = Policy(1, tuple(reversed(BOTH.keys)))
    assert proven_address(proof(FIRST, policy=swapped), ASKED.message()) is None


def test_a_nonce_is_good_for_its_purpose_subject_and_time():
    nonce = draw_nonce(KEY, ProofPurpose.LOGIN, "01HUNION", 1_000)
    good = (KEY, ProofPurpose.LOGIN, "01HUNION", nonce, 1_000, 999)
    assert is_ours(*good)
    for place, other in enumerate(
        (b"\1" * 32, ProofPurpose.TERMINAL, "01HOTHER", b"\1" * 32, 1_001, 1_000)
    ):
        assert not is_ours(*good[:place], other, *good[place + 1 :])  # type: ignore[arg-type]
    assert not is_ours(KEY, ProofPurpose.LOGIN, "01HUNION", b"", 1_000, 999)


def test_no_purpose_begins_a_text_that_the_ledger_has_keys_sign():
    purposes = [purpose.encode() for purpose in ProofPurpose]
    signed = [domain.value for domain in Domain]
    assert not [(a, b) for a in purposes for b in signed if a.startswith(b) or b.startswith(a)]
