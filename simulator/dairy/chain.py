"""What the dairy asks of the chain: which one it is, who mints, what was minted; and it
registers meters where it holds the regulator's key (a development network).
"""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog

from iot_minting.gateway.chain import Chain
from ledger.genesis import Genesis
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address, Policy
from ledger.state.records import Role
from ledger.types.registry import RegisterDevice
from ledger.types.transaction import Intent, sign
from node.client.errors import NodeUnavailable
from node.client.views import TransactionState
from node.home.key_file import read_key
from simulator.dairy.errors import NoMinter, NotRegistered
from simulator.dairy.setup import DeviceIdentity

RETRY_S: Final = 0.3
VALID_BLOCKS: Final = 1_000
FINAL_WAIT_MS: Final = 10_000
LOTS_MAX: Final = 1_000

log = structlog.get_logger("dairy")


def wait_for_chain(node_urls: Sequence[str], ended: threading.Event) -> Hash | None:
    """Ask for the chain's id until a node answers; None if ended before."""
    while not ended.is_set():
        try:
            return asyncio.run(_chain_id(node_urls))
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
    minter: Address,
) -> None:
    """Register devices as the regulator; raise `NotRegistered` if that can't be done here."""
    if key_file is None:
        raise NotRegistered("this home has no regulator_key_file in its config.toml", devices)
    key = read_key(key_file)
    policy = Policy.single(key.public)
    nonce = (await chain.account(policy.address())).nonce
    height = (await chain.status()).height
    transactions = [
        sign(
            Intent(
                genesis.chain_id,
                policy,
                nonce + index,
                genesis.parameters.fee_least_units,
                height + VALID_BLOCKS,
                RegisterDevice(
                    device.key,
                    device.kind.value,
                    device.plant,
                    device.operator or minter,
                    device.calibrated_until_ms,
                    device.flow_max_l_per_h,
                ),
            ),
            key,
        )
        for index, device in enumerate(devices)
    ]
    for transaction in transactions:
        answer = await chain.submit(encode(transaction))
        if answer.code:
            raise NotRegistered(f"{answer.code}: {answer.detail}", devices)
    for transaction in transactions:
        view = await chain.transaction(transaction.id, FINAL_WAIT_MS)
        if view.state is not TransactionState.FINAL or view.code:
            raise NotRegistered(view.code or "it did not become final in time", devices)


async def minted_units(chain: Chain, plant: str) -> tuple[int, int]:
    """Give units and count of the lots that a plant has on the chain."""
    lots = [lot for lot in await chain.lots(LOTS_MAX) if lot.plant == plant]
    return sum(int(lot.minted_units) for lot in lots), len(lots)
