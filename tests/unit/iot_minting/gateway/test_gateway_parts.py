"""Registry, plausible values, configuration and commands of the gateway, each by itself."""

import json

import pytest
from typer.testing import CliRunner

from iot_minting.cli import app
from iot_minting.errors import Implausible, Misconfigured
from iot_minting.gateway import config
from iot_minting.gateway.plausibility import Before, check_plausible, find_outliers
from iot_minting.gateway.registry import Registry, find_registrations
from iot_minting.gateway.store import Store
from iot_minting.gateway.verdicts import RefusedEnvelope
from iot_minting.settings import write_config
from ledger.primitives.codec import encode
from ledger.types.block import Receipt
from ledger.types.evidence import Instrument
from ledger.types.registry import RegisterDevice
from tests.support.ledger.dairy import FOREVER, Dairy, key
from tests.support.minting.milk_line import START_MS, MilkLine


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


def check(kind, values, before=None, **changes):
    line = MilkLine()
    sensor = line.meters[0] if kind is Instrument.MILK_METER else line.line[kind]
    samples = [(START_MS + n, value) for n, value in enumerate(values)]
    reading = sensor.read(samples, **changes).reading()
    check_plausible(line.registry.find(sensor.key.public), reading, before)


def before(value, stream="volume_total", unit="mL", at_ms=START_MS - 1):
    return Before(at_ms, value, stream, unit)


@pytest.mark.parametrize(
    ("kind", "values", "changes"),
    [
        (Instrument.MILK_METER, [5, 4], {}),
        (Instrument.MILK_METER, [-1], {}),
        (Instrument.MILK_METER, [0, 1_000_001], {}),
        (Instrument.MILK_METER, [5], {"before": before(6)}),
        (Instrument.MILK_METER, [5], {"before": before(1, at_ms=START_MS + 1)}),
        (Instrument.MILK_METER, [5], {"before": before(1, "mass_total", "g")}),
        (Instrument.MILK_METER, [5], {"stream": "hold_temperature"}),
        (Instrument.MILK_METER, [5], {"unit": "furlong"}),
        (Instrument.MILK_METER, [5, 6], {"samples": ((9, 5), (3, 6))}),
        (Instrument.HOLD_THERMOMETER, [74_000, 160_001], {}),
        (Instrument.HOLD_THERMOMETER, [10_000, 74_000], {}),
        (Instrument.DIVERSION_VALVE, [2], {}),
        (Instrument.TANK_GAUGE, [-1], {}),
        (Instrument.TANK_GAUGE, [500_000_000_001], {}),
    ],
)
def test_what_no_such_instrument_shows_is_implausible(kind, values, changes):
    with pytest.raises(Implausible):
        check(kind, values, **changes)


def test_what_an_instrument_shows_every_day_is_plausible():
    check(Instrument.MILK_METER, [5, 5, 9], before(5))
    check(Instrument.FLOW_METER, [0, 40_000_000])
    check(Instrument.HOLD_THERMOMETER, [72_000, 74_500])
    check(Instrument.OUTLET_THERMOMETER, [3_500])
    check(Instrument.DIVERSION_VALVE, [0, 1, 0])
    check(Instrument.TANK_GAUGE, [9_000_000, 0])


def test_an_outlier_by_modified_z_is_found():
    assert find_outliers([10, 11, 9, 10, 12, 10, 60]) == [6]
    assert find_outliers([10, 10, 10, 10, 90]) == []
    assert find_outliers([1, 99]) == []
    assert find_outliers([10, 11, 12, 13]) == []


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
    config.prepare(tmp_path)
    write_config(tmp_path, config.MintConfig())
    store = Store(tmp_path / "mint.sqlite")
    line = MilkLine()
    store.save_registry(line.registry, 0)
    store.record(line.send(line.meters[0], [(START_MS, 1)]))
    refused = line.deliver(line.meters[0], b"rubbish")
    assert isinstance(refused[0], RefusedEnvelope)
    store.record(refused)
    store.close()
    return tmp_path


def test_status_and_quarantine_read_beside_a_gateway(home):
    status = CliRunner().invoke(app, ["status", "--home", str(home), "--json"])
    answer = json.loads(status.stdout)
    assert (answer["envelopes_accepted"], answer["envelopes_refused"]) == (1, {"malformed": 1})
    listed = CliRunner().invoke(app, ["quarantine", "--home", str(home), "--json"])
    (entry,) = json.loads(listed.stdout)["refused"]
    assert entry["code"] == "malformed"
    assert entry["detail"]
    for command in ("status", "quarantine"):
        plain = CliRunner().invoke(app, [command, "--home", str(home)])
        assert plain.exit_code == 0
        assert "malformed" in plain.stdout


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
