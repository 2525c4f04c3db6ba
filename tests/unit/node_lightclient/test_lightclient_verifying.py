"""The light client: what a good proof proves, and that each way to break one has its own name."""

import msgspec
import pytest

from ledger.genesis import format_genesis
from ledger.primitives.codec import encode
from ledger.primitives.scalars import Epoch
from node.lightclient import (
    Anchor,
    anchor_of,
    errors,
    find_fork,
    format_anchor,
    parse_anchor,
    verify_proof,
)
from node.lightclient.verifying import CLOCK_DRIFT_MS, TRUSTING_MS
from tests.support.lightclient.broken_proofs import BROKEN, ODDLY_SIGNED, forged
from tests.support.lightclient.proof_chain import PAYEE, START_MS, grown, payment
from tests.support.node.homes import make_genesis

NOW_MS = START_MS + 60_000
replace = msgspec.structs.replace


@pytest.fixture(scope="module")
def chain():
    return grown()


def check(proof, anchor, now_ms=NOW_MS):
    return verify_proof(encode(proof), anchor, now_ms)


def test_a_proof_tells_what_was_paid_where_and_when(chain):
    proven = check(chain.proof(3, 1), chain.anchor())
    body = proven.transaction.intent.body
    assert (body.to, body.units, body.reference) == (PAYEE, 1_800_000, bytes([4]) * 32)
    assert proven.txid == payment(4).id
    assert proven.block == chain.header(3)
    assert proven.block_hash == chain.header(3).hash()
    assert proven.took_effect


def test_a_failed_payment_is_proven_as_failed(chain):
    proven = check(chain.proof(3, 2), chain.anchor())
    assert not proven.took_effect
    assert proven.receipt.code == "insufficient_funds"


@pytest.mark.parametrize("height", range(1, 15))
def test_every_payment_of_every_block_can_be_proven_from_the_first_anchor(chain, height):
    for index in range(height):
        proven = check(chain.proof(height, index), chain.anchor())
        assert proven.receipt.txid == chain.bodies[height - 1][1][index].txid


def test_a_later_finalization_proves_an_earlier_block(chain):
    proven = check(chain.proof(9, 0, head=12), chain.anchor())
    assert proven.block.height == 9
    assert proven.final_headers[-1].header.height == 12


def test_a_verified_proof_gives_a_newer_anchor_that_verifies_what_follows(chain):
    newer = check(chain.proof(9), chain.anchor()).anchor
    assert (newer.epoch, newer.time_ms) == (2, chain.header(9).time_ms)
    assert newer.committee == chain.committee(2)
    assert check(chain.proof(14, start=2), newer).anchor.epoch == 3


def test_links_below_the_anchor_are_passed_over_so_old_files_stay_good(chain):
    assert check(chain.proof(14), chain.anchor(2)).block.height == 14


def test_a_boundary_that_was_proposed_again_is_final_in_a_later_view(chain):
    later = replace(chain.proof(4), finalization=chain.certify(4, view=20, parent_view=19))
    assert check(later, chain.anchor()).block.height == 4
    link = replace(chain.link(0), finalization=chain.certify(4, view=20, parent_view=7))
    proof = replace(chain.proof(5), links=(link,))
    assert check(proof, chain.anchor()).block.height == 5


def test_an_anchor_is_good_to_the_last_millisecond_of_its_period(chain):
    proof, end_ms = chain.proof(1), chain.anchor().time_ms + TRUSTING_MS
    assert check(proof, chain.anchor(), end_ms)
    with pytest.raises(errors.AnchorExpired, match="14 days"):
        check(proof, chain.anchor(), end_ms + 1)


def test_a_clock_may_be_slow_but_not_wrong(chain):
    early_ms = chain.header(1).time_ms - CLOCK_DRIFT_MS
    assert check(chain.proof(1), chain.anchor(), early_ms)
    with pytest.raises(errors.FutureBlock):
        check(chain.proof(1), chain.anchor(), early_ms - 1)


@pytest.mark.parametrize(("broken", "fault"), BROKEN + ODDLY_SIGNED)
def test_each_broken_part_has_its_own_fault(chain, broken, fault):
    with pytest.raises(fault) as caught:
        check(broken(chain), chain.anchor())
    assert type(caught.value) is fault
    assert str(caught.value)


