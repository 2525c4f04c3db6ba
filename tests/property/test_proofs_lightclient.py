"""Laws of finality proofs: what was built verifies, what was touched does not, garbage is told."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.primitives.codec import encode
from ledger.primitives.merkle import merkle_root
from node.lightclient import (
    TRUSTING_MS,
    ProofFault,
    find_fork,
    format_anchor,
    parse_anchor,
    verify_proof,
)
from node.lightclient.building import steps_to
from node.lightclient.verifying import climb
from tests.support.lightclient import stranger
from tests.support.lightclient.proof_chain import CHAIN_ID, START_MS, ProofChain, grown

NOW_MS = START_MS + 60_000
CHAIN = grown()
ANCHOR = CHAIN.anchor()
SHORT = encode(CHAIN.proof(3, 1))
LONG = encode(CHAIN.proof(9, 4, head=11))


def is_refused(raw: bytes) -> bool:
    try:
        verify_proof(raw, ANCHOR, NOW_MS)
    except ProofFault:
        return True
    return False


@given(st.sampled_from([SHORT, LONG]), st.data(), st.integers(1, 255))
@settings(max_examples=400)
def test_no_proof_with_a_changed_byte_verifies(raw, data, change):
    assert not is_refused(raw)
    place = data.draw(st.integers(0, len(raw) - 1))
    assert is_refused(raw[:place] + bytes([raw[place] ^ change]) + raw[place + 1 :])


@given(st.sampled_from([SHORT, LONG]), st.data(), st.integers(0, 7))
@settings(max_examples=300)
def test_the_product_and_a_stranger_refuse_for_the_same_reason(raw, data, bit):
    place = data.draw(st.integers(0, len(raw) - 1))
    changed = raw[:place] + bytes([raw[place] ^ 1 << bit]) + raw[place + 1 :]
    with pytest.raises(ProofFault) as caught:
        verify_proof(changed, ANCHOR, NOW_MS)
    with pytest.raises(stranger.Refused) as refused:
        stranger.verify(changed, json.loads(format_anchor(ANCHOR)), NOW_MS, TRUSTING_MS)
    assert refused.value.args == (caught.value.code,)


def test_no_proof_with_a_flipped_lowest_bit_verifies_wherever_it_is():
    for place in range(len(SHORT)):
        assert is_refused(SHORT[:place] + bytes([SHORT[place] ^ 1]) + SHORT[place + 1 :]), place


@given(st.sampled_from([SHORT, LONG]), st.data())
def test_no_proof_with_bytes_cut_or_added_verifies(raw, data):
    start = data.draw(st.integers(0, len(raw) - 1))
    end = data.draw(st.integers(start, len(raw)))
    more = data.draw(st.binary(max_size=8))
    changed = raw[:start] + more + raw[end:]
    assert changed == raw or is_refused(changed)


@given(st.binary(max_size=300))
def test_garbage_is_a_fault_of_the_tree(raw):
    assert is_refused(raw)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=64)
    | st.sampled_from(["billcoin-proof-1", "cert", "transfer", ""]),
    lambda inner: st.lists(inner, max_size=10),
    max_leaves=60,
)  # fmt: skip


@given(PLAIN, st.data())
@settings(max_examples=300)
def test_well_formed_nonsense_is_a_fault_of_the_tree(value, data):
    """A part of a good proof is replaced by anything that MessagePack can say."""
    found = msgspec.msgpack.decode(LONG)
    nodes = [found]
    while len(nodes) < 6:
        inner = [each for each in nodes[-1] if isinstance(each, list) and each]
        if not inner or data.draw(st.booleans()):
            break
        nodes.append(data.draw(st.sampled_from(inner)))
    nodes[-1][data.draw(st.integers(0, len(nodes[-1]) - 1))] = value
    raw = msgspec.msgpack.encode(found)
    assert raw == LONG or is_refused(raw)


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_garbage_is_no_anchor_and_raises_only_that(text):
    with pytest.raises(ProofFault) as caught:
        parse_anchor(text)
    assert caught.value.code == "bad_anchor"


@given(st.lists(st.binary(max_size=8), min_size=1, max_size=40), st.data())
def test_steps_lead_from_every_leaf_to_the_root(leaves, data):
    index = data.draw(st.integers(0, len(leaves) - 1))
    steps = steps_to(leaves, index)
    assert climb(leaves[index], steps) == merkle_root(leaves)
    for at, step in enumerate(steps):
        turned = (*steps[:at], msgspec.structs.replace(step, left=not step.left), *steps[at + 1 :])
        node = climb(leaves[index], turned)
        assert node != merkle_root(leaves) or step.hash == climb(leaves[index], steps[:at])


@given(st.lists(st.integers(1, 2**40), min_size=1, max_size=12), st.data())
@settings(max_examples=60)
def test_whoever_forks_with_two_quorums_is_named_with_over_a_third_of_the_stake(stakes, data):
    one, other = (ProofChain(branch, stakes=(tuple(stakes),)) for branch in (0, 1))
    committee = one.committee(0)
    raws = []
    for chain in (one, other):
        chain.add(1)
        order = data.draw(st.permutations(range(len(stakes))))
        raws.append(encode(_finalized_by_the_first(chain, committee, order)))
    fork = find_fork(*raws, one.anchor(), NOW_MS)
    guilty = sum(committee.stake(committee.member(key)) for key in fork.signers)
    assert 3 * guilty > committee.total
    assert len(fork.evidence) == len(fork.signers)
    for double in fork.evidence:
        assert double.first.subject != double.second.subject
        for vote in (double.first, double.second):
            assert committee.seats[vote.signer].key == double.key
            assert vote.subject.signing_bytes(CHAIN_ID)


def _finalized_by_the_first(chain, committee, order):
    """Finalize by members in this order, as few as make a minimal quorum."""
    members = []
    for member in order:
        members.append(member)
        if sum(committee.stake(m) for m in members) >= committee.quorum:
            break
    for member in sorted(members, key=committee.stake):
        rest = [m for m in members if m != member]
        if sum(committee.stake(m) for m in rest) >= committee.quorum:
            members = rest
    certificate = chain.certify(1, members=sorted(members))
    return msgspec.structs.replace(chain.proof(1), finalization=certificate)
