"""What a transfer costs a validator's core: intake, gossip, proposal, check, execution, commit.

Four cores in one process over an instant network with stores in memory: no sockets, no disk. What
is counted holds the verification of the signature, once on each validator.
"""

from consensus.params import Params
from ledger.primitives.codec import encode
from loadtest.report import Figure
from node.core import events as node_events
from tests.bench.clock import Sample, of_samples, once
from tests.bench.town import Town
from tests.support.node.cluster import Cluster

PAYERS = 1_000
REPEATS = 5


def run(quick: bool) -> list[Figure]:
    """Measure everything of this part."""
    town = Town(PAYERS)
    raws = [[encode(t) for t in town.transfers(nonce)] for nonce in range(REPEATS + 1)]
    cluster = Cluster(town.dairy.genesis, town.dairy.validator_keys, Params(pace_ms=100))
    cluster.run(1_000)
    samples = [_path(cluster, batch) for batch in raws][1:]
    return [
        of_samples(
            "node core, a transfer's whole path on one validator",
            samples,
            note="signature verified once on each",
        )
    ]


def _path(cluster, raws) -> Sample:
    """Submit to all four, run until all is final everywhere."""
    share = len(raws) // 4
    height = cluster.nodes[0].store.head().height

    def work():
        for index in range(4):
            part = tuple(raws[index * share : (index + 1) * share])
            cluster.feed(index, node_events.Submit(height * 10 + index, part))
        for _ in range(100):
            cluster.run(50)
            if not any(len(node.machine.mempool) for node in cluster.nodes):
                return

    sample = once(4 * share * 4, work)
    assert not any(len(node.machine.mempool) for node in cluster.nodes), "all became final"
    return sample
