"""Finality shown to those who run no node: proofs that a payment is final (docs/spec/proofs.md).

A proof is one file. It leads from an *anchor*, a committee that the verifier trusts, over one link
an epoch to the committee that finalized a block, from that block by parent hashes down to the
payment's block, and from its header by two Merkle paths to the transaction and to its receipt.
Whoever holds an anchor checks all of it alone: no network, no clock but the one that is passed in.

What it rests on: less than a third of the stake of each committee on the way was dishonest while
its members could still be punished. Therefore an anchor is good for a limited time only, and a
verified proof gives a newer one. If the assumption is broken, two valid proofs can contradict each
other: `find_fork` tells, and names those who signed both.

A proof that verifies says that a transaction is final; what it did and for whom is in it:

    proven = verify_proof(raw, parse_anchor(anchor_file), wall_ms())
    body = proven.transaction.intent.body
    paid = proven.took_effect and isinstance(body, Transfer) and body.reference == mine
    keep(format_anchor(proven.anchor))

Nothing here builds blocks, speaks to anyone, or judges what a payment is for.

`types` `errors`   the words           `anchor`     where trust begins, as a file
`verifying`        the checks          `building`   the node's side: a proof from blocks
`forks`            two proofs that contradict each other
"""

from node.lightclient.anchor import Anchor, anchor_of, format_anchor, parse_anchor
from node.lightclient.building import Material, make_proof
from node.lightclient.errors import ProofFault
from node.lightclient.forks import DoubleVote, Fork, find_fork
from node.lightclient.types import PROOF_BYTES_MAX, Link, MerkleStep, Proof
from node.lightclient.verifying import TRUSTING_MS, ProvenTransaction, verify_proof

__all__ = [
    "PROOF_BYTES_MAX",
    "TRUSTING_MS",
    "Anchor",
    "DoubleVote",
    "Fork",
    "Link",
    "Material",
    "MerkleStep",
    "Proof",
    "ProofFault",
    "ProvenTransaction",
    "anchor_of",
    "find_fork",
    "format_anchor",
    "make_proof",
    "parse_anchor",
    "verify_proof",
]
