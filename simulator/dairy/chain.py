"""What the dairy asks of the chain: which one it is, who mints, what was minted; and it
registers meters and their line where it holds the regulator's key (a development network).
"""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog

from iot_minting.gateway.chain import Chain
from ledger.genesis import Genesis
from ledger.params import DAY_MS
from ledger.primitives.amounts import UNITS_PER_BILL, Units
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address, Policy, SigningKey, address_of
from ledger.rules.fees import price_intent
from ledger.rules.permits import ALL_METERS
from ledger.state.records import Role
from ledger.types.registry import RegisterDevice
from ledger.types.transaction import Body, Intent, sign
from ledger.types.transfer import Transfer
from node.client.errors import NodeUnavailable
from node.client.views import TransactionState
from node.home.key_file import read_key
from simulator.dairy.errors import NoMinter, NotCarriedOut, NotRegistered
from simulator.dairy.lines import line_of, permit_for
from simulator.dairy.setup import DairyConfig, DeviceIdentity

RETRY_S: Final = 0.3
VALID_BLOCKS: Final = 1_000
FINAL_WAIT_MS: Final = 10_000
LOTS_MAX: Final = 1_000
_PERMIT_PURSE_UNITS: Final = Units(UNITS_PER_BILL // 100)
"""What a farm is given for the fee of its permit."""

log = structlog.get_logger("dairy")


def chain_of(config: DairyConfig, ended: threading.Event) -> Hash | None:
    """Give the id of the chain that devices sign for; None if ended before any node told it."""
    if config.chain_id:
        return Hash(bytes.fromhex(config.chain_id))
    while not ended.is_set():
        try:
            return asyncio.run(_chain_id(config.node_urls))
        except NodeUnavailable as fault:
            log.info("waiting for a node", why=str(fault))
        ended.wait(RETRY_S)
    return None


async def _chain_id(node_urls: Sequence[str]) -> Hash:
    chain = Chain.of_urls(node_urls)
    try:
        return (await chain.status()).chain_id
    finally:
        await chain.aclose()


def find_minter(genesis: Genesis) -> Address:
    """Give the MMU that a line's instruments belong to."""
    for role in genesis.roles:
        if role.role is Role.MMU:
            return Address(role.holder)
    raise NoMinter("the genesis licenses no MMU: nobody could mint what is played")


async def register(
    chain: Chain,
    genesis: Genesis,
    key_file: Path | None,
    devices: Sequence[DeviceIdentity],
    farm: SigningKey,
) -> None:
    """Register devices and the line that they are of, as the regulator; let the farm consent.

    Raise `NotRegistered` if that can't be done here.
    """
    if key_file is None:
        raise NotRegistered("this home has no regulator_key_file in its config.toml", devices)
    regulator, mmu = read_key(key_file), find_minter(genesis)
    bodies: list[Body] = [
        RegisterDevice(
            device.key,
            device.kind.value,
            device.plant,
            device.operator or mmu,
            device.calibrated_until_ms,
            device.flow_max_l_per_h,
        )
        for device in devices
    ]
    farmer = address_of(farm.public)
    consents = await _consents(chain, farmer, mmu)
    if not consents:
        # A farm has nothing before its first milk is minted, and consent costs a fee.
        bodies.append(Transfer(farmer, _PERMIT_PURSE_UNITS, bytes(32), ()))
    try:
        await _carry_out(chain, genesis, regulator, bodies)
        # A pool takes a line in only when its devices are final.
        await _carry_out(chain, genesis, regulator, [line_of(devices, mmu)])
        if not consents:
            until_ms = min(device.calibrated_until_ms for device in devices)
            await _carry_out(chain, genesis, farm, [permit_for(mmu, until_ms)])
    except NotCarriedOut as fault:
        raise NotRegistered(str(fault), devices) from fault


async def _consents(chain: Chain, farm: Address, mmu: Address) -> bool:
    """Tell whether a farm lets milk of all its meters go to this MMU, for a day yet."""
    until_ms = (await chain.status()).block_time_ms + DAY_MS
    return any(
        permit.meter == ALL_METERS and permit.mmu == mmu and permit.until_ms > until_ms
        for permit in await chain.permits(farm)
    )


async def _carry_out(
    chain: Chain, genesis: Genesis, key: SigningKey, bodies: Sequence[Body]
) -> None:
    """Bring bodies onto the chain, one after another; raise `NotCarriedOut` if one fails."""
    policy = Policy.single(key.public)
    nonce = (await chain.account(policy.address())).nonce
    valid_until = (await chain.status()).height + VALID_BLOCKS
    intents = [
        Intent(genesis.chain_id, policy, nonce + index, Units(0), valid_until, body)
        for index, body in enumerate(bodies)
    ]
    rules = await chain.parameters()
    transactions = [sign(price_intent(intent, rules), key) for intent in intents]
    for transaction in transactions:
        answer = await chain.submit(encode(transaction))
        if answer.code:
            raise NotCarriedOut(f"{answer.code}: {answer.detail}")
    for transaction in transactions:
        view = await chain.transaction(transaction.id, FINAL_WAIT_MS)
        if view.state is not TransactionState.FINAL or view.code:
            raise NotCarriedOut(view.code or "it did not become final in time")


async def minted_units(chain: Chain, plant: str) -> tuple[int, int]:
    """Give units and count of the lots that a plant has on the chain."""
    lots = [lot for lot in await chain.lots(LOTS_MAX) if lot.plant == plant]
    return sum(int(lot.minted_units) for lot in lots), len(lots)
