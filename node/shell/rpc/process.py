"""The process around `app`: its socket, its loop, its garbage collector, its end.

uvicorn on asyncio's own loop: uvloop accepts one connection a pass, which at 200 terminals costs
seconds on connect. It ends with the node that started it: the node holds the other end of its
standard input, and the kernel closes that whatever way the node dies.
"""

import gc
import os
import signal
import socket
import threading
from typing import Final

import uvicorn

from node.config import NodeConfig
from node.errors import PortTaken
from node.shell.rpc.app import make_app
from node.shell.rpc.link import NodeLink

BACKLOG: Final = 8_192
KEEP_ALIVE_S: Final = 75
"""Above the idle time of terminals, who would else connect anew for each payment."""
SHUTDOWN_S: Final = 1


def bind(host: str, port: int) -> socket.socket:
    """Take the RPC's port, or raise `PortTaken`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named: asyncio turns Nagle's delay off only where it sees TCP, and what is
    # accepted inherits it. Left at 0, every answer costs 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortTaken(port, f"another program ({error.strerror})") from error
    return listener


def make_server(config: NodeConfig) -> uvicorn.Server:
    """Make the HTTP server of a node's RPC."""
    return uvicorn.Server(
        uvicorn.Config(
            make_app(NodeLink(config.socket_path)),
            loop="asyncio",
            http="httptools",
            ws="none",
            lifespan="on",
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=SHUTDOWN_S,
            access_log=False,
            log_config=None,
            server_header=False,
        )
    )


def tune_gc() -> None:
    """Spare what start-up made from collection, and collect seldom: it halves the cost a request.

    The default thresholds double the CPU with thousands of requests in flight.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 1_000)


def serve_rpc(config: NodeConfig, *, ends_with_parent: bool) -> None:
    """Serve HTTP until SIGTERM or SIGINT."""
    listener = bind(config.rpc_host, config.rpc_port)
    server = make_server(config)
    if ends_with_parent:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    # uvicorn raises the signal that ended it once more; a handler of ours makes that exit 0.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    tune_gc()
    with listener:
        server.run(sockets=[listener])


def _end_with_stdin() -> None:
    """Wait for the other end to close. Not through `sys.stdin`, whose lock outlives the wait."""
    while os.read(0, 64):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
