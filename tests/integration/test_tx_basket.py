"""`billcoin tx transfer --redeem`, as often as a basket has lots."""

import asyncio

from msgspec.structs import replace
from typer.testing import CliRunner

from ledger.primitives.amounts import UNITS_PER_BILL, Units
from ledger.primitives.keys import address_of, format_address
from node.cli.main import build
from node.errors import BadArgument
from node.home.key_file import write_key
from tests.support.node.fake_node import MERCHANT, FakeNode, seed_of, small_genesis
from tests.support.node.fake_node_http import HttpNode
from tests.support.node.rpc_runs import run_async


def ledger_of_two_lots():
    genesis = small_genesis()
    (stock,) = genesis.stock
    half = Units(stock.units // 2)
    lots = tuple(replace(stock, name=name, units=half) for name in ("stock-1", "stock-2"))
    return FakeNode(replace(genesis, stock=lots)), [lot.lot_id() for lot in lots]


def test_one_command_buys_a_basket_whatever_the_order_of_its_words(tmp_path):
    write_key(tmp_path / "payer.key", seed_of("customer"))
    ledger, lots = ledger_of_two_lots()
    to = format_address(address_of(MERCHANT.public), "dbill")

    async def pay(node, *redeem):
        words = ["tx", "transfer", "--key", str(tmp_path / "payer.key"), "--to", to,
                 "--bill", "1.8", "--node", node.url]  # fmt: skip
        words += [word for each in redeem for word in ("--redeem", each)]
        return await asyncio.to_thread(CliRunner().invoke, build(words), words)

    async def run():
        node = HttpNode(ledger)
        async with node.serving():
            high, low = sorted(lots, reverse=True)
            done = await pay(node, f"{high.hex()}:0.2", f"{low.hex()}:0.3")
            assert done.exit_code == 0, done.output
            books = await ledger.supply()
            assert books.redeemed_units == UNITS_PER_BILL // 2
            twice = await pay(node, f"{low.hex()}:0.2", f"{low.hex()}:0.3")
            assert isinstance(twice.exception, BadArgument)
            assert "twice" in str(twice.exception)
            nine = await pay(node, *(f"{number:064x}:0.1" for number in range(9)))
            assert "8 are the most" in str(nine.exception)
            wrong = await pay(node, low.hex())
            assert "is not LOT:BILL" in str(wrong.exception)

    run_async(run)
