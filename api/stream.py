"""Live pages: order events and the chain's pulse as Server-Sent Events.

A new page gets a snapshot, then deltas; an event's id is its number in the outbox, and a page
that comes back with `Last-Event-ID` gets what it missed. Frames are encoded once for all pages.
A page that can't keep up is cut off and comes back by itself: nobody's slowness is stored here.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from api.db.faults import DATABASE_FAULTS, describe
from api.services.outbox import EVENTS_MAX, StoredEvent, events_after, last_seq
from node.httpd.places import StreamPlaces

PAGES_MAX: Final = 4_096
FRAMES_MAX: Final = 256
"""Frames that wait for one page before it is cut off."""
PULSE_S: Final = 1.0
QUIET_S: Final = 5.0
"""A stream shows a sign of life at least this often, lest something between take it for dead."""
RETRY_MS: Final = 1_000

log = structlog.get_logger("stream")


@dataclass(frozen=True, slots=True)
class Frame:
    """One event as it goes over the wire; `seq` is 0 for those that are not in the outbox."""

    seq: int
    raw: bytes


def encode_frame(kind: str, body: Mapping[str, object], seq: int = 0) -> Frame:
    """Encode an event."""
    number = f"id: {seq}\n" if seq else ""
    data = msgspec.json.encode(body)
    return Frame(seq, f"{number}event: {kind}\ndata: ".encode() + data + b"\n\n")


def event_frame(event: StoredEvent) -> Frame:
    """Encode an event of the outbox."""
    return encode_frame("order", {"kind": event.kind, "order": event.body}, event.seq)


SIGN_OF_LIFE: Final = Frame(0, b": \n\n")
"""A comment, which a page ignores."""


@dataclass(eq=False, slots=True)
class Page:
    """One connected page."""

    frames: "asyncio.Queue[Frame | None]" = field(default_factory=lambda: asyncio.Queue(FRAMES_MAX))

    def offer(self, frame: Frame | None) -> bool:
        """Queue a frame; False if the page is too far behind."""
        try:
            self.frames.put_nowait(frame)
        except asyncio.QueueFull:
            return False
        return True


class Hub:
    """All connected pages, and the one reader of the outbox that feeds them."""

    def __init__(
        self, engine: AsyncEngine, pulse: Callable[[], Awaitable[Mapping[str, object]]]
    ) -> None:
        self.places = StreamPlaces(PAGES_MAX)
        self._engine = engine
        self._pulse = pulse
        self._pages: set[Page] = set()
        self._poked = asyncio.Event()
        self._seq = 0
        self._closed = False

    @property
    def count(self) -> int:
        """Give how many pages are connected."""
        return len(self._pages)

    def poke(self) -> None:
        """Say that there is something new in the outbox."""
        self._poked.set()

    def close(self) -> None:
        """End all pages' streams, so that the server can stop."""
        self._closed = True
        for page in list(self._pages):
            self._cut(page)

    def _cut(self, page: Page) -> None:
        self._pages.discard(page)
        while not page.offer(None):
            page.frames.get_nowait()

    def publish(self, frame: Frame) -> None:
        """Send a frame to every page."""
        for page in list(self._pages):
            if not page.offer(frame):
                self._cut(page)

    async def run(self) -> None:
        """Feed the pages until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read_outbox())
            group.create_task(self._show_life())

    async def _show_life(self) -> None:
        """Let every stream carry something now and then, whatever the database does."""
        while True:
            await asyncio.sleep(QUIET_S)
            self.publish(SIGN_OF_LIFE)

    async def _read_outbox(self) -> None:
        last_pulse = b""
        while True:
            try:
                await self._feed()
                frame = encode_frame("chain", await self._pulse())
                if self._pages and frame.raw != last_pulse:
                    self.publish(frame)
                    last_pulse = frame.raw
            except DATABASE_FAULTS as fault:
                log.warning("outbox not read", fault=describe(fault))
                await asyncio.sleep(PULSE_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PULSE_S):
                    await self._poked.wait()
            self._poked.clear()

    async def _feed(self) -> None:
        async with self._engine.connect() as connection:
            if not self._seq:
                self._seq = await last_seq(connection)
            events = await events_after(connection, self._seq)
        for event in events:
            self.publish(event_frame(event))
            self._seq = event.seq
        if len(events) == EVENTS_MAX:
            self._poked.set()

    async def listen(
        self,
        since: int | None,
        snapshot: Callable[[], Awaitable[Mapping[str, object]]],
        host: str = "",
    ) -> AsyncIterator[bytes]:
        """Give the frames of a page at `host`; none if there is no place for it.

        Joins first and looks back after, so nothing falls between.
        """
        page = Page()
        if self._closed or not self.places.take(host):
            return
        self._pages.add(page)
        try:
            yield f"retry: {RETRY_MS}\n\n".encode()
            sent = 0
            for frame in await self._catch_up(since, snapshot):
                sent = max(sent, frame.seq)
                yield frame.raw
            while (next_frame := await page.frames.get()) is not None:
                if next_frame.seq == 0 or next_frame.seq > sent:
                    yield next_frame.raw
        finally:
            self._pages.discard(page)
            self.places.give_back(host)

    async def _catch_up(
        self, since: int | None, snapshot: Callable[[], Awaitable[Mapping[str, object]]]
    ) -> list[Frame]:
        """Give what a page missed, or the whole picture if that is too much or unknown."""
        async with self._engine.connect() as connection:
            newest = await last_seq(connection)
            if since is not None and 0 <= newest - since < EVENTS_MAX:
                return [event_frame(event) for event in await events_after(connection, since)]
        # Read after `newest`: what happens in between comes twice, which a page takes as once.
        return [encode_frame("snapshot", await snapshot(), newest)]
