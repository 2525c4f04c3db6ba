"""The simulator's memory of VRF proofs: the genuine answers, each worked out once."""

import pytest

from consensus import vrf
from ledger.primitives.keys import Seed
from simulator.virtual import signatures

SECRET = Seed(b"\x07" * 32)
KEY = vrf.public_key(SECRET)


def test_remembered_draws_are_the_genuine_ones() -> None:
    memory = signatures.RememberingDraws()
    proof = vrf.prove(SECRET, b"alpha")
    for _ in range(2):
        assert memory.prove(SECRET, b"alpha") == proof
        assert memory.verify(KEY, b"alpha", proof) == vrf.verify(KEY, b"alpha", proof)
        for lie in (b"", proof[:-1], proof[:32] + bytes([proof[32] ^ 1]) + proof[33:]):
            assert memory.verify(KEY, b"alpha", vrf.VrfProof(lie)) is None
        assert memory.verify(KEY, b"beta", proof) is None


def test_nothing_is_worked_out_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    memory, asked = signatures.RememberingDraws(), []
    proof = memory.prove(SECRET, b"alpha")
    memory.verify(KEY, b"alpha", proof)
    for name in ("prove", "verify"):
        monkeypatch.setattr(vrf, name, lambda *_: asked.append(1))
    assert memory.prove(SECRET, b"alpha") == proof
    assert memory.verify(KEY, b"alpha", proof) is not None
    assert asked == []


def test_a_full_memory_forgets_and_answers_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signatures, "REMEMBERED_MAX", 2)
    memory = signatures.RememberingDraws()
    first = [memory.prove(SECRET, bytes([i])) for i in range(5)]
    assert [memory.prove(SECRET, bytes([i])) for i in range(5)] == first
