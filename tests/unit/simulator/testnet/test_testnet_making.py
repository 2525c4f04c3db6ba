"""Networks that are made: their keys, their genesis, their configurations, and the commands."""

import json
import os
import stat
from threading import Event

import msgspec
import pytest
from typer.testing import CliRunner

from api.config import load_config as load_api_config
from iot_minting.attestor.config import read_attestor_key
from iot_minting.attestor.config import read_config as read_attestor_config
from iot_minting.gateway.config import read_config as read_mint_config
from iot_minting.settings import load_settings
from ledger.errors.store import BadGenesis
from ledger.genesis import parse_genesis
from ledger.params import Staking
from ledger.primitives.keys import address_of
from ledger.state.records import Role
from ledger.types.evidence import MilkKind
from node.config import JOURNAL_FOLDER
from node.config import load_config as load_node_config
from node.pricefeed.config import load_config as load_feeder_config
from node.pricefeed.config import read_feeder_key
from node.shell.disk.journal import Journal
from simulator.dairy.chain import chain_of
from simulator.dairy.setup import LINE, LINE_INSTRUMENTS, PLANT, DairyConfig
from simulator.testnet.cli import app
from simulator.testnet.create import (
    EPOCH_BLOCKS_LEAST,
    EPOCH_BLOCKS_MAX,
    attestor_names,
    create,
    oracle_names,
)
from simulator.testnet.errors import LayoutFault
from simulator.testnet.layout import Layout, RunState
from simulator.testnet.plan import (
    configure,
    environment,
    node_names,
    node_urls,
    port_uses,
    programs,
)
from simulator.testnet.run import ensure_created


@pytest.fixture
def layout(tmp_path):
    return Layout(tmp_path / "net")


def genesis_of(layout):
    return parse_genesis(layout.genesis_path.read_bytes())


def test_a_made_network_is_described_and_its_genesis_begins_a_chain(layout):
    description = create(layout, 4, seed=None)
    genesis = genesis_of(layout)
    assert layout.describe() == description
    assert genesis.chain_id.hex() == description.chain_id
    assert len(genesis.validators) == 4
    assert genesis.development
    assert description.stock_units == sum(stock.units for stock in genesis.stock)
    assert {role.role for role in genesis.roles} >= {
        Role.REGULATOR, Role.MMU, Role.ATTESTOR, Role.MERCHANT, Role.FARMER, Role.ORACLE,
    }  # fmt: skip


def test_a_made_network_begins_with_its_line_and_every_farms_consent(layout):
    create(layout, 1, seed=1)
    genesis = genesis_of(layout)
    (line,) = genesis.lines
    assert (line.plant, line.line) == (PLANT, LINE)
    assert len(line.devices) == len(LINE_INSTRUMENTS)
    farmers = {role.holder for role in genesis.roles if role.role is Role.FARMER}
    assert {permit.farm for permit in genesis.permits} == farmers
    assert {permit.mmu for permit in genesis.permits} == {line.mmu}


def test_every_validator_begins_with_an_empty_journal(layout):
    create(layout, 2, seed=None)
    for index in range(2):
        journal = Journal(layout.node(index) / JOURNAL_FOLDER, 1_000)
        assert not journal.is_lost
        assert journal.recovered == ()
        journal.close()


def test_no_fresh_milk_is_in_the_opening_stock(layout):
    create(layout, 1, seed=1)
    assert {stock.kind for stock in genesis_of(layout).stock} == {MilkKind.STERILISED}


def test_every_secret_is_its_owner_s_alone(layout):
    create(layout, 2, seed=None)
    secrets = [*layout.root.rglob("*.key"), *layout.root.rglob("*.seed")]
    assert len(secrets) >= 2 * 4 + 3 + 1 + 1 + 2
    for path in secrets:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_one_seed_makes_the_same_people_and_none_makes_others(tmp_path):
    def people(name, seed):
        layout = Layout(tmp_path / name)
        create(layout, 2, seed)
        genesis = genesis_of(layout)
        return genesis.validators, genesis.accounts, genesis.roles, [d.key for d in genesis.devices]

    assert people("a", 7) == people("b", 7)
    assert people("c", 8) != people("a2", 7)
    assert people("d", None) != people("e", None)


