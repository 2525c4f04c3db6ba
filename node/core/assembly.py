"""Putting a machine together from a genesis, a store and a journal.

The node's shell and the simulator both begin here, so both run the same validator.
"""

from collections.abc import Sequence

from consensus import vrf as ecvrf
from consensus.journal import Record
from consensus.messages import MESSAGE_BYTES_MAX, Certificate
from consensus.params import Params
from consensus.state import Floor, first_floor
from consensus.types import BlockRef
from ledger.genesis import Genesis
from ledger.primitives.codec import decode
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import PublicKey, Seed, SigningKey
from ledger.primitives.scalars import View
from ledger.rules.epochs import is_boundary
from ledger.state.tables import parameters
from ledger.store.chain import ChainStore
from node.core.application import Application
from node.core.book import Book
from node.core.draws import SecretDrawer, Vrf
from node.core.machine import Machine, MachineConfig


def floor_of(store: ChainStore) -> Floor:
    """Say where consensus goes on: at the last block that the store holds as final.

    If that was its epoch's last, the next epoch begins on it.
    """
    head = store.head()
    assert head is not None, "a store begins with a genesis"
    epoch_blocks = parameters(store).staking.epoch_blocks
    if not head.finalization or is_boundary(head.height, epoch_blocks):
        return first_floor(Hash(head.hash))
    block = BlockRef(View(head.view), Hash(head.hash))
    return Floor(block, decode(head.finalization, Certificate, MESSAGE_BYTES_MAX))


def assemble(
    genesis: Genesis,
    store: ChainStore,
    key: SigningKey | None,
    params: Params,
    records: Sequence[Record] = (),
    reporter: SigningKey | None = None,
    others: Sequence[PublicKey] = (),
    *,
    vrf_secret: Seed,
    silent: bool = False,
    vrf: Vrf = ecvrf,
) -> Machine:
    """Make the machine of one node: a validator in each epoch in which `key` has a seat.

    The store is begun with the genesis if it is empty; a `StoreFault` says if it is another
    chain's. `records` are the journal's, in order. `reporter` is the account that reports others'
    slashable offences, if they are to be reported. With `vrf_secret` the validator draws in the
    views that it leads. `others` are peers beside the genesis's validators, as the book numbers
    them. `silent`: the journal may lack votes of the key, so none is cast before that is safe.
    `vrf` proves and verifies draws; a simulation of many nodes remembers what it worked out.
    """
    store.init_genesis(genesis)
    book = Book(genesis.committee, others)
    application = Application(genesis.chain_id, store, vrf)
    drawer = SecretDrawer(vrf_secret, vrf)
    config = MachineConfig(params, book, key, drawer, reporter, silent)
    return Machine(config, application, floor_of(store), records)
