"""Certificates that are renewed while gateways and devices run: the next connection uses them."""

import time
from contextlib import contextmanager
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from iot_minting.even_clock import wall_ms
from iot_minting.gateway.config import MintConfig
from iot_minting.gateway.subscription import Subscription
from iot_minting.wire.login import read_login
from iot_minting.wire.topics import readings_filter, readings_topic
from tests.support.ledger.dairy import key
from tests.support.minting.certificates import Authority
from tests.support.minting.mosquitto import PROGRAM, Plant, calling, running_mosquitto
from tests.support.minting.parts import PLANT, running_device, until

pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="mosquitto is not here: apt-get install mosquitto"
)

GATEWAY = "gateway-t"
ACL = f"""
user {GATEWAY}
topic read bc/v1/{PLANT}/+/+/r
topic write bc/v1/receipt/+
"""
EXPIRED = timedelta(hours=-1)
SPEAKER = key("speaker").public


@pytest.fixture
def plant(tmp_path):
    folder = tmp_path / "plant"
    folder.mkdir()
    return Plant(folder, ACL)


def login_of(plant, name=GATEWAY):
    settings = MintConfig(
        broker_ca="certs/ca.crt", broker_cert=f"certs/{name}.crt", broker_key=f"certs/{name}.key"
    )
    return read_login(plant.folder, settings)


@contextmanager
def subscribed(plant):
    """A gateway's subscription by the certificate in its files."""
    subscription = Subscription("mmu-t", [readings_filter()], login=login_of(plant))
    subscription.start("127.0.0.1", plant.port)
    try:
        yield subscription
    finally:
        subscription.stop()


def hears(plant, subscription):
    """Tell whether a gateway hears what a device says now."""
    plant.authority.issue(SPEAKER.hex())
    with calling(plant, login_of(plant, SPEAKER.hex())) as speaker:
        deadline_s = time.monotonic() + 30
        while time.monotonic() < deadline_s:
            speaker.publish(readings_topic(PLANT, "l", SPEAKER), b"now")
            if subscription.take(1, 0.5):
                return True
    return False


def told(lines, event, why):
    return any(each["event"].startswith(event) and why in each["why"] for each in lines)


def test_a_gateway_whose_certificate_expired_is_let_in_once_it_is_renewed(plant):
    plant.authority.issue(GATEWAY, until=EXPIRED)
    with running_mosquitto(plant), capture_logs() as lines, subscribed(plant) as subscription:
        assert subscription.take(1, 2.0) == []
        plant.authority.issue(GATEWAY)
        assert hears(plant, subscription)
    assert lines, "it said that it was not let in"


def test_a_new_authority_of_the_plants_is_taken_with_the_next_connection(plant):
    plant.authority.issue(GATEWAY)
    with subscribed(plant) as subscription:
        with running_mosquitto(plant):
            assert hears(plant, subscription)
        plant.authority = Authority(plant.certs, "another authority")
        for name in ("broker", GATEWAY):
            plant.authority.issue(name)
        with running_mosquitto(plant):
            assert hears(plant, subscription)


def test_a_certificate_without_its_key_is_told_and_the_one_before_is_used(plant):
    plant.authority.issue(GATEWAY)
    whole = (plant.certs / f"{GATEWAY}.key").read_bytes()
    with subscribed(plant) as subscription, capture_logs() as lines:
        plant.authority.issue(GATEWAY)
        renewed = (plant.certs / f"{GATEWAY}.key").read_bytes()
        assert renewed != whole
        (plant.certs / f"{GATEWAY}.key").write_bytes(whole)
        with running_mosquitto(plant):
            assert hears(plant, subscription)
        assert told(lines, "login not renewed", f"{GATEWAY}.key")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # paho's socket.
def test_a_device_whose_certificate_expired_sends_all_once_it_is_renewed(plant, tmp_path):
    device = key("m").public
    plant.authority.issue(device.hex(), until=EXPIRED)
    plant.authority.issue(GATEWAY)
    login = login_of(plant, device.hex())
    with (
        running_mosquitto(plant),
        subscribed(plant) as subscription,
        capture_logs() as lines,
        running_device(plant.port, "m", tmp_path, login=login) as measuring,
    ):
        measuring.record([(wall_ms(), measuring.value + 1)])
        until(lambda: lines, what="a warning")
        assert subscription.take(1, 0.5) == []
        plant.authority.issue(device.hex())
        (message,) = subscription.take(1, 30)
        assert message.topic == readings_topic(PLANT, "l", device)
