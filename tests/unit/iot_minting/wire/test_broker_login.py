"""Who logs in at a broker, and with what: settings and files, each wrong one told by its name."""

import socket
import ssl

import pytest
from structlog.testing import capture_logs

from iot_minting.errors import Misconfigured
from iot_minting.gateway.config import MintConfig
from iot_minting.wire.login import ANONYMOUS, read_device_login, read_login
from iot_minting.wire.mqtt import connect_properties, make_client
from simulator.dairy.setup import DairyConfig
from tests.support.ledger.dairy import key
from tests.support.minting.certificates import Authority

TLS = {"broker_ca": "ca.crt", "broker_cert": "me.crt", "broker_key": "me.key"}
PASSWORD = {"broker_user": "u", "broker_password_file": "word"}


@pytest.fixture
def home(tmp_path):
    authority = Authority(tmp_path)
    authority.issue("me")
    authority.issue("other")
    authority.issue("locked", password=b"sesame")
    (tmp_path / "word").write_bytes(b"sesame\n")
    (tmp_path / "word").chmod(0o600)
    return tmp_path


def test_without_settings_one_is_anonymous(home):
    assert read_login(home, MintConfig()) == ANONYMOUS
    assert make_client("c", ANONYMOUS).username is None


def test_a_login_is_read_from_the_homes_files_and_given_to_the_client(home):
    login = read_login(home, MintConfig(**TLS, **PASSWORD))
    assert (login.user, login.password) == ("u", "sesame")
    assert login.tls.minimum_version is ssl.TLSVersion.TLSv1_2
    assert login.tls.verify_mode is ssl.CERT_REQUIRED
    assert login.tls.check_hostname
    client = make_client("c", login)
    assert (client.username, client.password) == ("u", "sesame")


def test_a_password_is_in_no_repr(home):
    assert "sesame" not in repr(read_login(home, MintConfig(**PASSWORD)))


def test_a_device_is_named_by_its_key(home):
    device = key("d").public
    Authority(home).issue(device.hex())
    named = {"broker_cert": "{device}.crt", "broker_key": "{device}.key"}
    settings = DairyConfig(
        ingest_key="11" * 32, broker_user="dev-{device}", broker_ca="ca.crt", **named
    )
    login = read_device_login(home, settings, device)
    assert login.user == f"dev-{device.hex()}"
    with pytest.raises(Misconfigured, match=f"broker_cert: .*{key('e').public.hex()}"):
        read_device_login(home, settings, key("e").public)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"broker_ca": "none"}, r"broker_ca: .*none.*No such file"),
        ({"broker_ca": "word"}, r"broker_ca: .*word"),
        ({"broker_cert": "me.crt"}, "broker_key: .* go together"),
        ({"broker_key": "me.key"}, "broker_cert: .* go together"),
        ({**TLS, "broker_ca": ""}, "broker_ca: a client's certificate needs it"),
        ({**TLS, "broker_cert": "none"}, r"broker_cert: .*none.*No such file"),
        ({**TLS, "broker_key": "none"}, r"broker_key: .*none.*No such file"),
        ({**TLS, "broker_key": "other.key"}, r"broker_cert: .*other.key"),
        ({**TLS, "broker_cert": "locked.crt", "broker_key": "locked.key"}, "not encrypted"),
        ({**TLS, "broker_cert": "word"}, "broker_cert: .*word"),
        ({"broker_password_file": "word"}, "broker_user: a password needs"),
        ({**PASSWORD, "broker_password_file": "none"}, r"broker_password_file: .*No such file"),
        ({**PASSWORD, "broker_host": "broker.example"}, "in clear.*broker_ca"),
        ({**PASSWORD, "broker_host": "10.0.0.1"}, "in clear.*broker_ca"),
        (
            {**PASSWORD, "broker_host": "10.0.0.1", "allow_plaintext": True},
            "in clear.*broker_ca",
        ),
        ({"broker_host": "10.0.0.1"}, "readings would go to 10.0.0.1 in clear.*allow_plaintext"),
    ],
)
def test_what_cannot_be_used_is_told_by_its_setting(home, settings, told):
    with pytest.raises(Misconfigured, match=told):
        read_login(home, MintConfig(**settings))


def test_readings_go_in_clear_to_another_machine_by_leave_alone(home):
    settings = MintConfig(broker_host="10.0.0.1", allow_plaintext=True)
    assert read_login(home, settings).tls is None
    assert read_login(home, MintConfig(broker_host="localhost")).tls is None


@pytest.mark.parametrize("raw", [b"", b"\n", b"sesame\nopen\n", b"\xffsesame", b"sesame" * 200])
def test_a_file_that_holds_no_password_is_refused_and_not_quoted(home, raw):
    (home / "word").write_bytes(raw)
    with pytest.raises(Misconfigured, match="broker_password_file") as caught:
        read_login(home, MintConfig(**PASSWORD))
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize(("name", "settings"), [("me.key", TLS), ("word", PASSWORD)])
def test_a_secret_that_others_may_read_is_refused(home, name, settings):
    (home / name).chmod(0o640)
    with pytest.raises(Misconfigured, match=r"open to other users.*chmod 600"):
        read_login(home, MintConfig(**settings))


def before_connecting(client):
    client.on_pre_connect(client, None)


def test_a_renewed_password_counts_from_the_next_connection_on(home):
    client = make_client("c", read_login(home, MintConfig(**PASSWORD)))
    (home / "word").write_bytes(b"open\n")
    assert client.password == "sesame"
    before_connecting(client)
    assert client.password == "open"


def test_what_can_not_be_used_yet_leaves_what_was_read_before(home):
    client = make_client("c", read_login(home, MintConfig(**PASSWORD)))
    (home / "word").write_bytes(b"")
    with capture_logs() as lines:
        before_connecting(client)
    assert client.password == "sesame"
    (told,) = lines
    assert told["event"].startswith("login not renewed")
    assert "broker_password_file" in told["why"]


def test_without_files_nothing_is_read_again(home):
    assert make_client("c", ANONYMOUS).on_pre_connect is None
    assert make_client("c", read_login(home, MintConfig())).on_pre_connect is None


def test_a_client_tells_the_broker_that_it_takes_no_packet_over_64_kib():
    client = make_client("c", ANONYMOUS, retry=False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        client.connect("127.0.0.1", port, clean_start=True, properties=connect_properties(0))
        with server.accept()[0] as broker:
            asked = broker.recv(1_024)
    client.disconnect()
    assert b"\x27" + (65_536).to_bytes(4, "big") in asked  # MQTT 5, 3.1.2.11.4
