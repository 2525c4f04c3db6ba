"""The whole network with real processes: milk in, final blocks out, payments validated, and kills.

One network serves the whole module, in a directory of its own; a test that needs it running finds
it running. What a test waits for is another process's doing, so it polls under a time limit.
"""

import json
import os
import signal
import sqlite3
import subprocess
from contextlib import closing

import httpx
import msgspec
import psutil
import pytest
from ulid import ULID

from ledger.primitives.amounts import Units
from ledger.primitives.codec import encode
from ledger.primitives.hashing import ZERO_HASH, Hash
from ledger.primitives.keys import Address, Seed, SigningKey, address_of
from ledger.types.reading import READING_VERSION, Reading, sign_reading
from ledger.types.transfer import Transfer
from simulator.dairy.setup import FARMS, identify, read_seed
from simulator.dairy.wallet import PaymentOffer, Wallet
from simulator.testnet.figures import format_litres
from simulator.testnet.market import SWING_MICRO_MYR, USUAL_MICRO_MYR
from tests.support.minting.mqtt_wire import capture, publish
from tests.support.testnet.books import litres_of
from tests.support.testnet.running import BILLCOIN, ODD_NAME, RunningTestnet

START_S = 300
MINT_S = 300
PAY_S = 300
CATCH_UP_S = 300
PEOPLE = ("welcomes", "top_ups", "refunds", "coupons", "points")
PEOPLE_S = 300
STOP_S_MAX = 5.0
FIRST_BLOCK_MS_MAX = 20_000

# As on a machine behind a company's proxy. Nothing listens there: what asks it gets no answer.
PROXIES = {
    name: "http://127.0.0.1:1"
    for word in ("http", "https", "all", "mqtt")
    for name in (f"{word}_proxy", f"{word}_proxy".upper())
}

pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    net = RunningTestnet(tmp_path_factory.mktemp("e2e") / ODD_NAME, PROXIES)
    yield net
    net.close()


@pytest.fixture
def net(directory):
    """Give the network, running; started when the test before left it down."""
    if not directory.running:
        directory.start("--validators", "4")
        directory.until(directory.ready, START_S, "ready network")
        directory.until(lambda: directory.height() >= 1, START_S, "first block")
    return directory


@pytest.fixture
def undisturbed(net):
    """Hold that what the test does stops no process and no block."""
    pids, height = net.pids(), net.height()
    yield
    assert net.pids() == pids
    net.until(lambda: net.height() > height, CATCH_UP_S, "block after the test's mischief")


def transfer(units=1):
    return Transfer(Address(bytes(32)), Units(units), bytes(32), ())


def nonce_of(net, key):
    return net.ask("node-0", lambda client: client.account(address_of(key.public))).nonce


def lots_of_whole_milk(net):
    return [
        lot
        for lot in net.ask("node-0", lambda client: client.lots())
        if lot.kind == "whole" and lot.remaining_units > 0
    ]


def buy(net, http):
    """Order a pack and pay it from the treasury; give the transaction's id and the price."""
    body = {"items": [{"productId": "whole-200"}]}
    key = {"Idempotency-Key": str(ULID())}
    ordered = http.post("/api/v1/orders", json=body, headers=key)
    assert ordered.status_code in (200, 201), ordered.text
    page = http.get(f"/p/{ordered.json()['id']}", headers={"Accept": "application/json"})
    assert page.status_code == 200, page.text
    offer = msgspec.convert(page.json(), PaymentOffer)
    wallet = Wallet(Seed(bytes.fromhex((net.layout.root / "keys/treasury.key").read_text())))
    transaction = wallet.pay(offer, nonce_of(net, net.treasury()))
    paid = http.post(
        f"/api/v1/orders/{offer.order_id}/payment", json={"transaction": encode(transaction).hex()}
    )
    assert paid.is_success, paid.text
    return transaction.id.hex(), offer.amount.myr


def validate(http, txid, amount, wait_s=3):
    body = {"txHash": txid, "expectedAmount": amount}
    return http.post("/api/v1/payments/validate", json=body, headers={"Prefer": f"wait={wait_s}"})


def test_the_first_block_is_final_soon_after_the_start(net):
    first_ms = net.until(
        lambda: net.state().figures.get("first_block_ms"), 10, "first block's time"
    )
    assert first_ms <= FIRST_BLOCK_MS_MAX


def test_readings_become_milk_and_an_order_paid_with_it_validates(net):
    net.until(lambda: lots_of_whole_milk(net), MINT_S, "lot minted from readings")
    with net.http() as http:
        txid, amount = buy(net, http)
        answer = validate(http, txid, amount)
    assert answer.status_code == 200, answer.text
    assert answer.json()["valid"] is True, answer.text
    assert answer.json()["error"] is None
    supply = net.ask("node-0", lambda client: client.supply())
    assert supply.ok
    assert supply.supply_units == supply.minted_units - supply.redeemed_units


