"""The RPC's link to a node that talks nonsense: one answer is missed, the link goes on."""

import asyncio
from contextlib import asynccontextmanager

import msgspec
import pytest

from node.client.errors import NodeUnavailable, Unanswered
from node.client.framing import FrameDecoder, encode_frame
from node.client.requests import GetStatus, GetSupply, Subscribe
from node.client.views import NodeStatus, SupplyView
from node.shell.rpc import wire
from node.shell.rpc.link import NodeLink
from tests.support.node.rpc_runs import poll, run_async
from tests.support.node.toy_backend import ToyBackend


class Babbler:
    """A node that answers as a toy does, but for what it is told to say instead."""

    def __init__(self) -> None:
        self.backend = ToyBackend()
        self.instead: dict[type, bytes] = {}
        self.subscribed = 0

    async def serve(self, reader, writer):
        decoder = FrameDecoder(wire.REQUEST_BYTES_MAX)
        while data := await reader.read(65_536):
            for frame in decoder.feed(data):
                ask = wire.ask_decoder.decode(frame)
                request = wire.request_decoder.decode(ask.request)
                self.subscribed += isinstance(request, Subscribe)
                said = self.instead.get(type(request))
                if isinstance(said, Exception):
                    writer.close()
                    return
                writer.write(encode_frame(said) if said else self.answer(ask.id, request))
        writer.close()

    def answer(self, ask_id, request):
        match request:
            case GetStatus():
                value = self.backend.status()
            case GetSupply():
                value = self.backend.supply()
            case Subscribe(start=start):
                return encode_frame(bytes(self.backend.block(start) or b""))
        return wire.answer_frame(wire.Answer(ask_id, "", msgspec.Raw(wire.encoder.encode(value))))


def linked(tmp_path, test, node=None):
    """Run a test with a link to a babbler."""

    @asynccontextmanager
    async def running(link):
        keeping = asyncio.create_task(link.run())
        try:
            yield
            assert not keeping.done(), "the link goes on"
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    async def whole():
        babbler, path = node or Babbler(), tmp_path / "s"
        server = await asyncio.start_unix_server(babbler.serve, path)
        link = NodeLink(path)
        async with server, running(link):
            await poll(lambda: link.status is not None)
            await test(babbler, link)

    run_async(whole)


async def works(link):
    """Wait until an ordinary question is answered."""
    while True:
        try:
            return (await link.ask(GetSupply(), SupplyView)).ok
        except NodeUnavailable:
            await asyncio.sleep(0.01)


def test_an_answer_of_another_shape_fails_its_own_request_alone(tmp_path):
    async def test(_node, link):
        with pytest.raises(Unanswered, match="can't be read"):
            await link.ask(GetStatus(), SupplyView)  # A shape that this answer has not.
        assert await works(link)

    linked(tmp_path, test)


@pytest.mark.parametrize(
    "frame", [b"\xc1", b"\x93\x01\xa0", b"\x91" * 100_000, b"\x93\x07\xa1\xff\xc0"]
)
def test_a_frame_that_is_no_answer_ends_nothing(tmp_path, frame):
    async def test(node, link):
        node.instead[GetStatus] = frame
        lost = asyncio.create_task(link.ask(GetStatus(), NodeStatus))
        assert await works(link)
        lost.cancel()
        await asyncio.gather(lost, return_exceptions=True)

    linked(tmp_path, test)


@pytest.mark.parametrize("frame", [b"\xc1", b"\x80", msgspec.msgpack.encode({"height": "one"})])
def test_a_block_that_is_none_costs_the_feed_one_connection(tmp_path, frame):
    node = Babbler()
    node.instead[Subscribe] = frame

    async def test(_node, link):
        await poll(lambda: node.subscribed >= 2)
        del node.instead[Subscribe]
        node.backend.mine()
        await poll(lambda: node.subscribed >= 3)
        assert await works(link)
        assert await link.block(1) == bytes(node.backend.block(1))

    linked(tmp_path, test, node)


def test_what_was_asked_when_the_node_went_may_have_been_carried_out(tmp_path):
    async def test(node, link):
        node.instead[GetStatus] = ConnectionResetError()
        with pytest.raises(Unanswered):
            await link.ask(GetStatus(), NodeStatus)
        with pytest.raises(NodeUnavailable) as caught:
            await link.ask(GetSupply(), SupplyView)  # Nothing left: there is no connection yet.
        assert not isinstance(caught.value, Unanswered)
        del node.instead[GetStatus]
        assert await works(link)

    linked(tmp_path, test)
