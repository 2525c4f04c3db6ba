"""Putting a machine together from a genesis, a store and a journal.

The node's shell and the simulator both begin here, so both run the same validator.
"""

from collections.abc import Sequence

from consensus.engine import Engine
from consensus.journal import Record
from consensus.leader import Schedule, first_seed
from consensus.messages import MESSAGE_BYTES_MAX, Certificate
from consensus.params import Params
from consensus.state import Floor
from consensus.types import BlockRef, Committee, Epoch, Seat, View
from ledger.genesis import Genesis
from ledger.primitives.codec import decode
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import SigningKey
from ledger.store.chain import ChainStore
from ledger.store.schema import Head
from node.core.application import Application, ApplicationConfig
from node.core.machine import Machine, MachineConfig

FIRST_EPOCH = Epoch(0)


def committee_of(genesis: Genesis) -> Committee:
    """Seat the validators of the first epoch."""
    return Committee(tuple(Seat(*seat) for seat in genesis.committee_seats))


def floor_of(head: Head) -> Floor:
    """Say where consensus goes on: at the last block that the store holds as final."""
    block = BlockRef(View(head.view), Hash(head.hash))
    if not head.finalization:
        return Floor(block, None)
    return Floor(block, decode(head.finalization, Certificate, MESSAGE_BYTES_MAX))


def assemble(
    genesis: Genesis,
    store: ChainStore,
    key: SigningKey | None,
    params: Params,
    records: Sequence[Record] = (),
    reporter: SigningKey | None = None,
) -> Machine:
    """Make the machine of one node: a validator if `key` has a seat, else an observer.

    The store is begun with the genesis if it is empty; a `StoreFault` says if it is another
    chain's. `records` are the journal's, in order. `reporter` is the account that reports others'
    slashable offences, if they are to be reported.
    """
    head = store.init_genesis(genesis)
    committee = committee_of(genesis)
    chain_id = genesis.chain_id
    me = None if key is None else committee.member(key.public)
    engine = Engine(
        params,
        chain_id,
        FIRST_EPOCH,
        committee,
        me,
        key if me is not None else None,
        floor_of(head),
        records,
    )
    owner_of = {validator.vote_key: validator.owner for validator in genesis.validators}
    config = ApplicationConfig(
        chain_id,
        committee,
        Schedule(first_seed(chain_id), committee),
        tuple(owner_of[seat.key] for seat in committee.seats),
    )
    return Machine(MachineConfig(committee, me), engine, Application(config, store), reporter)