def test_the_price_of_milk_is_fed_and_outlives_its_feeder(net):
    def price():
        return net.ask("node-0", lambda client: client.price())

    net.until(lambda: price().litre_micro_myr, START_S, "first price")
    assert abs(price().litre_micro_myr - USUAL_MICRO_MYR) <= SWING_MICRO_MYR
    net.until(lambda: net.state().figures["litre_myr"], START_S, "price on the board")
    first = price().round
    os.kill(net.pid("oracle-0"), signal.SIGKILL)
    net.until(lambda: price().round > first, CATCH_UP_S, "price after the feeder's death")


def test_the_shopper_pays_whatever_proxies_the_environment_names(net):
    assert PROXIES.items() <= psutil.Process(net.pid("shopper")).environ().items()
    net.until(lambda: net.state().figures.get("payments_validated"), MINT_S, "purchase")


def test_every_validator_agrees_with_every_other(net):
    height = min(net.height(f"node-{i}") for i in range(4))
    assert height >= 1
    for each in {1, height // 2 or 1, height}:
        assert len({net.block(each, f"node-{i}").hash for i in range(4)}) == 1


def test_every_address_that_the_board_shows_answers(net):
    addresses = net.state().addresses
    pages = [address for address in addresses.values() if address.startswith("http")]
    assert len(pages) >= 4
    for page in pages:
        answer = httpx.get(page, timeout=10, trust_env=False, follow_redirects=True)
        assert answer.status_code == 200, f"{page}: {answer.text[:200]}"


@pytest.mark.usefixtures("undisturbed")
@pytest.mark.parametrize("bad", ["bad_nonce", "insufficient_funds", "wrong_chain", "bad_signature"])
def test_a_bad_transaction_gets_its_own_error(net, bad):
    key = net.treasury()
    nonce = nonce_of(net, key)
    match bad:
        case "bad_nonce":
            transaction = net.signed(key, nonce + 1_000_000, transfer())
        case "insufficient_funds":
            transaction = net.signed(key, nonce, transfer(2**60))
        case "wrong_chain":
            transaction = net.signed(key, nonce, transfer(), chain_id=Hash(bytes(32)))
        case "bad_signature":
            other = SigningKey(Seed(bytes(31) + b"\x01"))
            good = net.signed(key, nonce, transfer())
            forged = other.sign(good.intent.signing_bytes())
            transaction = type(good)(good.intent, ((0, forged),))
    submission = net.submit(transaction)
    assert submission.code == bad, submission
    assert submission.detail
    assert nonce_of(net, key) == nonce


@pytest.mark.usefixtures("undisturbed")
@pytest.mark.parametrize("raw", [b"{", b"[]", b'{"txHash": 1}', b'{"txHash":"x","txHash":"y"}'])
def test_a_malformed_validation_is_refused_as_malformed(net, raw):
    with net.http() as http:
        answer = http.post(
            "/api/v1/payments/validate", content=raw, headers={"Content-Type": "application/json"}
        )
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    problem = answer.json()
    assert problem["valid"] is False
    assert problem["confirmedAt"] is None
    assert problem["error"] == "MALFORMED_REQUEST"


def test_an_unknown_payment_is_not_valid(net):
    with net.http() as http:
        answer = validate(http, "ab" * 32, "1.80", wait_s=0)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["valid"], answer.json()["error"]) == (False, "TX_NOT_FOUND")


def quarantined(net):
    """Count the refused readings by code, from the gateway's own file, read-only."""
    path = net.layout.home("mint") / "mint.sqlite"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as store:
        return dict(store.execute("SELECT code, sum(times) FROM quarantine GROUP BY code"))


def reading_of(device, seq):
    samples = ((0, 1),)
    return Reading(
        READING_VERSION,
        device,
        4_000_000,
        seq,
        1,
        "mass_total",
        "g",
        samples,
        "c",
        "f",
        False,
        ZERO_HASH,
    )


@pytest.mark.usefixtures("undisturbed")
@pytest.mark.parametrize("bad", ["wrong_signature", "unknown_device", "replayed_sequence"])
def test_a_bad_reading_is_quarantined_with_its_reason(net, bad):
    broker_port = net.state().ports["broker"]
    dairy = identify(read_seed(net.layout.home("dairy")), 0)
    meter = next(device for device in dairy.devices if device.name == f"meter-{FARMS[0][0]}")
    stranger = SigningKey(Seed(b"\x07" * 32))
    place = f"bc/v1/{meter.plant}/{meter.line}"
    match bad:
        case "wrong_signature":
            envelope = sign_reading(reading_of(meter.key, 0), net.chain_id(), stranger)
            topic, payload = f"{place}/{meter.key.hex()}/r", encode(envelope)
        case "unknown_device":
            envelope = sign_reading(reading_of(stranger.public, 0), net.chain_id(), stranger)
            topic, payload = f"{place}/{stranger.public.hex()}/r", encode(envelope)
        case "replayed_sequence":
            topic, payload = capture(broker_port, "bc/v1/+/+/+/r", timeout_s=MINT_S)
            net.until(lambda: receipted(net, payload), PAY_S, "receipt of the captured reading")
    before = quarantined(net).get(bad, 0)
    publish(broker_port, topic, payload)
    net.until(lambda: quarantined(net).get(bad, 0) > before, PAY_S, f"quarantine as {bad}")