def test_a_block_before_the_anchor_is_not_proven(chain):
    with pytest.raises(errors.BeforeAnchor):
        check(chain.proof(3), chain.anchor(1))


@pytest.mark.parametrize("raw", [b"", b"\xc0", b"\x93\x01\x02\x03", b"\x91" * 5_000, bytes(100)])
def test_what_is_no_proof_is_a_bad_encoding(chain, raw):
    with pytest.raises(errors.BadEncoding):
        verify_proof(raw, chain.anchor(), NOW_MS)


def test_a_trailing_byte_is_a_bad_encoding(chain):
    with pytest.raises(errors.BadEncoding):
        verify_proof(encode(chain.proof(1)) + b"\0", chain.anchor(), NOW_MS)


def fault_classes(root=errors.ProofFault):
    return [root, *(each for sub in root.__subclasses__() for each in fault_classes(sub))]


def test_codes_are_unique_and_drawn_in_the_tree():
    codes = [fault.code for fault in fault_classes()]
    assert len(codes) == len(set(codes))
    assert all(fault.__name__ in errors.__doc__ for fault in fault_classes())


def test_an_anchor_file_gives_the_anchor_back(chain):
    anchor = chain.anchor(2)
    assert parse_anchor(format_anchor(anchor).encode()) == anchor


def test_a_genesis_file_is_an_anchor():
    genesis = make_genesis(4)
    anchor = parse_anchor(format_genesis(genesis).encode())
    assert anchor == anchor_of(genesis)
    assert (anchor.epoch, anchor.chain_id) == (0, genesis.chain_id)
    assert isinstance(anchor, Anchor)


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"{}", b"[" * 100_000, b'{"parameters": 1}', b"\xff", b'{"chain_id": "zz"}'],
)
def test_what_is_no_anchor_is_told(text):
    with pytest.raises(errors.BadAnchor):
        parse_anchor(text)


def test_an_anchor_whose_seats_are_out_of_order_is_refused(chain):
    file = msgspec.json.decode(format_anchor(chain.anchor()))
    file["validators"].reverse()
    with pytest.raises(errors.BadAnchor, match="ascend"):
        parse_anchor(msgspec.json.encode(file))


def test_two_proofs_of_one_chain_are_no_fork(chain):
    one, other = encode(chain.proof(3, head=4)), encode(chain.proof(14))
    assert find_fork(one, other, chain.anchor(), NOW_MS) is None
    assert find_fork(one, one, chain.anchor(), NOW_MS) is None


def test_two_final_blocks_of_one_view_are_a_fork_with_evidence(chain):
    other = grown(branch=1)
    fork = find_fork(encode(chain.proof(3)), encode(other.proof(3)), chain.anchor(), NOW_MS)
    assert fork.height == 3
    assert fork.blocks == (chain.header(3).hash(), other.header(3).hash())
    assert [double.key for double in fork.evidence] == list(fork.signers)
    committee = chain.committee(0)
    assert 3 * sum(committee.stake(committee.member(key)) for key in fork.signers) > committee.total
    for double in fork.evidence:
        assert double.first.subject.view == double.second.subject.view
        assert double.first.subject.block_hash != double.second.subject.block_hash


def test_a_fork_below_the_final_blocks_is_seen_on_the_path_and_names_who_signed_both(chain):
    other = grown(branch=1)
    fork = find_fork(
        encode(chain.proof(1, head=3)), encode(other.proof(1, head=4)), chain.anchor(), NOW_MS
    )
    assert fork.height == 1
    assert set(fork.signers) <= {seat.key for seat in chain.committee(0).seats}
    assert fork.signers
    assert fork.evidence == (), "two views: nullifications are needed to tell who lied"


def test_a_fork_at_a_boundary_is_seen_in_the_links(chain):
    other = grown(branch=1)
    fork = find_fork(encode(chain.proof(6)), encode(other.proof(9)), chain.anchor(), NOW_MS)
    assert fork.height == 4
    assert len(fork.evidence) == 2


def test_a_fork_needs_two_proofs_that_verify(chain):
    with pytest.raises(errors.WrongVoteSignature):
        find_fork(encode(chain.proof(3)), encode(forged(chain)), chain.anchor(), NOW_MS)


def test_an_advanced_anchor_never_grows_older(chain):
    late = Anchor(chain.anchor().chain_id, "dbill", Epoch(0), START_MS + 50_000, chain.committee(0))
    assert check(chain.proof(1), late).anchor == late
