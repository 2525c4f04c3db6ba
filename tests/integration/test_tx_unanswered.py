"""`billcoin tx` when a node takes a transaction and does not say so: the user gets its id."""

import asyncio
import re

from typer.testing import CliRunner

from ledger.primitives.keys import address_of, format_address
from node.cli.main import build
from node.client.errors import Unanswered
from node.client.http import NodeClient
from node.client.views import TransactionState
from node.home.key_file import write_key
from tests.support.node.fake_node import MERCHANT, FakeNode, seed_of
from tests.support.node.fake_node_http import HttpNode
from tests.support.node.rpc_runs import run_async


def test_who_pays_and_is_not_answered_can_ask_for_the_id(tmp_path):
    write_key(tmp_path / "payer.key", seed_of("customer"))
    ledger = FakeNode()
    ledger.mute = True

    async def run():
        node = HttpNode(ledger)
        to = format_address(address_of(MERCHANT.public), "dbill")
        words = ["tx", "transfer", "--key", str(tmp_path / "payer.key"), "--to", to,
                 "--bill", "1.8", "--node", node.url]  # fmt: skip
        async with node.serving(), NodeClient(node.url) as client:
            done = await asyncio.to_thread(CliRunner().invoke, build(words), words)
            assert isinstance(done.exception, Unanswered)
            (txid,) = re.findall(r"billcoin tx show ([0-9a-f]{64})", str(done.exception))
            view = await client.transaction(bytes.fromhex(txid))
            assert (view.state, view.code) == (TransactionState.FINAL, "")

    run_async(run)
