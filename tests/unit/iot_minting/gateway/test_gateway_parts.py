"""Registry, configuration and commands of the gateway, each by itself."""

import dataclasses
import json
import sqlite3
from contextlib import closing

import pytest
from typer.testing import CliRunner

from iot_minting.cli import app
from iot_minting.errors import Misconfigured
from iot_minting.gateway import config
from iot_minting.gateway.letters import Draft, Letters, LetterState, What
from iot_minting.gateway.minting import Claim
from iot_minting.gateway.registry import Registry, find_registrations
from iot_minting.gateway.store import Store
from iot_minting.gateway.types import RegisteredDevice
from iot_minting.settings import write_config
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash
from ledger.types.block import Receipt
from ledger.types.evidence import Instrument
from ledger.types.registry import RegisterDevice
from ledger.types.window import MintWindow, WindowAttestation
from tests.support.evidence.rig import MMU, START_MS
from tests.support.ledger.dairy import FOREVER, Dairy, key
from tests.support.minting.model_plant import ModelPlant


def registration(dairy, kind="milk_meter", name="new"):
    operator = dairy.genesis.devices[0].operator
    body = RegisterDevice(key(name).public, kind, "plant-9", operator, FOREVER)
    return encode(dairy.transaction(body, dairy.regulator, 0))


def test_a_registry_follows_what_took_effect_on_the_chain_and_nothing_else():
    dairy = Dairy()
    receipt = Receipt(bytes(32), "", 0)
    failed = Receipt(bytes(32), "role_missing", 0)
    pay = encode(dairy.transaction(dairy.pay(bytes(32), 1), dairy.mmu, 0))
    raws = [
        registration(dairy),
        registration(dairy, name="failed"),
        registration(dairy, kind="abacus", name="odd"),
        pay,
        b"of another age",
    ]
    devices = find_registrations(raws, [receipt, failed, receipt, receipt, receipt])
    assert [d.key for d in devices] == [key("new").public]
    registry = Registry()
    registry.admit(devices, 1)
    assert (len(registry), registry.height) == (1, 1)
    assert registry.find(key("new").public).kind is Instrument.MILK_METER
    with pytest.raises(AssertionError, match="each once"):
        registry.admit([], 1)


def test_a_home_keeps_its_keys_and_its_settings(tmp_path):
    identity = config.prepare(tmp_path)
    assert config.prepare(tmp_path) == identity
    assert config.read_keys(tmp_path).identity() == identity
    assert (tmp_path / "keys" / "mmu.key").stat().st_mode & 0o777 == 0o600
    settings = config.MintConfig(node_urls=["http://a"], broker_host='b"\\', broker_port=4)
    write_config(tmp_path, settings)
    assert config.read_config(tmp_path) == settings


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "testnet init"),
        ("broker_port = 'x'", "broker_port"),
        ("a = [", "not TOML"),
        ("colour = 1", "colour"),
        ("node_urls = ['http://a:x']", "node_urls.*write http://HOST:PORT"),
        ("broker_port = '1_0'", "broker_port.*digits 0 to 9"),
        ("plants = ['a/b']", "plants"),
        ("peers = ['me']", "peers"),
        ("copies = 1", "needs as many peers"),
    ],
)
def test_a_bad_configuration_says_what_and_where(tmp_path, text, told):
    if text is not None:
        (tmp_path / "config.toml").write_text(text)
    with pytest.raises(Misconfigured, match=told) as caught:
        config.read_config(tmp_path)
    assert "config.toml" in str(caught.value)


def test_the_environment_overrides_the_file(tmp_path, monkeypatch):
    write_config(tmp_path, config.MintConfig())
    monkeypatch.setenv("BILLCOIN_MINT_BROKER_PORT", "77")
    assert config.read_config(tmp_path).broker_port == 77


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("BILLCOIN_MINT_BROKER_PORT", "1_0", "digits 0 to 9"),
        ("BILLCOIN_MINT_BROKER_PORT", "１２", "digits 0 to 9"),
        ("BILLCOIN_MINT_BROKER_PORT", "70000", "65535"),
        ("billcoin_mint_broker_port", "x", "digits 0 to 9"),
        ("BILLCOIN_MINT_NODE_URLS", '["http://a:x"]', "write http://HOST:PORT"),
    ],
)
def test_a_bad_variable_of_the_environment_is_named(tmp_path, monkeypatch, name, text, told):
    write_config(tmp_path, config.MintConfig())
    monkeypatch.setenv(name, text)
    with pytest.raises(Misconfigured, match=f"^{name.upper()}: .*{told}"):
        config.read_config(tmp_path)


def test_a_variable_that_is_no_json_is_told_with_its_field(tmp_path, monkeypatch):
    write_config(tmp_path, config.MintConfig())
    monkeypatch.setenv("BILLCOIN_MINT_NODE_URLS", "http://a")
    with pytest.raises(Misconfigured, match=r"environment.*node_urls.*JSON"):
        config.read_config(tmp_path)


