"""The samples of docs/samples: what they sign the service takes, what it signs they verify.

Node runs the JavaScript; where there is none, that part is skipped and says so.
"""

import asyncio
import importlib.util
import json
import shutil
import subprocess
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from nacl.signing import SigningKey

from api.webhooks.signing import draw_secret, signed_headers
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import ServiceRig, running_rig
from tests.support.node.fake_node import seed_of
from tests.tidy.repository import ROOT

SAMPLES = ROOT / "docs/samples"
SEED = bytes(seed_of("customer"))
BODY = b'{"id":"evt_1","type":"order.paid"}'


def sample(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def in_node(tmp_path: Path, program: str) -> Any:
    """Run a module of JavaScript that prints one value in JSON."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("this machine has no node")
    path = tmp_path / "run.mjs"
    path.write_text(program, "utf-8")
    done = subprocess.run([node, path], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_both_samples_sign_the_same_bytes_and_the_service_takes_them(
    database: TestDatabase, tmp_path: Path
) -> None:
    signing = sample("sign_payment")

    async def act(rig: ServiceRig) -> None:
        order = await rig.order(quantity=3)
        offer = await rig.offer(order)
        owner = signing.digest(
            "BILLCOIN/address/1", b"\x01\x01", bytes(SigningKey(SEED).verify_key)
        )
        address = signing.bech32m(offer["prefix"], owner)
        account = (await rig.http.get(f"/api/v1/accounts/{address}")).json()
        assert account["bill"] != "0.000000"
        tx_hash, transaction = signing.sign(offer, account["nonce"], SigningKey(SEED))
        taken = await rig.http.post(
            f"/api/v1/orders/{order['id']}/payment", json={"transaction": transaction}
        )
        assert (taken.status_code, taken.json()["txHash"]) == (202, tx_hash), taken.text
        await rig.level()
        assert (await rig.validate(tx_hash, "5.40")).json()["valid"]
        module = json.dumps((SAMPLES / "sign_payment.mjs").as_uri())
        program = f"""
            const {{ sign, keysOf }} = await import({module});
            const keys = await keysOf("{SEED.hex()}");
            console.log(JSON.stringify(await sign({json.dumps(offer)}, {account["nonce"]}, keys)));
        """
        signed = await asyncio.to_thread(in_node, tmp_path, program)
        assert signed == {"txHash": tx_hash, "transaction": transaction}

    async def run() -> None:
        async with running_rig(database) as rig:
            await act(rig)

    asyncio.run(run())


def test_the_sample_in_python_verifies_what_is_sent_and_nothing_else() -> None:
    verify, secret = sample("verify_webhook").verify, draw_secret()
    headers = signed_headers([draw_secret(), secret], "evt_1", int(time.time()), BODY)
    assert verify(BODY, headers, secret.text) == json.loads(BODY)
    old = signed_headers([secret], "evt_1", int(time.time()) - 400, BODY)
    for body, told, key in (
        (BODY + b" ", headers, secret.text),
        (BODY, headers, draw_secret().text),
        (BODY, old, secret.text),
    ):
        with pytest.raises(ValueError, match="sign"):
            verify(body, told, key)


def test_the_sample_in_javascript_verifies_both_kinds_of_signatures(tmp_path: Path) -> None:
    secret, other = draw_secret(), draw_secret()
    headers = signed_headers([secret], "evt_1", int(time.time()), BODY)
    old = signed_headers([secret], "evt_1", int(time.time()) - 400, BODY)
    text = BODY.decode()
    cases = [
        (text, headers, secret.text),
        (text, headers, secret.public_text),
        (text + " ", headers, secret.text),
        (text, headers, other.text),
        (text, headers, other.public_text),
        (text, old, secret.text),
    ]
    module = json.dumps((SAMPLES / "verify_webhook.mjs").as_uri())
    program = f"""
        const {{ verify }} = await import({module});
        const said = [];
        for (const [body, headers, key] of {json.dumps(cases)}) {{
            const bytes = new TextEncoder().encode(body);
            said.push(await verify(bytes, headers, key).then((event) => event.type, () => null));
        }}
        console.log(JSON.stringify(said));
    """
    assert in_node(tmp_path, program) == ["order.paid", "order.paid", None, None, None, None]
