"""A line to PostgreSQL that says on what the server says last, and keeps open when it hangs up.

So a client hears the server's farewell, and does not see the connection end: on any line that
stands for a moment, which a fast machine is rarely caught in.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from tests.support.system.patience import PATIENCE_S

READ_BYTES = 65_536


class FarewellLine:
    """One proxy before a server; `url` leads through it."""

    def __init__(self, url: str) -> None:
        self._whole = urlsplit(url)
        self._farewell = asyncio.Event()
        self._writers: list[asyncio.StreamWriter] = []
        self.url = ""

    @classmethod
    @asynccontextmanager
    async def to(cls, url: str) -> AsyncIterator["FarewellLine"]:
        """Stand before the server of an address until the block ends."""
        line = cls(url)
        server = await asyncio.start_server(line._carry, "127.0.0.1", 0)
        here = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        user, _, _ = line._whole.netloc.rpartition("@")
        line.url = line._whole._replace(netloc=f"{user}@{here}").geturl()
        try:
            yield line
        finally:
            server.close()
            for writer in line._writers:
                writer.close()
            await server.wait_closed()

    async def until_farewell(self) -> None:
        """Wait until a client was handed all that the server said before it hung up."""
        async with asyncio.timeout(PATIENCE_S):
            await self._farewell.wait()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = self._whole.hostname, self._whole.port
        there, back = await asyncio.open_connection(host, port)
        self._writers += [writer, back]
        asking = asyncio.create_task(_pass_on(reader, back))
        await _pass_on(there, writer)
        self._farewell.set()
        await asking


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass bytes on until one end hangs up; the other hears nothing of that."""
    with contextlib.suppress(ConnectionError):
        while said := await reader.read(READ_BYTES):
            writer.write(said)
            await writer.drain()
