"""A node's configuration: read strictly, written back the same, faults that name the field."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.config import NodeConfig, PeerConfig, format_config, load_config, save_config
from node.errors import BadConfig

keys = st.binary(min_size=32, max_size=32).map(bytes.hex)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
peers = st.builds(PeerConfig, keys, keys, texts)
configs = st.builds(
    NodeConfig,
    name=texts,
    listen=texts,
    peers=st.lists(peers, max_size=4, unique_by=lambda p: p.vote_key).map(tuple),
    rpc_port=st.integers(0, 65_535),
    heartbeat_ms=st.integers(1, 3_600_000),
    verify_threads=st.integers(1, 64),
)


@given(configs)
def test_what_is_written_is_read_back_the_same(tmp_path_factory, config):
    home = tmp_path_factory.mktemp("home")
    (home / "config.toml").write_bytes(format_config(config).encode())
    loaded = load_config(home)
    assert loaded.home == home
    assert format_config(loaded) == format_config(config)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("nmae = 'x'", "nmae"),
        ("rpc_port = 70000", "rpc_port"),
        ("rpc_port = 'x'", "rpc_port"),
        ("log_level = 'loud'", "log_level"),
        ("heartbeat_ms = 0", "heartbeat_ms"),
        ("home = '/x'", "home"),
        ("name = ", "not TOML"),
        ("[[peers]]\nvote_key = 'zz'\nnetwork_key = 'zz'\naddress = ''", "vote_key"),
        (
            f'[[peers]]\nvote_key = "{"00" * 32}\\n"\nnetwork_key = "{"00" * 32}"\naddress = ""',
            "vote_key",
        ),
    ],
)
def test_a_wrong_field_is_named_with_its_file(tmp_path, text, word):
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(BadConfig, match=word) as caught:
        load_config(tmp_path)
    assert "config.toml" in str(caught.value)


def test_one_validator_can_not_be_two_peers(tmp_path):
    peer = PeerConfig("00" * 32, "11" * 32, "/ip4/127.0.0.1/tcp/1")
    save_config(NodeConfig(peers=(peer, peer), home=tmp_path))
    with pytest.raises(BadConfig, match="vote_key"):
        load_config(tmp_path)


def test_a_missing_configuration_says_how_to_make_one(tmp_path):
    with pytest.raises(BadConfig, match="testnet init"):
        load_config(tmp_path / "none")


def test_the_socket_fits_the_kernel_however_deep_the_home_is():
    shallow = NodeConfig(home=Path("/srv/node"))
    deep = NodeConfig(home=Path("/" + "deep/" * 60))
    assert shallow.socket_path == Path("/srv/node/rpc.sock")
    assert len(bytes(deep.socket_path)) <= 100
    assert deep.socket_path != NodeConfig(home=Path("/" + "deep/" * 61)).socket_path
