"""A plant's broker by our sample: devices and gateway log in by certificate, and nobody says or
hears what is not theirs."""

import socket
import ssl
from contextlib import contextmanager

import pytest
from structlog.testing import capture_logs

from iot_minting.even_clock import wall_ms
from iot_minting.gateway.archive import Archive
from iot_minting.gateway.config import MintConfig
from iot_minting.gateway.linking import LinkJudge
from iot_minting.gateway.registry import Registry
from iot_minting.gateway.subscription import Subscription
from iot_minting.wire.login import ANONYMOUS, BrokerLogin, read_device_login, read_login
from iot_minting.wire.mqtt import PACKET_BYTES_MAX
from iot_minting.wire.topics import (
    WANTS_FILTER,
    loan_topic,
    loans_filter,
    readings_filter,
    readings_topic,
    receipt_topic,
    state_topic,
    want_topic,
)
from simulator.dairy.setup import DairyConfig
from tests.support.ledger.dairy import key
from tests.support.minting.certificates import Authority
from tests.support.minting.mosquitto import (
    ACCEPTED,
    PROGRAM,
    Caller,
    Plant,
    calling,
    running_mosquitto,
)
from tests.support.minting.parts import (
    CHAIN,
    INGEST,
    PLANT,
    make_ingest,
    registered,
    running_device,
    until,
)

pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="mosquitto is not here: apt-get install mosquitto"
)

GATEWAY = "gateway-t"
ACL = f"""
user {GATEWAY}
topic read bc/v1/{PLANT}/+/+/r
topic write bc/v1/receipt/+

user gateway-elsewhere
topic read bc/v1/elsewhere/+/+/r
topic write bc/v1/receipt/+
"""
NO_RIGHT = 0x87


@pytest.fixture(scope="module")
def plant(tmp_path_factory):
    plant = Plant(tmp_path_factory.mktemp("mosquitto"), ACL)
    with running_mosquitto(plant):
        yield plant


def device_login(plant, name) -> BrokerLogin:
    """Log in as a device does: by its key's certificate."""
    device = key(name).public
    plant.authority.issue(device.hex())
    settings = DairyConfig(
        ingest_key=INGEST.public.hex(),
        broker_ca="certs/ca.crt",
        broker_cert="certs/{device}.crt",
        broker_key="certs/{device}.key",
    )
    return read_device_login(plant.folder, settings, device)


def login_of(plant, name, certs="certs") -> BrokerLogin:
    if certs == "certs":
        plant.authority.issue(name)
    settings = MintConfig(
        broker_ca="certs/ca.crt",
        broker_cert=f"{certs}/{name}.crt",
        broker_key=f"{certs}/{name}.key",
    )
    return read_login(plant.folder, settings)


@contextmanager
def running_gateway(plant, path, devices):
    """A gateway's ingest, whose session outlives it."""
    archive = Archive(path)
    subscription = Subscription("mmu-t", [readings_filter()], login=login_of(plant, GATEWAY))
    known = Registry([registered(name) for name in devices])
    judge = LinkJudge(CHAIN, known, archive, archive.ends())
    ingest = make_ingest(judge, archive, subscription)
    subscription.start("127.0.0.1", plant.port)
    ingest.start()
    try:
        yield
    finally:
        subscription.stop()
        ingest.stop()


def stored(path):
    archive = Archive(path)
    try:
        return archive.envelope_count(), archive.refused_counts()
    finally:
        archive.close()


def measure(device, count):
    for _ in range(count):
        device.record([(wall_ms(), device.value + 1)])


def test_what_devices_say_is_stored_by_the_gateway_and_receipted(plant, tmp_path):
    path = tmp_path / "mint.sqlite"
    logins = {name: device_login(plant, name) for name in ("m", "n")}
    with (
        running_device(plant.port, "m", tmp_path, login=logins["m"]) as one,
        running_device(plant.port, "n", tmp_path, login=logins["n"]) as two,
    ):
        with running_gateway(plant, path, ["m", "n"]):
            measure(one, 100)
            measure(two, 100)
            assert one.wait_receipted(20)
            assert two.wait_receipted(20)
        measure(one, 5)  # The broker keeps them for the gateway, or the device sends them again.
        with running_gateway(plant, path, ["m", "n"]):
            assert one.wait_receipted(30)
    assert stored(path) == (205, {})


def test_a_device_says_nothing_under_anothers_name(plant):
    own, other = key("own").public, key("other").public
    with calling(plant, device_login(plant, "own")) as caller:
        assert caller.publish(readings_topic(PLANT, "l", own)) == ("publish", ACCEPTED)
        assert caller.publish(state_topic(PLANT, "l", own)) == ("publish", ACCEPTED)
        for topic in (
            readings_topic(PLANT, "l", other),
            state_topic(PLANT, "l", other),
            receipt_topic(own),
            receipt_topic(other),
            "bc/v1/anything",
            "$SYS/broker/version",
        ):
            assert caller.publish(topic) == ("publish", NO_RIGHT)


