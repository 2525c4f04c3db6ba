"""A node that knows one line: what a rig says of it, over HTTP."""

from contextlib import asynccontextmanager

from ledger.primitives.codec import encode
from node.client.line_views import DeviceView, LineView
from tests.support.node.fake_node import FakeNode
from tests.support.node.fake_node_http import HttpNode


class LineNode:
    """What an attestor asks of a node, answered from a rig."""

    def __init__(self, rig, chain: FakeNode, height=7):
        self.rig, self.chain, self.height = rig, chain, height

    async def genesis(self):
        return await self.chain.genesis()

    async def status(self):
        return await self.chain.status()

    async def blocks(self, start_height):
        async for block in self.chain.blocks(start_height):
            yield block

    async def line(self, line):
        return line_view(self.rig.facts, self.height)

    @asynccontextmanager
    async def serving(self):
        node = HttpNode(self)
        async with node.serving():
            yield node


def line_view(facts, height):
    """Show a line's facts as a node does."""
    line = facts.line
    return LineView(
        id=facts.line_id,
        plant=line.plant,
        name=line.name,
        mmu=line.mmu,
        through_ms=line.through_ms,
        as_of_height=height,
        as_of_ms=0,
        chain_id=facts.chain_id,
        record=encode(line),
        rules=encode(facts.rules),
        attestors=(),
        devices=tuple(
            DeviceView(
                key=key,
                instrument=device.instrument,
                plant=device.plant,
                operator=device.operator,
                calibrated_from_ms=device.calibrated_from_ms,
                calibrated_until_ms=device.calibrated_until_ms,
                stopped_ms=device.stopped_ms,
                line=device.line,
                tank=device.tank,
                record=encode(device),
                tip=encode(facts.tips[key]) if key in facts.tips else b"",
                use=b"",
            )
            for key, device in sorted(facts.devices.items())
        ),
    )
