"""Live pages: order events and the chain's pulse as Server-Sent Events.

A page looks at all merchants (the public board), at one merchant, or at one order. It gets a
snapshot first, then deltas. For a merchant's page an event's id is its number in the outbox, and a
page that comes back with `Last-Event-ID` gets what it missed; the other two get a new snapshot.
Frames are encoded once for all pages of a merchant. A page that can't keep up is cut off and comes
back by itself: nobody's slowness is stored here. Flags are in no stream.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from api.db.faults import DATABASE_FAULTS, describe
from api.events.outbox import EVENTS_MAX, StoredEvent, events_after, last_seqs
from node.httpd.places import StreamPlaces

PAGES_MAX: Final = 4_096
FRAMES_MAX: Final = 256
"""Frames that wait for one page before it is cut off."""
PULSE_S: Final = 1.0
QUIET_S: Final = 5.0
"""A stream shows a sign of life at least this often, lest something between take it for dead."""
RETRY_MS: Final = 1_000

log = structlog.get_logger("stream")

Snapshot = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Frame:
    """One event as it goes over the wire; `seq` is 0 for what can't be resumed from."""

    seq: int
    raw: bytes


def encode_frame(kind: str, body: object, seq: int = 0) -> Frame:
    """Encode an event."""
    number = f"id: {seq}\n" if seq else ""
    data = msgspec.json.encode(body)
    return Frame(seq, f"{number}event: {kind}\ndata: ".encode() + data + b"\n\n")


def event_frame(event: StoredEvent, *, numbered: bool) -> Frame:
    """Encode an event of the outbox: an `order`, or by what else it is about, as in `refund`."""
    name = "order" if event.shows_order else event.kind.partition(".")[0]
    body = {"kind": event.kind, "data": event.body}
    return encode_frame(name, body, event.seq if numbered else 0)


def _is_streamed(event: StoredEvent) -> bool:
    """Leave out flags: a till reads the stream, and a flag may be about who stands at it."""
    return not event.kind.startswith("flag.")


SIGN_OF_LIFE: Final = Frame(0, b": \n\n")
"""A comment, which a page ignores."""


@dataclass(frozen=True, slots=True)
class PageSubject:
    """What a page looks at: everything, one merchant, or one order."""

    merchant_id: str | None = None
    order_id: str | None = None


EVERYTHING: Final = PageSubject()


@dataclass(eq=False, slots=True)
class Page:
    """One connected page."""

    subject: PageSubject
    frames: "asyncio.Queue[Frame | None]" = field(default_factory=lambda: asyncio.Queue(FRAMES_MAX))

    def offer(self, frame: Frame | None) -> bool:
        """Queue a frame; False if the page is too far behind."""
        try:
            self.frames.put_nowait(frame)
        except asyncio.QueueFull:
            return False
        return True


class Hub:
    """All connected pages of this worker."""

    def __init__(self, engine: AsyncEngine, pulse: Callable[[], Awaitable[object]]) -> None:
        self.places = StreamPlaces(PAGES_MAX)
        self._engine = engine
        self._pulse = pulse
        self._pages: dict[PageSubject, set[Page]] = {}
        self._count = 0
        self._closed = False

    @property
    def count(self) -> int:
        """Give how many pages are connected."""
        return self._count

    def close(self) -> None:
        """End all pages' streams, so that the server can stop."""
        self._closed = True
        for page in self._everyone():
            self._cut(page)

    def _everyone(self) -> list[Page]:
        return [page for pages in self._pages.values() for page in pages]

    def _join(self, page: Page) -> None:
        self._pages.setdefault(page.subject, set()).add(page)
        self._count += 1

    def _leave(self, page: Page) -> None:
        pages = self._pages.get(page.subject, set())
        if page in pages:
            pages.discard(page)
            self._count -= 1
            if not pages:
                del self._pages[page.subject]

    def _cut(self, page: Page) -> None:
        self._leave(page)
        while not page.offer(None):
            page.frames.get_nowait()

    def _send(self, pages: Sequence[Page], frame: Frame) -> None:
        for page in pages:
            if not page.offer(frame):
                self._cut(page)

    def publish(self, events: Sequence[StoredEvent]) -> None:
        """Send events to the pages that look at them."""
        for event in events:
            if not _is_streamed(event):
                continue
            for subject in (
                EVERYTHING,
                PageSubject(merchant_id=event.merchant_id),
                PageSubject(order_id=event.subject_id),
            ):
                numbered = subject.merchant_id is not None
                # What shows no order is its merchant's alone.
                if (numbered or event.shows_order) and (pages := self._pages.get(subject)):
                    self._send(list(pages), event_frame(event, numbered=numbered))

    async def run(self) -> None:
        """Show the chain's pulse and signs of life, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._show_pulse())
            group.create_task(self._show_life())

    async def _show_life(self) -> None:
        """Let every stream carry something now and then, whatever the database does."""
        while True:
            await asyncio.sleep(QUIET_S)
            self._send(self._everyone(), SIGN_OF_LIFE)

    async def _show_pulse(self) -> None:
        last_pulse = b""
        while True:
            await asyncio.sleep(PULSE_S)
            if not self._count:
                continue
            try:
                frame = encode_frame("chain", await self._pulse())
            except DATABASE_FAULTS as fault:
                log.warning("no pulse", fault=describe(fault))
                continue
            if frame.raw != last_pulse:
                last_pulse = frame.raw
                pages = [page for page in self._everyone() if page.subject.order_id is None]
                self._send(pages, frame)

    async def listen(
        self, subject: PageSubject, since: int | None, snapshot: Snapshot, host: str = ""
    ) -> AsyncGenerator[bytes, None]:
        """Give the frames of a page at `host`; none if there is no place for it.

        Joins first and looks back after, so nothing falls between.
        """
        page = Page(subject)
        if self._closed or not self.places.take(host):
            return
        self._join(page)
        try:
            yield f"retry: {RETRY_MS}\n\n".encode()
            sent = 0
            for frame in await self._catch_up(subject, since, snapshot):
                sent = max(sent, frame.seq)
                yield frame.raw
            while (next_frame := await page.frames.get()) is not None:
                if next_frame.seq == 0 or next_frame.seq > sent:
                    yield next_frame.raw
        finally:
            self._leave(page)
            self.places.give_back(host)

    async def _catch_up(
        self, subject: PageSubject, since: int | None, snapshot: Snapshot
    ) -> list[Frame]:
        """Give what a page missed, or the whole picture if that is too much or unknown."""
        merchant_id, newest = subject.merchant_id, 0
        if merchant_id is not None:
            async with self._engine.connect() as connection:
                newest = (await last_seqs(connection, merchant_id)).get(merchant_id, 0)
                if since is not None and 0 <= newest - since < EVENTS_MAX:
                    missed = await events_after(connection, {merchant_id: since}, merchant_id)
                    return [
                        event_frame(event, numbered=True) for event in missed if _is_streamed(event)
                    ]
        # Read after `newest`: what happens in between comes twice, which a page takes as once.
        return [encode_frame("snapshot", await snapshot(), newest)]
