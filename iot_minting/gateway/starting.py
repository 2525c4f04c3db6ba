"""Starting: what a gateway's process finds in its home, and whom it listens to."""

from typing import Final

from iot_minting.errors import MintFault
from iot_minting.even_clock import EvenClock
from iot_minting.gateway.config import MintConfig, MintKeys
from iot_minting.gateway.cutting import WindowRules
from iot_minting.gateway.registry import Registry
from iot_minting.gateway.store import Store
from iot_minting.gateway.subscription import Subscription
from iot_minting.gateway.types import RegisteredDevice
from iot_minting.wire.login import BrokerLogin
from iot_minting.wire.topics import shared_filter
from ledger.genesis import Genesis

CHAIN_META: Final = "chain_id"


def bind_chain(store: Store, genesis: Genesis) -> None:
    """Refuse a store that served another chain: its evidence means nothing here."""
    known = store.meta(CHAIN_META)
    if known is None:
        store.put_meta(CHAIN_META, genesis.chain_id)
    elif known != genesis.chain_id:
        raise MintFault(
            f"{store.path} belongs to chain {known.hex()[:16]}, the node is on "
            f"{genesis.chain_id.hex()[:16]}: use another home, or move the file away"
        )


def load_registry(store: Store, genesis: Genesis) -> Registry:
    """Give the registry as far as it was followed; the genesis' devices at first."""
    height = store.followed_height()
    if height is None:
        devices = [
            RegisteredDevice(d.key, d.instrument, d.plant, d.operator) for d in genesis.devices
        ]
        store.save_registry(devices, 0)
        height = 0
    return Registry(store.devices(), height)


def window_rules(config: MintConfig) -> WindowRules:
    """Tell by the configuration when a window is cut."""
    return WindowRules(
        config.milk_kind,
        config.window_ms,
        config.silence_ms,
        config.milk_ms,
        config.window_envelopes_max,
    )


def subscribe(
    config: MintConfig, keys: MintKeys, clock: EvenClock, login: BrokerLogin
) -> Subscription:
    """Make the gateway's subscription to readings."""
    return Subscription(
        f"mmu-{keys.ingest.public.hex()[:16]}-{config.shared_group}",
        [shared_filter(config.shared_group)],
        # A shared subscription in a persistent session kills rumqttd: see `broker`.
        persistent=not config.shared_group,
        clock=clock,
        login=login,
    )