def test_a_device_hears_its_own_receipts_and_nothing_else(plant):
    own, other = key("hears").public, key("speaks").public
    with (
        calling(plant, device_login(plant, "hears"), "a") as caller,
        calling(plant, device_login(plant, "speaks"), "b") as speaker,
        calling(plant, login_of(plant, GATEWAY), "c") as gateway,
    ):
        caller.client.subscribe([("#", 1), ("bc/v1/+/+/+/r", 1), ("$SYS/#", 1)])
        caller.answer()
        assert speaker.publish(readings_topic(PLANT, "l", other)) == ("publish", ACCEPTED)
        assert gateway.publish(receipt_topic(other)) == ("publish", ACCEPTED)
        assert gateway.publish(receipt_topic(own), b"last") == ("publish", ACCEPTED)
        # What it may not hear came before, so it would have heard that first.
        message = caller.heard.get(timeout=10)
        assert (message.topic, message.payload) == (receipt_topic(own), b"last")


def test_a_gateway_hears_its_own_plants_alone(plant):
    device = key("anywhere").public
    with (
        calling(plant, login_of(plant, "gateway-elsewhere"), "a") as gateway,
        calling(plant, device_login(plant, "anywhere"), "b") as speaker,
    ):
        gateway.client.subscribe(readings_filter(), qos=1)
        gateway.answer()
        speaker.publish(readings_topic(PLANT, "l", device))
        speaker.publish(readings_topic("elsewhere", "l", device))
        assert gateway.heard.get(timeout=10).topic == readings_topic("elsewhere", "l", device)
        assert gateway.publish(readings_topic("elsewhere", "l", device)) == ("publish", NO_RIGHT)


def test_gateways_of_a_plant_borrow_of_each_other_and_nobody_else_speaks_there(plant):
    asker = INGEST.public
    topics = want_topic("ampang", asker), loan_topic("ampang", asker)
    with (
        calling(plant, login_of(plant, "gateway-ampang"), "a") as gateway,
        calling(plant, login_of(plant, "gateway-elsewhere"), "b") as elsewhere,
        calling(plant, device_login(plant, "curious"), "c") as device,
    ):
        gateway.client.subscribe([(WANTS_FILTER, 0), (loans_filter(asker), 0)])
        gateway.answer()
        for topic in topics:
            for stranger in (elsewhere, device):
                assert stranger.publish(topic, b"false") == ("publish", NO_RIGHT)
            assert gateway.publish(topic, b"true") == ("publish", ACCEPTED)
            message = gateway.heard.get(timeout=10)
            assert (message.topic, message.payload) == (topic, b"true")


def test_who_shows_no_certificate_of_the_plants_is_refused(plant):
    stranger = Authority(plant.folder / "strangers")
    stranger.issue(GATEWAY)
    without = read_login(plant.folder, MintConfig(broker_ca="certs/ca.crt"))
    for login in (ANONYMOUS, without, login_of(plant, GATEWAY, "strangers")):
        try:
            caller = Caller(plant, login)
        except OSError:
            continue  # Refused in the handshake already.
        try:
            event, _ = caller.answer()
            assert event == "disconnect"
        finally:
            caller.close()


def test_a_broker_with_a_strangers_certificate_is_not_spoken_to(plant):
    Authority(plant.folder / "strange")
    login = read_login(plant.folder, MintConfig(broker_ca="strange/ca.crt"))
    with (
        socket.create_connection(("127.0.0.1", plant.port)) as bare,
        pytest.raises(ssl.SSLError, match="certificate verify failed"),
    ):
        login.tls.wrap_socket(bare, server_hostname="127.0.0.1")


def test_nobody_ends_anothers_session_by_taking_its_id(plant):
    topic = readings_topic(PLANT, "l", key("first").public)
    with (
        calling(plant, device_login(plant, "first"), "dev-1") as caller,
        calling(plant, device_login(plant, "second"), "dev-1"),
    ):
        assert caller.publish(topic) == ("publish", ACCEPTED)


def test_a_packet_over_64_kib_is_refused_and_harms_nobody(plant, tmp_path):
    topic = readings_topic(PLANT, "l", key("large").public)
    with calling(plant, device_login(plant, "large")) as caller:
        event, _ = caller.publish(topic, bytes(PACKET_BYTES_MAX))
        assert event == "disconnect"
    login = device_login(plant, "after")
    with (
        running_gateway(plant, tmp_path / "mint.sqlite", ["after"]),
        running_device(plant.port, "after", tmp_path, login=login) as device,
    ):
        measure(device, 1)
        assert device.wait_receipted(20)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # paho's socket.
@pytest.mark.parametrize(
    ("authority", "told"), [("certs/ca.crt", ""), ("strange/ca.crt", "certificate verify failed")]
)
def test_a_device_that_is_not_let_in_says_so_in_its_log(plant, tmp_path, authority, told):
    Authority(plant.folder / "strange")
    login = read_login(plant.folder, MintConfig(broker_ca=authority))
    with (
        capture_logs() as lines,
        running_device(plant.port, "lost", tmp_path, login=login) as device,
    ):
        measure(device, 1)
        until(lambda: lines, what="a warning")
    assert lines[0]["event"] == "broker refuses device"
    assert told in lines[0]["why"]
