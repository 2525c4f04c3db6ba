"""What final blocks say, as an attestor needs it: asked of its node, believed of nobody else."""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from iot_minting.wire.line_facts import read_facts
from ledger.errors.doubt import UnprovenLot
from ledger.errors.line import UnknownLine
from ledger.evidence import LineFacts
from ledger.genesis import parse_genesis
from ledger.params import DAY_MS
from ledger.primitives.hashing import Hash
from node.client.errors import NodeUnavailable, Rejected
from node.client.http import NodeClient

RETRY_S: Final = 0.5

log = structlog.get_logger("attest")


@dataclass(frozen=True, slots=True)
class FinalFacts:
    """A line as of the final block of a height; None if there is no such line."""

    height: int
    facts: LineFacts | None


class LineSource(Protocol):
    """Where facts come from. Both raise a `ClientFault` if no node answers."""

    async def line(self, line: Hash) -> FinalFacts:
        """Give a line as of the last final block."""

    async def contestable_until_ms(self, lot: Hash, height: int) -> int | None:
        """Tell until when a lot may be doubted at least; None if none to a height proved it."""


class NodeLines:
    """Facts from nodes of one chain."""

    def __init__(self, nodes: NodeClient, chain_id: Hash) -> None:
        self._nodes, self._chain_id = nodes, chain_id

    async def line(self, line: Hash) -> FinalFacts:
        """Give a line as of the last final block."""
        try:
            view = await self._nodes.line(line)
        except Rejected as fault:
            if fault.code != UnknownLine.code:
                raise
            return FinalFacts((await self._nodes.status()).height, None)
        if view.chain_id != self._chain_id:
            raise NodeUnavailable(f"a node of chain {view.chain_id.hex()} answered")
        return FinalFacts(view.as_of_height, read_facts(view))

    async def contestable_until_ms(self, lot: Hash, height: int) -> int | None:
        """Tell until when a lot may be doubted at least: a day more while a doubt stands.

        Of a lot that it does not know, a node that lags says nothing.
        """
        try:
            view = await self._nodes.proven(lot)
        except Rejected as fault:
            if fault.code != UnprovenLot.code:
                raise
            seen = (await self._nodes.status()).height
            if seen < height:
                raise NodeUnavailable(f"a node is at block {seen}, {height} is final") from fault
            return None
        until_ms = view.contestable_until_ms
        return max(until_ms, view.as_of_ms + DAY_MS) if view.doubted else until_ms


async def find_chain(nodes: NodeClient, ended: asyncio.Event) -> Hash | None:
    """Ask for the genesis until a node answers, and give the chain's id; None if ended before."""
    told = ""
    while not ended.is_set():
        try:
            return parse_genesis(await nodes.genesis()).chain_id
        except NodeUnavailable as fault:
            if str(fault) != told:
                told = str(fault)
                log.info("waiting for a node", why=told)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RETRY_S):
                await ended.wait()
    return None
