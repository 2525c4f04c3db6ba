"""The audit of a chain over many epochs: seams, handed-over committees, and drawn seeds."""

import pytest
from msgspec.structs import replace

from consensus.messages import MESSAGE_BYTES_MAX, Certificate
from consensus.params import Params
from ledger.params import default_parameters
from ledger.primitives.codec import decode, encode
from ledger.state.names import epoch_name
from ledger.state.tables import COMMITTEES
from ledger.store import MemoryStore
from ledger.store.schema import BLOCK, COMMITTEE, FINALIZATION, height_key
from ledger.types.block import Block
from node.tools.audit import NodeAudit, audit_store
from node.tools.findings import Findings
from tests.support.ledger.dairy import Dairy
from tests.support.node.cluster import Cluster

EPOCH_BLOCKS = 5
BLOCKS = 4 * EPOCH_BLOCKS + 2


def made():
    rules = default_parameters(development=True)
    staking = replace(rules.staking, epoch_blocks=EPOCH_BLOCKS)
    dairy = Dairy(parameters=replace(rules, staking=staking))
    cells, params = {}, Params(heartbeat_ms=1_000)
    cluster = Cluster(dairy.genesis, dairy.validator_keys, params, stores=[MemoryStore(cells)])
    node = cluster.nodes[0]
    for _ in range(1_000):
        if node.machine.application.height >= BLOCKS:
            break
        cluster.run(100)
    return dairy, cells


@pytest.fixture(scope="module")
def eras():
    return made()


def audited(eras, changes):
    dairy, cells = eras
    store = MemoryStore({**cells, **changes})
    findings, report = Findings(), NodeAudit("one")
    audit_store(store, store.head(), dairy.genesis, report, findings)
    return [f"{each.where}: {each.what}" for each in findings.told], report, store


def test_a_chain_of_many_epochs_is_sound_and_replayed(eras):
    found, report, store = audited(eras, {})
    assert found == []
    assert report.replayed
    assert report.height >= BLOCKS
    headers = [store.header(height) for height in range(1, report.height + 1)]
    assert {header.epoch for header in headers} >= {0, 1, 2, 3, 4}
    assert all(header.vrf_proof for header in headers), "leaders draw, and the replay follows"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"epoch": 7}, "its epoch does not follow its parent's epoch 0"),
        ({"parent_view": 9}, "its views do not follow its parent's view 0"),
        ({"committee_hash": bytes(32)}, "its committee is not the one that its parent names"),
    ],
)
def test_a_broken_seam_between_epochs_is_told(eras, change, told):
    first = EPOCH_BLOCKS + 1
    stored = MemoryStore(dict(eras[1])).block(first).block
    changed = encode(Block(replace(stored.header, **change), stored.transactions))
    found, report, _ = audited(eras, {height_key(BLOCK, first): changed})
    assert f"block {first}: {told}" in found
    assert not report.replayed


def bent(eras, height, **change):
    """Change a stored header."""
    stored = MemoryStore(dict(eras[1])).block(height).block
    changed = Block(replace(stored.header, **change), stored.transactions)
    return {height_key(BLOCK, height): encode(changed)}


def test_draws_and_committees_of_all_epochs_are_verified(eras):
    _, report, store = audited(eras, {})
    assert report.notes == []
    assert report.finalizations == report.height + 1, "each block's own, and the head's"
    epochs = range(report.height // EPOCH_BLOCKS + 2)
    assert all(store.committee(epoch) is not None for epoch in epochs)


@pytest.mark.parametrize("height", [1, EPOCH_BLOCKS, 3 * EPOCH_BLOCKS + 1])
@pytest.mark.parametrize("lie", ["none", "of another view", "with a flipped bit"])
def test_a_draw_that_is_not_the_leaders_is_told(eras, height, lie):
    store = MemoryStore(dict(eras[1]))
    genuine = store.header(height).vrf_proof
    proof = {
        "none": b"",
        "of another view": store.header(height + 1).vrf_proof,
        "with a flipped bit": genuine[:70] + bytes([genuine[70] ^ 1]) + genuine[71:],
    }[lie]
    found, report, _ = audited(eras, bent(eras, height, vrf_proof=proof))
    view = store.header(height).view
    assert f"block {height}: its VRF proof is not that of the leader of view {view}" in found
    # What grows out of it is not told again block by block.
    assert sum("VRF" in each for each in found) == 1
    last = (height - 1) // EPOCH_BLOCKS + 2
    unknown = sum(1 for h in range(1, report.height + 1) if (h - 1) // EPOCH_BLOCKS >= last)
    assert any(note.startswith(f"{unknown} draws") for note in report.notes) == (unknown > 0)


def test_evidence_that_a_header_does_not_commit_to_is_told(eras):
    found, _, _ = audited(eras, bent(eras, 7, evidence_root=bytes(32)))
    assert "block 7: its evidence is not that which its header commits to" in found


def test_an_epoch_that_does_not_fit_its_height_is_told(eras):
    found, _, _ = audited(eras, bent(eras, 7, epoch=0))
    assert "block 7: it is of epoch 0, and its height of another" in found


def test_a_handover_certificate_that_is_missing_is_told(eras):
    cells = {k: v for k, v in eras[1].items() if k != height_key(FINALIZATION, EPOCH_BLOCKS)}
    found, _, _ = audited((eras[0], cells), {})
    missing = f"finalization {EPOCH_BLOCKS}: it is missing, and leads to the next epoch"
    assert found == [missing]


def test_a_finalization_of_a_later_view_is_for_boundaries_alone(eras):
    store = MemoryStore(dict(eras[1]))
    certificate = decode(store.finalization(7), Certificate, MESSAGE_BYTES_MAX)
    later = replace(certificate, subject=replace(certificate.subject, view=99))
    found, _, _ = audited(eras, {height_key(FINALIZATION, 7): encode(later)})
    assert "finalization 7: it is of another epoch or view than the block" in found


@pytest.mark.parametrize("epoch", [0, 1, 3, 4, 5])
def test_a_committee_that_nobody_appointed_is_told(eras, epoch):
    name = COMMITTEE + epoch_name(epoch)
    committee = COMMITTEES.decode(eras[1][name])
    first, *others = committee.seats
    richer = replace(committee, seats=(replace(first, stake=first.stake + 1), *others))
    found, _, _ = audited(eras, {name: encode(richer)})
    assert any(each.startswith(f"committee of epoch {epoch}: ") for each in found)


def test_a_committee_that_is_missing_or_of_no_epoch_is_told(eras):
    name, stranger = COMMITTEE + epoch_name(2), COMMITTEE + epoch_name(70)
    cells = {k: v for k, v in eras[1].items() if k != name}
    found, _, _ = audited((eras[0], cells), {stranger: eras[1][name]})
    assert found == [
        "committee of epoch 2: it is missing",
        "index of committees: 1 entries that no block accounts for",
    ]
