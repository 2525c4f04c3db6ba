"""A `LedgerChain` that several processes use: calls over a socket of this machine, pickled.

Calls never interleave: each has the chain to itself.
"""

import asyncio
import pickle
import socket
import socketserver
import threading

from iot_minting.gateway.chain import Chain

CALLS = (
    "account",
    "status",
    "parameters",
    "submit",
    "transaction",
    "lines_of",
    "line",
    "device",
    "permits",
    "milk_tank",
    "genesis",
)


class ChainServer(socketserver.ThreadingUnixStreamServer):
    """Serves a chain from a socket's path."""

    def __init__(self, chain, path):
        super().__init__(str(path), _Calls)
        self.chain, self.path, self.lock = chain, str(path), threading.Lock()
        self.thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.thread.join()
        self.server_close()

    def answer(self, name, arguments):
        with self.lock:
            if name == "blocks_after":
                return self.chain.final[arguments[0] :]
            return asyncio.run(getattr(self.chain, name)(*arguments))


class _Calls(socketserver.StreamRequestHandler):
    def handle(self):
        try:
            while True:
                pickle.dump(self.server.answer(*pickle.load(self.rfile)), self.wfile)
        except (EOFError, OSError):
            pass  # The process is gone.


class FarChain(Chain):
    """The chain of a `ChainServer`, as another process sees it."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.file, self.lock = self.socket.makefile("rwb"), threading.Lock()

    async def _call(self, *call):
        return await asyncio.to_thread(self._call_and_wait, call)

    def _call_and_wait(self, call):
        with self.lock:
            pickle.dump((call[0], call[1:]), self.file)
            self.file.flush()
            return pickle.load(self.file)

    async def blocks(self, start_height):
        """Give the blocks from a height on; wait for more for ever."""
        while True:
            for block in await self._call("blocks_after", start_height - 1):
                yield block
                start_height = block.height + 1
            await asyncio.sleep(0.05)

    async def aclose(self):
        self.file.close()
        self.socket.close()


def _far(name):
    async def call(self, *arguments):
        return await self._call(name, *arguments)

    return call


for _name in CALLS:
    setattr(FarChain, _name, _far(_name))
