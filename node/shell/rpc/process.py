"""The process around `app`: its socket, its bounds, its end.

It ends with the node that started it: the node holds the other end of its standard input, and the
kernel closes that whatever way the node dies.
"""

import os
import signal
import threading

from node.addresses import LOOPBACK, parse_networks
from node.collector import tune_collector
from node.config import NodeConfig
from node.httpd.admission import Admission
from node.httpd.limits import HttpLimits, fit_to_files
from node.httpd.server import GuardedServer, bind
from node.shell.rpc.app import make_app
from node.shell.rpc.link import NodeLink


def make_server(config: NodeConfig) -> GuardedServer:
    """Make the HTTP server of a node's RPC."""
    limits = HttpLimits(
        connections_max=fit_to_files(config.rpc_connections_max),
        per_address_max=config.rpc_connections_per_address_max,
        trusted=LOOPBACK + parse_networks(config.rpc_trusted_proxies),
    )
    link = NodeLink(config.socket_path)
    return GuardedServer(make_app(link), Admission(limits), lifespan="on", on_ending=link.close)


def serve_rpc(config: NodeConfig, *, ends_with_parent: bool) -> None:
    """Serve HTTP until SIGTERM or SIGINT."""
    listener = bind(config.rpc_host, config.rpc_port)
    server = make_server(config)
    if ends_with_parent:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    # uvicorn raises the signal that ended it once more; a handler of ours makes that exit 0.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    tune_collector()
    with listener:
        server.run(sockets=[listener])


def _end_with_stdin() -> None:
    """Wait for the other end to close. Not through `sys.stdin`, whose lock outlives the wait."""
    while os.read(0, 64):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
