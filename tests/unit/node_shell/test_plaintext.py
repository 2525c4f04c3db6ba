"""No process asks another machine in the clear, unless its file says that it may."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from api.signing.process import config as signer
from api.signing.process import running as signing
from iot_minting.attestor import config as attestor
from iot_minting.attestor import service as attesting
from iot_minting.gateway import config as gateway
from iot_minting.gateway import serving as minting
from iot_minting.settings import write_config
from node.errors import BadConfig
from node.plaintext import check_plain
from node.pricefeed import config as feeder
from node.pricefeed import service as feeding

HERE = ["http://127.0.0.1:1", "http://[::1]:1", "http://LocalHost:1", "https://node.example"]
THERE = "http://10.0.0.7:1"


def test_this_machine_is_asked_in_the_clear_and_others_by_tls() -> None:
    with capture_logs() as told:
        check_plain({"node_urls": HERE}, allowed=False)
        assert told == []


@pytest.mark.parametrize(
    "url",
    [THERE, "http://127.0.0.1.example", "HTTP://node.example", "http://[fe80::1%25eth0]:1"],
)
def test_what_would_go_in_the_clear_is_told_with_its_setting(url: str) -> None:
    asked = {"api_url": HERE, "node_urls": [*HERE, url]}
    with pytest.raises(BadConfig, match=r"node_urls would go to .*https://.*allow_plaintext"):
        check_plain(asked, allowed=False)
    with capture_logs() as told:
        check_plain(asked, allowed=True)
    (line,) = told
    assert (line["event"], line["what"]) == ("in the clear", "node_urls")


def of_signer(home: Path, field: str) -> Awaitable[None]:
    signer.prepare(home, ())
    value = THERE if field == "api_url" else (THERE,)
    return signing.serve(signer.SignerConfig(home=home, **{field: value}))  # type: ignore[arg-type]


def of_feeder(home: Path, field: str) -> Awaitable[None]:
    feeder.prepare(home, feeder.FeederConfig(node_urls=(THERE,)))
    return feeding.serve(feeder.load_config(home))


def of_attestor(home: Path, field: str) -> Awaitable[None]:
    attestor.prepare(home, attestor.AttestorConfig(node_urls=[THERE]))
    return attesting.serve(home, attestor.read_config(home), attestor.read_attestor_key(home))


def of_gateway(home: Path, field: str) -> Awaitable[None]:
    gateway.prepare(home)
    known = [gateway.KnownAttestor(key="0" * 64, url=THERE)]
    found = gateway.MintConfig(attestors=known)
    write_config(home, gateway.MintConfig(node_urls=[THERE]) if field == "node_urls" else found)
    return minting.serve(home)


@pytest.mark.parametrize(
    ("start", "field"),
    [
        (of_signer, "api_url"),
        (of_signer, "node_urls"),
        (of_feeder, "node_urls"),
        (of_attestor, "node_urls"),
        (of_gateway, "node_urls"),
        (of_gateway, "attestors"),
    ],
)
def test_every_process_looks_before_it_starts(
    tmp_path: Path, start: Callable[[Path, str], Awaitable[None]], field: str
) -> None:
    async def run() -> None:
        await start(tmp_path, field)

    with pytest.raises(BadConfig, match=rf"{field} would go to 10\.0\.0\.7"):
        asyncio.run(run())
