"""What strangers do to an HTTP server, from plain sockets that stay open as long as a stack.

They come from another address of the loopback than honest clients, which the servers trust as
much: only the bounds on all connections hold them.
"""

import asyncio
import contextlib
import resource
import socket
import time
from collections.abc import Callable

import psutil

MIB = 1024 * 1024
ATTACKER = "127.0.0.2"
PIPELINE_S = 3.0
PATIENCE_S = 30

Attack = Callable[[int, contextlib.ExitStack], None]


def raise_own_file_limit() -> None:
    """Let this process open as many sockets as the attacks need."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8_192), hard))


def lower_file_limit() -> None:
    """Give a server's process `ulimit -n 1024`, as many machines do."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (1_024, 1_024))


def _connect(port: int, stack: contextlib.ExitStack) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), 5, source_address=(ATTACKER, 0))
    return stack.enter_context(connection)


def _open(port: int, stack: contextlib.ExitStack, count: int, data: bytes) -> None:
    """Open many connections that say the same, whatever becomes of them."""
    for _ in range(count):
        with contextlib.suppress(OSError):
            _connect(port, stack).sendall(data)


def endless_head(path: str) -> Attack:
    """Send 200 MB of header fields."""

    def attack(port: int, stack: contextlib.ExitStack) -> None:
        connection, field = _connect(port, stack), b"X-A: " + b"a" * 65_000 + b"\r\n"
        sent = 0
        with contextlib.suppress(OSError):
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: milk\r\n".encode())
            while sent < 200 * MIB:
                connection.sendall(field)
                sent += len(field)
        assert sent < 20 * MIB, "nobody ended it"

    return attack


def silence(port: int, stack: contextlib.ExitStack) -> None:
    """Open 1,100 connections and say nothing."""
    _open(port, stack, 1_100, b"")


def slow_heads(path: str) -> Attack:
    """Begin 300 heads and never end them."""
    return lambda port, stack: _open(port, stack, 300, f"GET {path} HTTP/1.1\r\nHost: mi".encode())


def half_bodies(path: str, kind: str) -> Attack:
    """Send 6 of the 12 MB of 50 bodies."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: milk\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {12 * MIB}\r\n\r\n"
    )
    return lambda port, stack: _open(port, stack, 50, head.encode() + bytes(6 * MIB))


def unread_pipeline(path: str) -> Attack:
    """Ask on and on, on 20 connections, and read no answer."""

    def attack(port: int, stack: contextlib.ExitStack) -> None:
        connections = [_connect(port, stack) for _ in range(20)]
        request = f"GET {path} HTTP/1.1\r\nHost: milk\r\n\r\n".encode() * 500
        until = time.monotonic() + PIPELINE_S
        for connection in connections:
            connection.setblocking(False)
        while time.monotonic() < until:
            for connection in connections:
                with contextlib.suppress(OSError):
                    connection.send(request)

    return attack


def streams(path: str) -> Attack:
    """Ask for 512 answers that never end."""
    return lambda port, stack: _open(
        port, stack, 512, f"GET {path} HTTP/1.1\r\nHost: milk\r\n\r\n".encode()
    )


async def settled(victim: psutil.Process, least: int) -> int:
    """Wait until a process has given its memory back; say how much it holds."""
    until = time.monotonic() + PATIENCE_S
    while (  # noqa: ASYNC110 - the other side is a process
        victim.memory_info().rss > least and time.monotonic() < until
    ):
        await asyncio.sleep(0.2)
    return victim.memory_info().rss
