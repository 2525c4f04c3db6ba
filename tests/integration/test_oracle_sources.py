"""What a source may do to a feeder over real sockets and files: send a price, and nothing else."""

import asyncio
import contextlib
import errno
import gzip
import os
import threading
from collections.abc import AsyncIterator

import httpx
import pytest

from node.pricefeed import sources
from node.pricefeed.errors import BadSource, SourceFailed
from node.pricefeed.quotes import SOURCE_BYTES_MAX
from node.pricefeed.sources import FileSource, UrlSource, check_source, open_source
from tests.support.node.rpc_runs import run_async

BODY = b'{"myr_per_litre": "3.62", "as_of": "2026-11-29T01:00:00Z"}'


@contextlib.asynccontextmanager
async def web(answer) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Serve what `answer` writes to every request; give the address and the heads that came."""
    heads: list[bytes] = []
    handlers: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.append(asyncio.current_task())
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        answering = asyncio.create_task(answer(writer))
        leaving = asyncio.create_task(reader.read(1))  # The client says no more, and goes.
        await asyncio.wait([answering, leaving], return_when=asyncio.FIRST_COMPLETED)
        for task in (answering, leaving):
            task.cancel()
        await asyncio.gather(answering, leaving, return_exceptions=True)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/price?key=secret", heads
        await asyncio.gather(*handlers)


def told(status: str, *headers: str, body: bytes = b""):
    async def answer(writer):
        head = "\r\n".join((f"HTTP/1.1 {status}", *headers, f"content-length: {len(body)}", "", ""))
        writer.write(head.encode() + body)
        await writer.drain()

    return answer


async def read(url: str, patience_s: float = 5.0) -> bytes:
    async with httpx.AsyncClient(trust_env=False, follow_redirects=False) as client:
        return await UrlSource(client, httpx.URL(url), patience_s).read()


def refused(answer, match: str, patience_s: float = 5.0) -> list[bytes]:
    """Hold that a server's answer is a fault that says so; give the heads of the requests."""
    seen: list[bytes] = []

    async def run():
        async with web(answer) as (url, heads):
            with pytest.raises(SourceFailed, match=match) as caught:
                await read(url, patience_s)
            assert "secret" not in str(caught.value)
            seen.extend(heads)

    run_async(run)
    return seen


def test_a_price_is_read_and_no_proxy_is_asked(monkeypatch, tmp_path):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    async def run():
        async with web(told("200 OK", body=BODY)) as (url, heads):
            async with open_source(url, tmp_path) as source:
                assert await source.read() == BODY
                assert "secret" not in source.shown
            assert b"accept-encoding: identity" in heads[0].lower()

    run_async(run)


def test_a_body_without_end_is_left_after_a_bound():
    sent = 0

    async def endless(writer):
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65_536)
            sent += 65_536
            await writer.drain()

    refused(endless, f"more than {SOURCE_BYTES_MAX} bytes")
    assert sent < 64 * SOURCE_BYTES_MAX, "what the sockets' buffers hold, and not more"


def test_a_body_that_drips_is_left_after_a_time():
    async def dripping(writer):
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    refused(dripping, "did not send all within 0.5 s", patience_s=0.5)


def test_a_server_that_never_answers_is_left_after_a_time():
    async def silent(_writer):
        await asyncio.Event().wait()

    refused(silent, "within 0.3 s", patience_s=0.3)


def test_no_redirect_is_followed():
    for status in ("301 Moved", "302 Found", "307 Temporary", "308 Permanent"):
        heads = refused(told(status, "location: http://127.0.0.1:9/other"), "sends us elsewhere")
        assert len(heads) == 1


@pytest.mark.parametrize("status", ["204 No Content", "206 Partial", "404 Not Found", "500 No"])
def test_any_other_status_is_no_price(status):
    refused(told(status), status[:3])


def test_a_compressed_body_is_not_unpacked():
    bomb = gzip.compress(b" " * 10_000_000)
    refused(told("200 OK", "content-encoding: gzip", body=bomb), "compressed")


def test_a_body_that_breaks_off_is_no_price():
    async def broken(writer):
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n" + BODY)
        await writer.drain()

    refused(broken, "RemoteProtocolError")


@pytest.mark.parametrize(
    "text",
    [
        "", "price.json", "file:", "file:a\0b", "ftp://example.org/x", "https://", "http://",
        "http://example.org/price", "http://127.0.0.1.example.org/x", "https://u:p@example.org/",
        "https://example.org/#x", "javascript:1", "https://exa mple.org/", "http://localhost/",
    ],
)  # fmt: skip
def test_a_source_that_can_not_be_trusted_is_refused_by_its_name(text):
    with pytest.raises(BadSource):
        check_source(text)


@pytest.mark.parametrize(
    "text", ["file:price.json", "file:/srv/price", "https://example.org/p?k=1", "http://[::1]:8/p"]
)
def test_files_https_and_this_machine_are_sources(text):
    check_source(text)


def test_a_file_is_read_from_the_home_and_bounded(tmp_path):
    async def run():
        async with open_source("file:price.json", tmp_path) as source:
            with pytest.raises(SourceFailed, match=r"price\.json"):
                await source.read()
            (tmp_path / "price.json").write_bytes(BODY)
            assert await source.read() == BODY
            os.truncate(tmp_path / "price.json", 1 << 30)
            with pytest.raises(SourceFailed, match="more than"):
                await source.read()

    run_async(run)


def test_a_pipe_a_folder_and_a_device_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "device").symlink_to("/dev/zero")

    async def run():
        for name in ("pipe", "folder", "device"):
            async with open_source(f"file:{name}", tmp_path) as source:
                with pytest.raises(SourceFailed):
                    await source.read()

    run_async(run)


def test_a_file_that_hangs_holds_neither_the_feeder_nor_its_end(tmp_path, monkeypatch):
    released = threading.Event()

    def hang(*_):
        released.wait()
        raise OSError(errno.EIO, "the server is gone")

    monkeypatch.setattr(sources.os, "open", hang)

    async def run():
        source = FileSource(tmp_path / "price.json", patience_s=0.1)
        with pytest.raises(SourceFailed, match=r"within 0\.1 s"):
            await source.read()
        with pytest.raises(SourceFailed, match="has not ended yet"):
            await source.read()

    try:
        run_async(run)  # It ends, though the reading has not.
        assert not released.is_set()
    finally:
        released.set()
