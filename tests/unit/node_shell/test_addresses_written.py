"""Addresses that people write, in configurations and commands: sound, or one clear fault."""

import pytest
from typer.testing import CliRunner

from node.addresses import check_url
from node.cli.main import build, explain
from node.client.http import NodeClient
from node.errors import BadConfig
from node.shell.p2p.libp2p_host import parse_listen

BAD_URLS = [
    "",
    "foo",
    "127.0.0.1:26002",
    "ftp://127.0.0.1",
    "http://",
    "http://127.0.0.1:x",
    "http://127.0.0.1:1_0",
    "http://127.0.0.1:１２",
    "http://127.0.0.1:0",
    "http://127.0.0.1:99999",
    "http://[::1",
    "http://a b",
    "http://a\n",
    "http://a/?b",
    "http://a/#b",
]


@pytest.mark.parametrize("url", BAD_URLS)
def test_what_no_client_can_be_sent_to_is_told_in_one_line(url):
    for read in (check_url, NodeClient):
        with pytest.raises(BadConfig, match="write http://HOST:PORT") as told:
            read(url)
        assert "\n" not in str(told.value)
    with pytest.raises(BadConfig):
        NodeClient("http://127.0.0.1:9", url)


@pytest.mark.parametrize("url", BAD_URLS)
def test_a_command_that_is_given_such_an_address_does_not_call_it_a_bug(url):
    words = ["tx", "show", "ab" * 32, "--node", url]
    shown = CliRunner().invoke(build(words), words)
    line, code = explain(shown.exception)
    assert (line.startswith("error: "), code) == (True, 1)


def test_a_password_in_an_address_is_refused_and_never_shown():
    with pytest.raises(BadConfig, match="password") as told:
        check_url("http://till:s3cret@127.0.0.1:9")
    assert "s3cret" not in str(told.value)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:26002", "https://node.example", "http://[::1]:1/", "http://ü.example/a/b"],
)
def test_a_sound_address_stays_as_it_is(url):
    assert check_url(url) == url


@pytest.mark.parametrize("port", ["1_0", "１２", " 12", "+12", "99999", "", "x"])
def test_the_port_of_a_multiaddress_is_never_guessed(port):
    with pytest.raises(BadConfig, match="no TCP multiaddress"):
        parse_listen(f"/ip4/127.0.0.1/tcp/{port}")


def test_a_multiaddress_gives_its_port():
    assert parse_listen("/ip4/127.0.0.1/tcp/26001")[1] == 26_001
