"""The unix socket itself: nonsense fails the request that it stands in, and nobody else's."""

import socket
import stat
import struct

import msgspec
import pytest

from node.client.framing import HEARTBEAT, FrameDecoder, encode_frame
from node.client.requests import GetAccount, GetBlock, GetStatus, GetSupply, SubmitTransactions
from node.client.views import NodeStatus
from node.shell.rpc import wire
from tests.support.node.toy_backend import ToyBackend, toy_node


def connect(path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(10)
    connection.connect(str(path))
    return connection


def ask(connection, ask_id, request) -> None:
    connection.sendall(wire.ask_frame(ask_id, request))


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
            ask(connection, ask_id, GetStatus())
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
        ask(connection, 1, GetSupply())
        assert answers(connection, 1)[0].fault == ""


def packed(*parts) -> bytes:
    return msgspec.msgpack.encode(parts)


@pytest.mark.parametrize(
    ("frame", "told_id"),
    [
        (b"\xc1", wire.NOBODY),
        (packed(1), wire.NOBODY),
        (packed(-5, ["GetStatus"]), wire.NOBODY),
        (packed(7, ["GetStatus"]) + b"\xc0", wire.NOBODY),
        (b"\x92\x07" + b"\x91" * 100_000, wire.NOBODY),
        (packed(7, ["Nothing"]), 7),
        (packed(7, []), 7),
        (packed(7, None), 7),
        (packed(7, ["GetBlock", -1]), 7),
        (packed(7, ["GetBlock"]), 7),
        (packed(7, ["GetBlock", 1, 2]), 7),
        (packed(7, ["GetAccount", bytes(31)]), 7),
        (packed(7, ["SubmitTransactions", [bytes(70_000)]]), 7),
    ],
)
def test_a_frame_that_can_not_be_read_fails_its_own_request_alone(tmp_path, frame, told_id):
    with toy_node(tmp_path / "s"), connect(tmp_path / "s") as connection:
        ask(connection, 1, GetStatus())
        connection.sendall(encode_frame(frame))
        ask(connection, 2, GetStatus())
        told = {answer.id: answer.fault for answer in answers(connection, 3)}
        assert told == {1: "", told_id: wire.MALFORMED, 2: ""}


def test_a_sign_of_life_is_not_answered(tmp_path):
    with toy_node(tmp_path / "s"), connect(tmp_path / "s") as connection:
        connection.sendall(HEARTBEAT)
        ask(connection, 1, GetStatus())
        assert [answer.id for answer in answers(connection, 1)] == [1]


def test_a_length_that_no_frame_has_ends_its_own_connection_alone(tmp_path):
    with toy_node(tmp_path / "s"), connect(tmp_path / "s") as good:
        with connect(tmp_path / "s") as bad:
            bad.sendall(struct.pack("!I", wire.REQUEST_BYTES_MAX + 1))
            assert bad.recv(1) == b""
        ask(good, 1, GetStatus())
        assert answers(good, 1)[0].id == 1


class Stumbling(ToyBackend):
    """A backend with a bug in every kind of query."""

    def account(self, address):
        raise RuntimeError("a bug in a query")

    def block(self, height):
        return msgspec.Raw(msgspec.msgpack.encode(bytes(wire.ANSWER_BYTES_MAX)))

    async def submit(self, raws):
        raise RuntimeError("a bug where transactions come in")


def test_what_the_node_stumbles_over_fails_alone_and_is_told(tmp_path):
    with toy_node(tmp_path / "s", Stumbling()), connect(tmp_path / "s") as connection:
        ask(connection, 1, GetAccount(bytes(32)))
        ask(connection, 2, GetBlock(0))
        ask(connection, 3, SubmitTransactions((b"pay",)))
        told = {answer.id: answer.fault for answer in answers(connection, 3)}
        assert told == {1: wire.INTERNAL, 2: wire.TOO_LONG, 3: wire.INTERNAL}
        ask(connection, 4, GetStatus())
        assert answers(connection, 1)[0].fault == ""