def test_a_network_is_made_once(layout):
    first = ensure_created(layout, 3, None)
    assert ensure_created(layout, None, None) == first
    with pytest.raises(LayoutFault, match="3 validators, not 4"):
        ensure_created(layout, 4, None)


def attestors_of(layout):
    return {role.holder for role in genesis_of(layout).roles if role.role is Role.ATTESTOR}


def test_a_network_has_the_attestors_that_were_asked_for_each_with_a_key_and_a_node(layout):
    made = ensure_created(layout, 2, 1, attestors=4)
    assert made.attestors == 4
    names = attestor_names(4)
    ports = {use: 9_000 + i for i, use in enumerate(port_uses(2, 1, 4))}
    configure(layout, 2, ports, 1, 4)
    keys = {read_attestor_key(layout.home(name)).public for name in names}
    assert attestors_of(layout) == keys
    assert len(keys) == 4
    configs = [read_attestor_config(layout.home(name)) for name in names]
    assert [config.port for config in configs] == [ports[name] for name in names]
    urls = node_urls(ports, 2)
    assert [config.node_urls for config in configs] == [urls, urls[::-1]] * 2
    gateway = read_mint_config(layout.home("mint"))
    asked = {each.key: each.url for each in gateway.attestors}
    assert set(asked) == {key.hex() for key in keys}
    assert set(asked.values()) == {f"http://127.0.0.1:{ports[name]}" for name in names}
    started = {p.name: p.argv for p in programs(layout, 2, ports, 1, 4)}
    assert all(started[name][1:3] == ("attest", "run") for name in names)
    with pytest.raises(LayoutFault, match="4 attestors, not 5"):
        ensure_created(layout, None, None, attestors=5)


def test_no_network_has_fewer_attestors_than_a_chain_must_have(layout):
    with pytest.raises(BadGenesis, match="3 attestors"):
        ensure_created(layout, 1, 1, attestors=3)
    result = invoke("init", "--dir", layout.root, "--attestors", 3)
    assert result.exit_code == 2
    assert "4" in result.stderr


def test_a_network_has_the_oracles_that_were_asked_for_each_with_a_key_and_money(layout):
    assert ensure_created(layout, 1, 1, oracles=4).oracles == 4
    genesis = genesis_of(layout)
    licensed = {grant.holder for grant in genesis.roles if grant.role is Role.ORACLE}
    homes = [layout.home(name) for name in oracle_names(4)]
    configure(layout, 1, dict.fromkeys(port_uses(1, 4), 1), 4)
    keys = {read_feeder_key(load_feeder_config(home)).public for home in homes}
    assert licensed == {address_of(key) for key in keys}
    assert len(licensed) == 4
    assert licensed <= {account.address for account in genesis.accounts}
    with pytest.raises(LayoutFault, match="4 oracles, not 1"):
        ensure_created(layout, None, None, oracles=1)
    planned = {each.name for each in programs(layout, 1, dict.fromkeys(port_uses(1, 4), 1), 4)}
    assert planned >= set(oracle_names(4))


def test_epochs_have_the_length_that_was_asked_for(layout):
    ensure_created(layout, 1, 1, epoch_blocks=7)
    assert genesis_of(layout).parameters.staking.epoch_blocks == 7
    assert parse_genesis((layout.node(0) / "genesis.json").read_bytes()) == genesis_of(layout)
    ensure_created(layout, 1, 1, epoch_blocks=7)
    with pytest.raises(LayoutFault, match="epochs of 7 blocks, not 8"):
        ensure_created(layout, 1, 1, epoch_blocks=8)


def test_an_epochs_length_has_the_bounds_of_its_parameter(tmp_path):
    def init(blocks):
        words = ["init", "--dir", str(tmp_path / "net"), "--validators", "1", "--epoch-blocks"]
        return CliRunner().invoke(app, [*words, str(blocks)])

    for outside in (EPOCH_BLOCKS_LEAST - 1, EPOCH_BLOCKS_MAX + 1):
        done = init(outside)
        assert done.exit_code == 2, done.output
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"epoch_blocks": outside}, Staking)
    assert not (tmp_path / "net").exists()
    assert init(EPOCH_BLOCKS_MAX).exit_code == 0


