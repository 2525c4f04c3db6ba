"""Test vectors of finality proofs where lists are full, a genesis is the anchor, or nobody is paid.

`python -m tests.vectors.proofs_edges_vectors` writes `proofs_edges.json` anew: as `proofs.json` is
made, and in a file of its own, since full lists are long.
"""

import json
from pathlib import Path

from consensus.messages import Subject
from consensus.quorum import assemble
from ledger.genesis import format_genesis
from ledger.primitives.codec import encode
from ledger.primitives.committee import Member
from ledger.primitives.votes import VoteKind
from node.lightclient import Material, format_anchor, make_proof, parse_anchor
from tests.support.lightclient.bound_proofs import FULL, frozen, overfull
from tests.vectors import ledger_vectors
from tests.vectors.proofs_vectors import NOW_MS, show_proven

FILE = Path(__file__).with_name("proofs_edges.json")
GENESIS = "the genesis of the ledger's vectors"
PAID_AT = 3
"""The height of their payment."""


class Anchors:
    """Anchors by name, each once: of two that are equal, the first one's name counts."""

    def __init__(self):
        self._names = {}

    def name(self, anchor, name):
        """Give the name of an anchor: the new one, unless it has one."""
        return self._names.setdefault(format_anchor(anchor), name)

    def show(self):
        """Give all of them as in their files."""
        return {name: json.loads(text) for text, name in self._names.items()}


def _from_genesis(anchors):
    """Prove the payment of the ledger's vectors from nothing but their genesis file on."""
    chain = ledger_vectors.grow()
    text, stored = format_genesis(chain.dairy.genesis), chain.store.block(PAID_AT)
    header, anchor = stored.block.header, parse_anchor(text.encode())
    place = (header.epoch, header.view, header.parent_view)
    subject = Subject(VoteKind.FINALIZE, *place, header.hash())
    signed = subject.signing_bytes(chain.dairy.chain_id)
    keys = sorted(chain.dairy.validator_keys, key=lambda each: each.public)
    signatures = {Member(n): each.sign(signed) for n, each in enumerate(keys)}
    finalization = assemble(anchor.committee, subject, signatures)
    material = Material((), (header,), finalization, stored.block, stored.receipts, 0)
    name, raw = anchors.name(anchor, GENESIS), encode(make_proof(material))
    vector = show_proven("from a genesis file", raw, name, anchor, header.time_ms + 1_000)
    return {"name": name, "anchor": name, "text": text}, vector


def _verifying(anchors, name, built):
    chain, proof = built
    anchor = chain.anchor()
    return show_proven(name, encode(proof), anchors.name(anchor, name), anchor)


def _refused(anchors, name, built, code):
    chain, proof = built
    anchor = anchors.name(chain.anchor(), name)
    vector = {"name": name, "anchor": anchor, "now_ms": NOW_MS}
    return {**vector, "proof": encode(proof).hex(), "code": code}


def build():
    """Compute every vector."""
    anchors = Anchors()
    genesis, from_genesis = _from_genesis(anchors)
    full = [_verifying(anchors, name, make()) for name, make in FULL.items()]
    other_kinds = [_verifying(anchors, "an account is frozen", frozen())]
    broken = [_refused(anchors, *each) for each in overfull()]
    return {
        "anchors": anchors.show(),
        "genesis_anchors": [genesis],
        "good": [from_genesis, *full],
        "other_kinds": other_kinds,
        "broken": broken,
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(build(), indent=1) + "\n", "utf-8")
