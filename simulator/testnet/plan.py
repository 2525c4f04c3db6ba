"""Which processes a network has, on which ports, with which configuration.

Ports are found anew for every start, so every home's configuration is written before every start.
A process waits for another only where it could not work without it: validators, for one, start
in any order, and the payments service finds its node by itself.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from api.config import ApiIdentity
from api.config import prepare as prepare_api
from api.limits.config import MEASURED
from api.people.demo_file import DEMO_FILE
from iot_minting.attestor.config import AttestorConfig
from iot_minting.attestor.config import prepare as prepare_attestor
from iot_minting.gateway.config import KnownAttestor, MintConfig, MintIdentity
from iot_minting.gateway.config import prepare as prepare_mint
from iot_minting.settings import write_config
from node.config import NodeConfig, PeerConfig, save_config
from node.home.key_file import read_key
from node.pricefeed.config import FeederConfig
from node.pricefeed.config import prepare as prepare_oracle
from simulator.dairy.setup import DairyConfig
from simulator.dairy.shopper import prepare as prepare_shopper
from simulator.testnet.create import REGULATOR_KEY_FILE, attestor_names, oracle_names
from simulator.testnet.errors import MissingProgram
from simulator.testnet.layout import ATTESTORS_USUAL, ORACLES_USUAL, Layout, show_path
from simulator.testnet.opening import PAST_MS, PREFIX
from simulator.testnet.signers import FLOAT, OPERATING, account_text, configure_signer
from simulator.testnet.signers import NAME as SIGNER
from simulator.testnet.supervisor import Program, listens

LOOPBACK: Final = "127.0.0.1"
NODES_ASKED_MAX: Final = 16
"""The most nodes that one service is told of."""
MARKET_SOURCE: Final = "file:../market/price.json"
"""From an oracle's home: the whole folder may be carried elsewhere."""
PEOPLE_FILE: Final = f"../api/{DEMO_FILE}"
"""From the shopper's home, as above."""
FEED_EVERY_MS: Final = 30_000
READ_EVERY_MS: Final = 10_000
"""Far more often than in earnest, so that one who looks on sees the price move."""
API_WORKERS: Final = 2
"""One may die, or be renewed, and payments go on."""
WINDOW_MS: Final = 5_000
MILK_MS: Final = 30 * 60_000
"""Nobody watches a testnet for a day until it gives up milk that no reading tells of."""
COLLECT_MS: Final = 5_000
"""Minutes less than a real plant's, for the same reason."""
HEARTBEAT_MS: Final = 333
"""An empty block this often: shorter than a real network's, so that a board shows life."""


def node_names(validators: int) -> list[str]:
    """Name the validators' processes."""
    return [f"node-{index}" for index in range(validators)]


def port_uses(
    validators: int, oracles: int = ORACLES_USUAL, attestors: int = ATTESTORS_USUAL
) -> list[str]:
    """List every port a network needs, the ones that people open first."""
    nodes = node_names(validators)
    inner = ["broker", "database", SIGNER, *(f"{n} p2p" for n in nodes), *oracle_names(oracles)]
    return ["api", *(f"{n} rpc" for n in nodes), *inner, *attestor_names(attestors)]


def configure(
    layout: Layout,
    validators: int,
    ports: Mapping[str, int],
    oracles: int = ORACLES_USUAL,
    attestors: int = ATTESTORS_USUAL,
) -> None:
    """Write every home's configuration for these ports."""
    _configure_nodes(layout, validators, ports)
    mint = prepare_mint(layout.home("mint"))
    api = _configure_api(layout, validators, ports)
    _configure_milk(layout, validators, ports, mint, api)
    _configure_gateway(layout, validators, ports, attestors)
    for name in oracle_names(oracles):
        config = FeederConfig(
            node_urls=tuple(node_urls(ports, validators)),
            source=MARKET_SOURCE,
            feed_every_ms=FEED_EVERY_MS,
            read_every_ms=READ_EVERY_MS,
            port=ports[name],
        )
        prepare_oracle(layout.home(name), config)
    for index, name in enumerate(attestor_names(attestors)):
        prepare_attestor(
            layout.home(name),
            AttestorConfig(node_urls=_nodes_from(index, ports, validators), port=ports[name]),
        )


def _nodes_from(index: int, ports: Mapping[str, int], validators: int) -> list[str]:
    """List the nodes that an attestor asks: each a first one of its own, as far as there are."""
    urls = node_urls(ports, validators)
    first = index % len(urls)
    return urls[first:] + urls[:first]


def _configure_nodes(layout: Layout, validators: int, ports: Mapping[str, int]) -> None:
    peers = []
    for index in range(validators):
        keys = layout.node(index) / "keys"
        peers.append(
            PeerConfig(
                vote_key=read_key(keys / "validator.key").public.hex(),
                network_key=read_key(keys / "network.key").public.hex(),
                address=f"/ip4/{LOOPBACK}/tcp/{ports[f'node-{index} p2p']}",
            )
        )
    for index in range(validators):
        config = NodeConfig(
            name=f"node-{index}",
            listen=peers[index].address,
            peers=tuple(peer for peer in peers if peer is not peers[index]),
            rpc_host=LOOPBACK,
            rpc_port=ports[f"node-{index} rpc"],
            heartbeat_ms=HEARTBEAT_MS,
            home=layout.node(index),
        )
        save_config(config)


def node_url(ports: Mapping[str, int], index: int) -> str:
    """Give the address of a validator's RPC."""
    return f"http://{LOOPBACK}:{ports[f'node-{index} rpc']}"


