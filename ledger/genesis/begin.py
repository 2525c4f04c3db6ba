"""Block 0: the state that a genesis makes, and its header, the parent of height 1."""

from ledger.genesis.lines import put_lines, put_permits
from ledger.genesis.types import Genesis, GenesisStock
from ledger.invariants import check_block
from ledger.primitives.amounts import Units
from ledger.primitives.hashing import ZERO_HASH, Hash
from ledger.primitives.keys import Address, PublicKey
from ledger.primitives.merkle import EMPTY_ROOT
from ledger.state.dairy import Mmu
from ledger.state.names import epoch_name
from ledger.state.overlay import EMPTY, Overlay
from ledger.state.records import NOBODY, Lot, Role, Supply
from ledger.state.stakes import Register, Validator
from ledger.state.tables import (
    BONDS_ACCOUNT,
    CHAIN,
    COMMITTEES,
    DEVICES,
    LOTS,
    MMUS,
    OWNERS,
    PARAMETERS,
    REGISTER,
    STAKE_ACCOUNT,
    SUPPLY,
    VALIDATORS,
    credit,
    grant_role,
)
from ledger.types.block import Block, Header


def genesis_state(genesis: Genesis) -> Overlay:
    """Make the state of block 0: an overlay over nothing. The genesis was checked."""
    overlay = Overlay(EMPTY)
    CHAIN.put(overlay, genesis.chain_id)
    PARAMETERS.put(overlay, genesis.parameters)
    for stock in genesis.stock:
        _put_stock(overlay, stock)
    minted = Units(sum(stock.units for stock in genesis.stock))
    SUPPLY.put(overlay, Supply(minted, Units(0), minted))
    for account in genesis.accounts:
        credit(overlay, account.address, account.units)
    _put_validators(overlay, genesis)
    for grant in genesis.roles:
        attests = grant.role is Role.ATTESTOR
        holder = PublicKey(grant.holder) if attests else Address(grant.holder)
        grant_role(overlay, grant.role, holder)
    for bond in genesis.bonds:
        MMUS.put(overlay, Mmu(bond.units), bond.mmu)
        credit(overlay, BONDS_ACCOUNT, bond.units)
    for device in genesis.devices:
        DEVICES.put(overlay, device.record(), device.key)
    put_lines(overlay, genesis.lines, genesis.time_ms)
    put_permits(overlay, genesis.permits, genesis.time_ms)
    check_block(overlay)
    return overlay


def _put_validators(overlay: Overlay, genesis: Genesis) -> None:
    """Write the first validators, whose whole stake is their owners', and two committees."""
    for validator in genesis.validators:
        record = Validator(
            validator.vrf_key,
            validator.stake_units,
            validator.owner,
            validator.stake_units,
            validator.stake_units,
        )
        VALIDATORS.put(overlay, record, validator.vote_key)
        OWNERS.put(overlay, validator.vote_key, validator.owner)
        credit(overlay, STAKE_ACCOUNT, validator.stake_units)
    keys = sorted(validator.vote_key for validator in genesis.validators)
    REGISTER.put(overlay, Register(tuple(keys)))
    # The stake at a boundary rules two epochs later: the genesis stands for both before it.
    for epoch in (0, 1):
        COMMITTEES.put(overlay, genesis.committee, epoch_name(epoch))


def _put_stock(overlay: Overlay, stock: GenesisStock) -> None:
    """Write one stock lot: no readings are behind it."""
    lot_id = stock.lot_id()
    lot = Lot(
        stock.kind,
        stock.plant,
        "stock",
        NOBODY,
        stock.units,
        stock.units,
        stock.expires_ms,
        0,
        ZERO_HASH,
    )
    LOTS.put(overlay, lot, lot_id)


def genesis_block(genesis: Genesis) -> Block:
    """Make block 0: view 0 of epoch 0, no transactions, no proposer."""
    committee = genesis.committee.hash
    header = Header(
        chain_id=genesis.chain_id,
        epoch=0,
        view=0,
        height=0,
        parent_view=0,
        parent_hash=ZERO_HASH,
        time_ms=genesis.time_ms,
        proposer=NOBODY,
        transactions_root=EMPTY_ROOT,
        receipts_root=EMPTY_ROOT,
        state_root=genesis_state(genesis).root(),
        committee_hash=committee,
        next_committee_hash=committee,
        evidence_root=EMPTY_ROOT,
        vrf_proof=b"",
    )
    return Block(header, ())


def genesis_hash(genesis: Genesis) -> Hash:
    """Name block 0: the parent of height 1."""
    return genesis_block(genesis).header.hash()