@pytest.fixture
def home(tmp_path):
    """A gateway's home: a window is final, the next one written, and rubbish came in."""
    config.prepare(tmp_path)
    write_config(tmp_path, config.MintConfig())
    path = tmp_path / "mint.sqlite"
    plant = ModelPlant(path)
    plant.rig.run(100)
    for device in plant.rig.devices:
        for envelope in device.envelopes:
            plant.deliver(envelope)
    (claim,) = [each for each in plant.step(START_MS + 3_600_000) if isinstance(each, Claim)]
    plant.archive.record(plant.judge.judge("t", b"rubbish", START_MS))
    plant.archive.close()
    store = Store(path)
    store.save_registry([RegisteredDevice(key("m").public, Instrument.MILK_METER, "p", MMU)], 7)
    store.close()
    letters = Letters(path)
    signed = WindowAttestation(key("a").public, Hash(bytes(32)), bytes(64))
    body = encode(MintWindow(claim.cut.claim, (signed,)))
    for _ in range(2):
        letters.write(Draft(claim.line, What.WINDOW, body, 2_500_000, START_MS))
        (open_one,) = letters.open()
        letters.update(dataclasses.replace(open_one, state=LetterState.FINAL, height=5))
    letters.write(Draft(claim.line, What.WINDOW, body, 1, START_MS))
    letters.write(Draft(b"meter", What.COLLECTION, b"", 1_000_000, START_MS))
    letters.close()
    return tmp_path


def test_status_and_quarantine_read_beside_a_gateway(home):
    status = CliRunner().invoke(app, ["status", "--home", str(home), "--json"])
    answer = json.loads(status.stdout)
    assert answer["envelopes_stored"] > 10
    assert answer["envelopes_refused"] == {"wrong_topic": 1}
    assert (answer["devices"], answer["followed_height"]) == (1, 7)
    assert answer["letters"] == {"collection": {"written": 1}, "window": {"final": 2, "written": 1}}
    assert (answer["minted_litres"], answer["collected_litres"]) == ("5.000000", "0.000000")
    (line,) = answer["lines"]
    assert (line["windows_claimed"], line["windows_minted"]) == (3, 2)
    assert line["minted_litres"] == "5.000000"
    states = [each["state"] for each in answer["latest_windows"]]
    assert states == ["written", "final", "final"]
    assert answer["latest_windows"][1]["from"] < answer["latest_windows"][1]["to"]
    listed = CliRunner().invoke(app, ["quarantine", "--home", str(home), "--json"])
    (entry,) = json.loads(listed.stdout)["refused"]
    assert entry["code"] == "wrong_topic"
    assert entry["detail"]
    for command in ("status", "quarantine"):
        plain = CliRunner().invoke(app, [command, "--home", str(home)])
        assert plain.exit_code == 0
        assert "wrong_topic" in plain.stdout


@pytest.mark.parametrize("command", ["status", "quarantine"])
def test_a_file_of_the_first_law_is_told_on_one_line(tmp_path, command):
    config.prepare(tmp_path)
    write_config(tmp_path, config.MintConfig())
    with closing(sqlite3.connect(tmp_path / "mint.sqlite")) as db:
        db.execute("CREATE TABLE runs (run BLOB)")
    result = CliRunner().invoke(app, [command, "--home", str(tmp_path)])
    assert result.exit_code == 1
    assert "new home" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_registry_and_names_are_there_after_a_restart(tmp_path):
    store = Store(tmp_path / "mint.sqlite")
    assert store.followed_height() is None
    devices = [RegisteredDevice(key("m").public, Instrument.MILK_METER, "p", MMU)]
    store.save_registry(devices, 7)
    store.put_meta("tank:1", b"one")
    store.close()
    again = Store(tmp_path / "mint.sqlite")
    assert (again.devices(), again.followed_height()) == (devices, 7)
    assert again.metas("tank:") == [("tank:1", b"one")]
    again.close()


def test_a_home_that_is_none_is_told_on_one_line(tmp_path):
    for command in ("status", "quarantine", "run"):
        result = CliRunner().invoke(app, [command, "--home", str(tmp_path)])
        assert result.exit_code == 1
        assert "config.toml" in result.stderr
        assert "Traceback" not in result.stderr


def test_init_prints_public_halves_alone(tmp_path):
    result = CliRunner().invoke(app, ["init", "--home", str(tmp_path), "--json"])
    answer = json.loads(result.stdout)
    assert answer["ingest_key"] == config.prepare(tmp_path).ingest_key.hex()
    seed = (tmp_path / "keys" / "mmu.key").read_text().strip()
    assert seed not in result.stdout