def api_url(ports: Mapping[str, int]) -> str:
    """Give the address of the payments service."""
    return f"http://{LOOPBACK}:{ports['api']}"


def node_urls(ports: Mapping[str, int], validators: int) -> list[str]:
    """List the RPC addresses that the services may ask."""
    return [node_url(ports, index) for index in range(min(validators, NODES_ASKED_MAX))]


def _configure_api(layout: Layout, validators: int, ports: Mapping[str, int]) -> ApiIdentity:
    signer = layout.home(SIGNER)
    identity = prepare_api(
        layout.home("api"),
        node_urls=node_urls(ports, validators),
        database_dir=layout.database,
        database_port=ports["database"],
        port=ports["api"],
        prefix=PREFIX,
        operating_address=account_text(signer, OPERATING, PREFIX),
        float_address=account_text(signer, FLOAT, PREFIX),
        # Who measures pays without rest.
        limits=MEASURED if (layout.root / "keys" / "load.key").exists() else None,
    )
    configure_signer(
        signer,
        api_url=api_url(ports),
        node_urls=tuple(node_urls(ports, validators)),
        payout=identity.payout_text,
        prefix=PREFIX,
        port=ports[SIGNER],
    )
    return identity


def _configure_gateway(
    layout: Layout, validators: int, ports: Mapping[str, int], attestors: int
) -> None:
    """Tell the gateway whom to ask."""
    known = [
        KnownAttestor(
            key=prepare_attestor(layout.home(name)).hex(), url=f"http://{LOOPBACK}:{ports[name]}"
        )
        for name in attestor_names(attestors)
    ]
    config = MintConfig(
        node_urls=node_urls(ports, validators),
        broker_host=LOOPBACK,
        broker_port=ports["broker"],
        window_ms=WINDOW_MS,
        milk_ms=MILK_MS,
        collect_ms=COLLECT_MS,
        attestors=known,
    )
    write_config(layout.home("mint"), config)


def _configure_milk(
    layout: Layout,
    validators: int,
    ports: Mapping[str, int],
    mint: MintIdentity,
    api: ApiIdentity,
) -> None:
    urls = node_urls(ports, validators)
    write_config(
        layout.home("dairy"),
        DairyConfig(
            node_urls=urls,
            broker_host=LOOPBACK,
            broker_port=ports["broker"],
            chain_id=made.chain_id if (made := layout.describe()) else "",
            past_ms=PAST_MS,
            ingest_key=mint.ingest_key.hex(),
            regulator_key_file=REGULATOR_KEY_FILE,
            api_url=api_url(ports),
        ),
    )
    prepare_shopper(
        layout.home("shopper"),
        api_url=api_url(ports),
        api_key=api.api_key,
        prefix=PREFIX,
        people_file=PEOPLE_FILE,
    )


def programs(
    layout: Layout,
    validators: int,
    ports: Mapping[str, int],
    oracles: int = ORACLES_USUAL,
    attestors: int = ATTESTORS_USUAL,
) -> list[Program]:
    """List every process, in order: how it starts, what it needs, how to tell that it works."""
    billcoin = _billcoin()
    home = layout.home
    serve = ("api", "run", "--workers", API_WORKERS, "--home", home("api"))
    others = {"oracle": oracle_names(oracles), "attest": attestor_names(attestors)}

    def run(name: str, *arguments: object, needs: tuple[str, ...] = (), port: str = "") -> Program:
        probe = listens(ports[port]) if port else None
        return Program(name, (billcoin, *map(str, arguments)), needs, probe)

    return [
        run("broker", "mint", "broker", "--port", ports["broker"], port="broker"),
        # Milk comes first: it must be of some age to be minted, whatever else is ready by then.
        run("dairy", "sensors", "run", "--home", home("dairy"), needs=("broker",)),
        run("mint", "mint", "run", "--home", home("mint"), needs=("broker",)),
        run(
            "database",
            *("api", "database", "--dir", layout.database, "--port", ports["database"]),
            port="database",
        ),
        *(
            run(name, "node", "run", "--home", home(name), port=f"{name} rpc")
            for name in node_names(validators)
        ),
        run("api", *serve, needs=("database",), port="api"),
        *(
            run(name, command, "run", "--home", home(name), port=name)
            for command, names in {"signer": [SIGNER], **others}.items()
            for name in names
        ),
        run("shopper", "sensors", "shop", "--home", home("shopper"), needs=("api",)),
    ]


def addresses(layout: Layout, ports: Mapping[str, int]) -> dict[str, str]:
    """List what a person may want to open."""
    return {
        "Payments": f"{api_url(ports)}/",
        "API documents": f"{api_url(ports)}/docs",
        "Node RPC": f"{node_url(ports, 0)}/v1/status",
        "Metrics": f"{node_url(ports, 0)}/metrics",
        "Milk price": f"{node_url(ports, 0)}/v1/price",
        "MQTT broker": f"mqtt://{LOOPBACK}:{ports['broker']}",
        "Logs": show_path(layout.logs),
    }


def environment() -> dict[str, str]:
    """Give the children's environment: ours, with output that reaches the log at once."""
    # The children share a machine: a numeric library's pool of threads would only be in the way.
    return {**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}


def _billcoin() -> str:
    """Find the command beside this interpreter, so that no other installation is started."""
    path = Path(sys.executable).parent / "billcoin"
    if not path.is_file():
        raise MissingProgram(path)
    return str(path)
