"""Accounts and meters for measuring: who has them, what backs them, how a generator finds them."""

from ledger.genesis import parse_genesis
from ledger.primitives.hashing import ZERO_HASH
from ledger.types.evidence import MilkKind
from loadtest.wallets import derive, open_wallets, read_seed
from simulator.testnet.create import create
from simulator.testnet.layout import Layout
from simulator.testnet.load import METERS, PURSE_UNITS


def test_a_generator_finds_the_accounts_and_meters_that_genesis_endowed(tmp_path):
    layout = Layout(tmp_path / "net")
    create(layout, 1, None, 3)
    genesis = parse_genesis(layout.genesis_path.read_bytes())
    seed = read_seed(layout.root)
    held = {account.address: account.units for account in genesis.accounts}
    assert [held[wallet.address] for wallet in open_wallets(seed, ZERO_HASH, 3)] == [
        PURSE_UNITS
    ] * 3
    known = {device.key for device in genesis.devices}
    assert {derive(seed, b"load-meter", n).public for n in range(METERS)} <= known


def test_whole_milk_backs_what_load_may_buy(tmp_path):
    layout = Layout(tmp_path / "net")
    create(layout, 1, None, 5)
    stock = {lot.name: lot for lot in parse_genesis(layout.genesis_path.read_bytes()).stock}
    assert (stock["load"].kind, stock["load"].units) == (MilkKind.WHOLE, 5 * PURSE_UNITS)


def test_a_network_that_nobody_measures_has_none(tmp_path):
    layout = Layout(tmp_path / "net")
    create(layout, 1, None)
    assert not (layout.root / "keys" / "load.key").exists()
