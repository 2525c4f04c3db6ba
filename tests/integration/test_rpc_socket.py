"""The unix socket itself: whoever speaks nonsense there loses a connection, nobody else does."""

import socket
import stat
import struct

import msgspec
import pytest

from node.client.framing import FrameDecoder, encode_frame
from node.client.views import NodeStatus
from node.shell.rpc import wire
from tests.support.node.toy_backend import toy_node


def connect(path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(10)
    connection.connect(str(path))
    return connection


def ask(connection, ask_id, request) -> None:
    connection.sendall(encode_frame(wire.encoder.encode(wire.Ask(ask_id, request))))


def answers(connection, count) -> list[wire.Answer]:
    decoder, got = FrameDecoder(wire.ANSWER_BYTES_MAX), []
    while len(got) < count:
        data = connection.recv(65_536)
        assert data, "the node closed the connection"
        got += map(wire.answer_decoder.decode, decoder.feed(data))
    return got


def test_answers_bear_the_ids_of_their_requests(tmp_path):
    with toy_node(tmp_path / "s") as _, connect(tmp_path / "s") as connection:
        for ask_id in (7, 3, 5):
            ask(connection, ask_id, wire.GetStatus())
        got = answers(connection, 3)
        assert sorted(answer.id for answer in got) == [3, 5, 7]
        assert msgspec.msgpack.decode(got[0].value, type=NodeStatus).name == "toy"


def test_only_the_owner_may_open_the_socket(tmp_path):
    with toy_node(tmp_path / "s"):
        assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600
    assert not (tmp_path / "s").exists()


def test_a_socket_that_a_killed_node_left_is_replaced(tmp_path):
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(tmp_path / "s"))
    stale.close()
    with toy_node(tmp_path / "s"), connect(tmp_path / "s") as connection:
        ask(connection, 1, wire.GetSupply())
        assert answers(connection, 1)[0].fault == ""


@pytest.mark.parametrize(
    "data",
    [
        encode_frame(b"\xc1"),
        encode_frame(msgspec.msgpack.encode([1, ["Nothing"]])),
        encode_frame(msgspec.msgpack.encode([1, ["GetBlock", -1]])),
        struct.pack("!I", wire.REQUEST_BYTES_MAX + 1),
    ],
    ids=["not msgpack", "unknown request", "below zero", "too long"],
)
def test_nonsense_ends_its_own_connection_alone(tmp_path, data):
    with toy_node(tmp_path / "s"), connect(tmp_path / "s") as good:
        with connect(tmp_path / "s") as bad:
            bad.sendall(data)
            assert bad.recv(1) == b""
        ask(good, 1, wire.GetStatus())
        assert answers(good, 1)[0].id == 1
