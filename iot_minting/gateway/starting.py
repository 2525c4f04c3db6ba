"""Starting: what a gateway's process finds in its home, and whom it listens to."""

from pathlib import Path
from typing import Final

from iot_minting.errors import MintFault
from iot_minting.even_clock import EvenClock
from iot_minting.gateway.archive import Archive
from iot_minting.gateway.config import MintConfig, MintKeys
from iot_minting.gateway.cutting import WindowRules
from iot_minting.gateway.duty import Duty, SharedDuty
from iot_minting.gateway.following import Following, TankNames
from iot_minting.gateway.ingest import Ingest
from iot_minting.gateway.linking import LinkJudge
from iot_minting.gateway.loans import Loans, PeerLoans
from iot_minting.gateway.receipting import Receipts
from iot_minting.gateway.registry import Registry
from iot_minting.gateway.store import Store
from iot_minting.gateway.subscription import Subscription
from iot_minting.gateway.types import RegisteredDevice
from iot_minting.wire.login import BrokerLogin
from iot_minting.wire.topics import readings_filter
from ledger.genesis import Genesis
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import PublicKey

CHAIN_META: Final = "chain_id"
TANK_META: Final = "tank:"


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


def load_tank_names(store: Store, genesis: Genesis) -> TankNames:
    """Give the names of tanks that are known, and let what is learnt be kept."""
    kept = {
        Hash(bytes.fromhex(name.removeprefix(TANK_META))): value.decode()
        for name, value in store.metas(TANK_META)
    }

    def keep(tank: Hash, name: str) -> None:
        store.put_meta(f"{TANK_META}{tank.hex()}", name.encode())

    return TankNames(genesis, kept, keep)


def window_rules(config: MintConfig) -> WindowRules:
    """Tell by the configuration when a window is cut."""
    return WindowRules(
        config.milk_kind,
        config.window_ms,
        config.silence_ms,
        config.milk_ms,
        config.window_envelopes_max,
    )


def take_part(config: MintConfig, keys: MintKeys, chain_id: Hash, clock: EvenClock) -> Duty:
    """Make the gateway's duty: all of it, or what its peers leave to it."""
    return SharedDuty(config, keys, chain_id, clock) if config.peers else Duty()


def subscribe(config: MintConfig, keys: MintKeys, login: BrokerLogin) -> Subscription:
    """Make the gateway's subscription to the readings of its plants."""
    filters = [readings_filter(plant) for plant in config.plants] or [readings_filter()]
    return Subscription(f"mmu-{keys.ingest.public.hex()[:16]}", filters, login=login)


def make_ingest(
    path: Path,
    config: MintConfig,
    keys: MintKeys,
    chain_id: Hash,
    registry: Registry,
    following: Following,
    session: Subscription,
    duty: Duty,
    clock: EvenClock,
) -> Ingest:
    """Make the ingest over connections of its own to the gateway's file."""
    kept = Archive(path)
    judge = LinkJudge(chain_id, registry, kept, kept.ends(), following.tip)
    receipts = Receipts(chain_id, keys.ingest, judge, session.publish, duty)
    loans = Loans()
    if config.peers:
        peers = [PublicKey(bytes.fromhex(each)) for each in config.peers]
        loans = PeerLoans(
            chain_id, keys.ingest, peers, duty, judge, kept, following.floor, session.send
        )
    return Ingest(judge, kept, session, receipts, clock, config.store_bytes_max, loans)
