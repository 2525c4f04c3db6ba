"""The two kinds of source, and how bytes are had from each: bounded in size and in time.

A file, `file:PATH`, is read from the home's folder if PATH is relative. An address is `https://`;
plain `http://` is for this machine alone, since whoever stands on the way could set the price.
No proxy of the environment is used, no redirect followed, no compressed body unpacked.
"""

import asyncio
import os
import re
import stat
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Protocol

import httpx

from node.environment import explain_environment
from node.pricefeed.errors import BadSource, SourceFailed
from node.pricefeed.quotes import SOURCE_BYTES_MAX

READ_S: Final = 10.0
"""How long one reading may take in all."""
FILE_SCHEME: Final = "file:"
_PLAIN: Final = re.compile(r"[!-~]{1,2048}")


class PriceSource(Protocol):
    """Gives the bytes that the source says now."""

    @property
    def shown(self) -> str:
        """Name the source for logs, without what may be secret in it."""

    async def read(self) -> bytes:
        """Read once, within `READ_S`; raise `SourceFailed`."""


@asynccontextmanager
async def open_source(text: str, home: Path) -> AsyncGenerator[PriceSource, None]:
    """Give the source that a configuration names, for as long as the block runs."""
    check_source(text)
    if text.startswith(FILE_SCHEME):
        yield FileSource(home / text.removeprefix(FILE_SCHEME))
        return
    async with httpx.AsyncClient(
        trust_env=False, follow_redirects=False, timeout=httpx.Timeout(READ_S)
    ) as client:
        yield UrlSource(client, httpx.URL(text))


def check_source(text: str) -> None:
    """Raise `BadSource` unless a source may be written so."""
    wanted = "write file:PATH or https://HOST/PATH"
    if text.startswith(FILE_SCHEME):
        if not text.removeprefix(FILE_SCHEME) or "\0" in text:
            raise BadSource(f"the source {text!r} names no file: {wanted}")
        return
    if not _PLAIN.fullmatch(text):
        raise BadSource(f"the source has letters that no address has: {wanted}")
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise BadSource(f"the source is no address ({error}): {wanted}") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise BadSource(f"the source is neither a file nor an address of the web: {wanted}")
    if url.userinfo or url.fragment:
        raise BadSource(f"a source has no user, password or fragment: {wanted}")
    if url.scheme == "http" and not _is_loopback(url.host):
        raise BadSource(f"http://{url.host} can be changed by whoever stands on the way: use https")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class FileSource:
    """A file that another program replaces."""

    def __init__(self, path: Path, patience_s: float = READ_S) -> None:
        self._path, self._patience_s = path, patience_s
        self._reading: Future[bytes] | None = None

    @property
    def shown(self) -> str:
        """Name the file."""
        return f"{FILE_SCHEME}{self._path}"

    async def read(self) -> bytes:
        """Read it in a thread: a file on a server that hangs must not hold the process.

        Not in asyncio's own threads, whose end is waited for when the process ends.
        """
        if self._reading is not None and not self._reading.done():
            raise SourceFailed(f"{self._path}: the last reading has not ended yet")
        self._reading = reading = Future[bytes]()
        threading.Thread(target=_fill, args=(reading, self._path), daemon=True).start()
        try:
            async with asyncio.timeout(self._patience_s):
                return await asyncio.wrap_future(reading)
        except TimeoutError:
            late = f"{self._path} could not be read within {self._patience_s:g} s"
            raise SourceFailed(late) from None


def _fill(reading: Future[bytes], path: Path) -> None:
    if not reading.set_running_or_notify_cancel():
        return
    try:
        reading.set_result(_read_file(path))
    except Exception as fault:  # A bug too is told by whoever waits for the bytes.
        reading.set_exception(fault)


def _read_file(path: Path) -> bytes:
    try:
        # A pipe must not make us wait for its writer.
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise SourceFailed(f"{path} is not a file")
            raw = file.read(SOURCE_BYTES_MAX + 1)
    except OSError as error:
        raise SourceFailed(explain_environment(error)) from error
    if len(raw) > SOURCE_BYTES_MAX:
        raise SourceFailed(f"{path} has more than the {SOURCE_BYTES_MAX} bytes that are read")
    return raw


class UrlSource:
    """An address of the web."""

    def __init__(
        self, client: httpx.AsyncClient, url: httpx.URL, patience_s: float = READ_S
    ) -> None:
        self._client, self._url, self._patience_s = client, url, patience_s

    @property
    def shown(self) -> str:
        """Name the address without its query, where keys of its owner may stand."""
        return str(self._url.copy_with(query=None))

    async def read(self) -> bytes:
        """Ask once."""
        try:
            async with asyncio.timeout(self._patience_s):
                return await self._ask()
        except TimeoutError:
            late = f"{self.shown} did not send all within {self._patience_s:g} s"
            raise SourceFailed(late) from None
        except httpx.HTTPError as error:
            # Its text may hold the whole address.
            raise SourceFailed(f"{self.shown}: {type(error).__name__}") from None

    async def _ask(self) -> bytes:
        headers = {"accept": "application/json, text/csv", "accept-encoding": "identity"}
        async with self._client.stream("GET", self._url, headers=headers) as response:
            self._check(response)
            raw = bytearray()
            async for chunk in response.aiter_raw(SOURCE_BYTES_MAX):
                raw += chunk
                if len(raw) > SOURCE_BYTES_MAX:
                    raise SourceFailed(f"{self.shown} sends more than {SOURCE_BYTES_MAX} bytes")
            return bytes(raw)

    def _check(self, response: httpx.Response) -> None:
        if response.has_redirect_location:
            raise SourceFailed(
                f"{self.shown} sends us elsewhere ({response.status_code}), and we don't follow: "
                f"if it has moved, name its new address as the source"
            )
        if response.status_code != httpx.codes.OK:
            raise SourceFailed(f"{self.shown} answers {response.status_code}")
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise SourceFailed(f"{self.shown} sends a compressed body, which we did not ask for")
