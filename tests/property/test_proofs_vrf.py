"""Laws of the VRF: whoever proves is believed, nothing else is, and garbage is only refused."""

from hypothesis import given, settings
from hypothesis import strategies as st

from consensus import vrf

SEEDS = st.binary(min_size=32, max_size=32)
INPUTS = st.binary(max_size=200)


@given(SEEDS, INPUTS)
@settings(max_examples=50)
def test_what_is_proven_verifies_and_gives_the_proofs_own_output(secret, alpha):
    proof = vrf.prove(secret, alpha)
    assert len(proof) == vrf.PROOF_BYTES
    output = vrf.verify(vrf.public_key(secret), alpha, proof)
    assert output == vrf.proof_to_hash(proof)
    assert len(output) == vrf.OUTPUT_BYTES
    assert vrf.prove(secret, alpha) == proof, "no randomness is in it"


@given(SEEDS, INPUTS, st.integers(0, vrf.PROOF_BYTES - 1), st.integers(1, 255))
def test_no_altered_proof_verifies(secret, alpha, place, change):
    proof = bytearray(vrf.prove(secret, alpha))
    proof[place] ^= change
    assert vrf.verify(vrf.public_key(secret), alpha, bytes(proof)) is None


@given(SEEDS, INPUTS, INPUTS)
@settings(max_examples=50)
def test_two_inputs_have_two_outputs(secret, one, other):
    first, second = (vrf.proof_to_hash(vrf.prove(secret, alpha)) for alpha in (one, other))
    assert (first == second) == (one == other)


@given(st.binary(max_size=40), INPUTS, st.binary(max_size=100))
def test_garbage_is_refused_and_raises_nothing(public, alpha, proof):
    assert vrf.verify(public, alpha, proof) is None


@given(st.binary(min_size=80, max_size=80))
def test_any_eighty_bytes_have_an_output_or_none(proof):
    output = vrf.proof_to_hash(proof)
    assert output is None or len(output) == vrf.OUTPUT_BYTES
