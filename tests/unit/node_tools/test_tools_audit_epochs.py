"""The audit of a chain over many epochs: seams, handed-over committees, and drawn seeds."""

import pytest
from msgspec.structs import replace

from consensus.params import Params
from ledger.params import default_parameters
from ledger.primitives.codec import encode
from ledger.store import MemoryStore
from ledger.store.schema import BLOCK, height_key
from ledger.types.block import Block
from node.tools.audit import NodeReport, audit_store
from node.tools.findings import Findings
from tests.support.cluster import Cluster
from tests.support.ledgers import Dairy

EPOCH_BLOCKS = 5
BLOCKS = 4 * EPOCH_BLOCKS + 2


def made():
    rules = default_parameters(development=True)
    staking = replace(rules.staking, epoch_blocks=EPOCH_BLOCKS)
    dairy = Dairy(parameters=replace(rules, staking=staking))
    cluster = Cluster(dairy.genesis, dairy.validator_keys, Params(heartbeat_ms=1_000))
    node = cluster.nodes[0]
    for _ in range(1_000):
        if node.machine.application.height >= BLOCKS:
            break
        cluster.run(100)
    return dairy, dict(node.store._cells)


@pytest.fixture(scope="module")
def eras():
    return made()


def audited(eras, changes):
    dairy, cells = eras
    store = MemoryStore({**cells, **changes})
    findings, report = Findings(), NodeReport("one")
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
