"""The tree of executed blocks: bounded, and yet what may become final is never forgotten."""

from dataclasses import replace as with_parts

from msgspec.structs import replace

from consensus.effects import Build
from consensus.params import Params
from ledger.primitives.hashing import Hash
from ledger.primitives.scalars import View
from ledger.state import Overlay
from ledger.types.block import Block, decode_block
from node.core.blocktree import BLOCKS_MAX, BlockTree, ChainHead, Executed
from tests.support.ledger.dairy import Dairy
from tests.support.node.cluster import Cluster

ROOT = ChainHead(Hash(bytes(32)), 0, 0)


def sample() -> Executed:
    dairy = Dairy()
    net = Cluster(dairy.genesis, dairy.validator_keys, Params())
    machine = net.nodes[0].machine
    application = machine.application
    views = (View(v) for v in range(1, 100))
    view = next(v for v in views if application.plan.leader(v) == machine.engine.me)
    build = Build(view, View(0), application.tip.hash)
    made = application.prepare(build, machine.mempool, 1, net.drawer(0))
    assert made is not None
    overlay = Overlay(application.state)
    return Executed(made.hash, made.raw, decode_block(made.raw), (), (), (), overlay)


def on(parent: Hash, number: int, height: int, like: Executed) -> Executed:
    """Make a block of a number that stands on a parent."""
    header = replace(like.block.header, parent_hash=parent, height=height)
    block = Block(header, like.block.transactions)
    return with_parts(like, hash=Hash(number.to_bytes(32, "big")), block=block)


def test_in_one_chain_nothing_is_forgotten_however_long_finality_stays_away() -> None:
    like = sample()
    tree, at = BlockTree(ROOT, like.overlay), ROOT.hash
    for height in range(1, BLOCKS_MAX + 3):
        made = on(at, height, height, like)
        tree.add(made)
        at = made.hash
    assert len(tree.finalize(at)) == BLOCKS_MAX + 2


def test_beyond_the_bound_the_oldest_leaf_goes_and_never_the_new_ones_parent() -> None:
    like = sample()
    tree = BlockTree(ROOT, like.overlay)
    for number in range(1, BLOCKS_MAX + 1):
        tree.add(on(ROOT.hash, number, 1, like))
    oldest, second = (Hash(n.to_bytes(32, "big")) for n in (1, 2))
    tree.add(on(oldest, BLOCKS_MAX + 1, 2, like))
    assert tree.get(oldest) is not None
    assert tree.get(second) is None
