"""The prover's side: a proof from final blocks. Whoever builds one need not be trusted.

It only arranges what it is given. What is wrong with the material shows when the proof is
verified, by whoever it is for.
"""

from dataclasses import dataclass

from consensus.messages import Certificate
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash
from ledger.primitives.merkle import merkle_path
from ledger.types.block import Block, Header, Receipt
from node.lightclient.types import Link, MerkleStep, Proof


@dataclass(frozen=True, slots=True)
class Material:
    """What a proof is made of: the transaction's place, its block, and what makes it final.

    `headers` lead from the block with the finalization down to the transaction's, both included.
    """

    links: tuple[Link, ...]
    headers: tuple[Header, ...]
    finalization: Certificate
    block: Block
    receipts: tuple[Receipt, ...]
    index: int


def make_proof(material: Material) -> Proof:
    """Arrange a proof of the block's transaction number `index`, to be encoded into a file.

    Nothing is checked: material that does not fit together gives a proof that `verify_proof`
    refuses. A node collects the material by `node.core.proving`.
    """
    head, index = material.headers[0], material.index
    transactions = material.block.transactions
    receipts = [encode(receipt) for receipt in material.receipts]
    return Proof(
        head.chain_id,
        material.links,
        head,
        material.finalization,
        material.headers[1:],
        transactions[index],
        steps_to(transactions, index),
        material.receipts[index],
        steps_to(receipts, index),
    )


def steps_to(leaves: tuple[bytes, ...] | list[bytes], index: int) -> tuple[MerkleStep, ...]:
    """List the steps from leaf number `index` up to the root."""
    siblings: list[Hash] = merkle_path(leaves, index)[::-1]
    steps, position, width = [], index, len(leaves)
    while width > 1:
        # The last of an odd level rises without a sibling (RFC 6962).
        if position ^ 1 < width:
            steps.append(MerkleStep(position % 2 == 1, siblings.pop()))
        position, width = position // 2, (width + 1) // 2
    return tuple(steps)