def test_every_process_finds_in_its_configuration_the_ports_of_this_start(layout):
    create(layout, 3, seed=1)
    for base in (20_000, 30_000):
        ports = {use: base + i for i, use in enumerate(port_uses(3))}
        configure(layout, 3, ports)
        for i, name in enumerate(node_names(3)):
            config = load_node_config(layout.node(i))
            assert config.rpc_port == ports[f"{name} rpc"]
            assert config.listen.endswith(f"/tcp/{ports[f'{name} p2p']}")
            assert len(config.peers) == 2
            assert config.listen not in [peer.address for peer in config.peers]
        api = load_api_config(layout.home("api"))
        assert api.port == ports["api"]
        assert str(ports["database"]) in api.database_url
        assert read_mint_config(layout.home("mint")).broker_port == ports["broker"]
        dairy = load_settings(layout.home("dairy"), DairyConfig)
        assert chain_of(dairy, Event()) == genesis_of(layout).chain_id, "no node answers"
        shopper = (layout.home("shopper") / "config.toml").read_text()
        assert str(ports["api"]) in shopper


def test_every_process_of_a_network_is_planned_with_what_it_needs(layout, monkeypatch, tmp_path):
    (tmp_path / "billcoin").touch()
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    ports = dict.fromkeys(port_uses(4), 1)
    planned = {program.name: program for program in programs(layout, 4, ports)}
    assert set(planned) == {
        *node_names(4), *attestor_names(4),
        "broker", "database", "api", "signer", "mint", "dairy", "oracle-0", "shopper",
    }  # fmt: skip
    assert planned["api"].needs == ("database",)
    assert all(planned[name].needs == () for name in node_names(4))
    order = list(planned)
    assert max(map(order.index, ["broker", "dairy", "mint"])) < order.index("node-0")


def test_the_children_get_our_environment(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere")
    assert environment()["DATABASE_URL"] == "postgresql://elsewhere"


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_init_prints_the_chain(tmp_path):
    made = invoke("init", "--dir", tmp_path / "net", "--validators", 2, "--json")
    assert made.exit_code == 0, made.output
    assert json.loads(made.stdout)["validators"] == 2
    again = invoke("init", "--dir", tmp_path / "net", "--json")
    assert json.loads(again.stdout) == json.loads(made.stdout)


@pytest.mark.parametrize("command", ["status", "down"])
def test_what_does_not_run_is_said_in_one_line(tmp_path, command):
    result = invoke(command, "--dir", tmp_path / "net")
    assert result.exit_code == 1
    assert "no testnet runs here" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_file_in_the_way_is_said_in_one_line(tmp_path):
    (tmp_path / "net").write_text("")
    result = invoke("init", "--dir", tmp_path / "net")
    assert result.exit_code == 2
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "genesis.json").write_text("{}")
    result = invoke("up", "--dir", tmp_path / "other")
    assert result.exit_code == 1
    assert "half made" in result.stderr


@pytest.mark.parametrize("wrong", [("--validators", 0), ("--validators", 33), ("--duration", 0)])
def test_a_wrong_command_line_is_exit_code_two(tmp_path, wrong):
    assert invoke("up", "--dir", tmp_path / "net", *wrong).exit_code == 2


def test_status_prints_what_the_supervisor_wrote(layout):
    with layout.held():
        layout.write_state(RunState(os.getpid(), 1, {"api": 2}, {"api": "x"}, [], {"blocks": 3}))
        told = invoke("status", "--dir", layout.root, "--json")
        plain = invoke("status", "--dir", layout.root)
    assert told.exit_code == 0
    assert json.loads(told.stdout)["figures"] == {"blocks": 3}
    assert json.loads(told.stdout)["running"] is True
    assert "blocks" in plain.stdout