def receipted(net, payload):
    """Tell whether the gateway has stored this very envelope."""
    path = net.layout.home("mint") / "mint.sqlite"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as store:
        return store.execute("SELECT 1 FROM readings WHERE raw = ?", (payload,)).fetchone()


def test_people_are_welcomed_topped_up_refunded_and_drink_for_points(net):
    """Nobody does it by hand: the network's own customers come to its till."""
    net.until(lambda: all(net.state().figures.get(one) for one in PEOPLE), PEOPLE_S, "all of it")
    told = subprocess.run(
        [BILLCOIN, "testnet", "status", "--dir", str(net.layout.root), "--json"],
        capture_output=True, text=True, timeout=START_S, check=True,
    )  # fmt: skip
    assert all(json.loads(told.stdout)["figures"][one] >= 1 for one in PEOPLE)


RECORDING = """Robot,Begin,Yield
A,4/12/2021 9:27 AM,39.82
B,4/12/2021 9:50 AM,7.72
A,4/12/2021 9:58 AM,
B,4/12/2021 10:04 AM,21.07
"""
MICROGRAMS_PER_POUND = 453_592_370
MICROGRAMS_PER_LITRE = 1_030_000_000
"""The density of raw milk at 20 degrees C in the network's parameters."""


def test_a_recording_mints_its_own_litres(net, tmp_path):
    recording = tmp_path / "milkings.csv"
    recording.write_text(RECORDING)
    columns = "yield=Yield:lb,device=Robot,begin=Begin,date=%m/%d/%Y %I:%M %p"
    home = str(net.layout.home("dairy"))
    played = subprocess.run(
        [BILLCOIN, "sensors", "replay", str(recording), "--home", home, "--map", columns,
         "--speed", "0", "--wait", "--json"],
        capture_output=True, text=True, timeout=START_S, check=False,
    )  # fmt: skip
    assert played.returncode == 0, played.stderr
    told = json.loads(played.stdout.splitlines()[-1])
    pounds_hundredths = 3_982 + 772 + 2_107
    units = pounds_hundredths * MICROGRAMS_PER_POUND * 10_000 // MICROGRAMS_PER_LITRE
    assert told["lots"] >= 1
    assert told["expected_litres"] == format_litres(units)
    assert 0 <= units - litres_of(told["minted_litres"]) <= 3 + told["lots"], "floors alone"
    assert [(row["line"], bool(row["reason"])) for row in told["skipped"]] == [(4, True)]


def test_blocks_go_on_without_a_killed_validator_and_it_catches_up(net):
    before = net.height()
    victim = net.pid("node-3")
    os.kill(victim, signal.SIGKILL)
    net.until(lambda: net.height() >= before + 3, CATCH_UP_S, "three blocks without node-3")
    net.until(lambda: net.pid("node-3") not in (None, victim), CATCH_UP_S, "second node-3")
    target = net.height()
    net.until(lambda: net.height("node-3") >= target, CATCH_UP_S, "node-3 that caught up")
    assert net.block(target, "node-3").hash == net.block(target, "node-0").hash
    with net.http() as http:
        txid, amount = net.until(lambda: buy(net, http), PAY_S, "purchase after the kill")
        assert validate(http, txid, amount).json()["valid"] is True


def test_nothing_final_is_lost_when_everything_is_killed(net):
    with net.http() as http:
        txid, amount = buy(net, http)
        assert validate(http, txid, amount).json()["valid"] is True
    height = net.height()
    hashes = {each: net.block(each).hash for each in (1, height // 2 or 1, height)}
    net.kill_everything()
    net.start()
    net.until(net.ready, START_S, "ready network after the kill")
    net.until(lambda: net.height() > height, CATCH_UP_S, "chain that goes on")
    assert {each: net.block(each).hash for each in hashes} == hashes
    with net.http() as http:
        assert validate(http, txid, amount).json()["valid"] is True


def test_a_second_supervisor_is_told_that_the_first_runs(net):
    command = [BILLCOIN, "testnet", "up", "--dir", str(net.layout.root)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=START_S, check=False)
    assert second.returncode == 1
    assert "testnet down" in second.stderr
    assert "Traceback" not in second.stderr


def test_ctrl_c_ends_everything_within_five_seconds(net):
    family = net.family()
    assert len(family) >= 10
    assert net.interrupt() <= STOP_S_MAX
    assert [each for each in family if each.is_running()] == []
    line = net.last_line()
    assert line["supply_ok"] is True
    assert line["forks"] == 0
    assert set(line) == {
        "blocks", "finality_ms", "minted_litres", "payments_validated", "validate_ms",
        *PEOPLE, "supply_ok", "forks",
    }  # fmt: skip


def test_a_run_with_a_duration_ends_by_itself_with_its_figures(directory):
    assert not directory.running, "the test before ends the network"
    before = psutil.Process().children(recursive=True)
    directory.start("--duration", "15")
    directory.wait(timeout_s=60)
    line = directory.last_line()
    assert line["blocks"] >= 1
    assert line["supply_ok"] is True
    assert line["forks"] == 0
    assert psutil.Process().children(recursive=True) == before
