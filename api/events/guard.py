"""A stream lasts as long as whoever opened it may read it: a token ends, a till is revoked.

Asked anew every two seconds, beside the two for which a worker remembers who somebody is, so a
stream is over within five of what ends it. It says `bye` first: the page renews its token and comes
back with its `Last-Event-ID`.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Final

from api.db.faults import DATABASE_FAULTS
from api.errors import ApiFault

ASK_S: Final = 2.0
BYE: Final = b"event: bye\ndata: {}\n\n"


async def while_admitted(
    frames: AsyncGenerator[bytes, None], check: Callable[[], Awaitable[object]]
) -> AsyncIterator[bytes]:
    """Pass frames on until they end, or until `check` raises an `ApiFault`."""
    loop = asyncio.get_running_loop()
    asks_s = loop.time() + ASK_S
    waiting: asyncio.Task[bytes] | None = None
    try:
        while True:
            if waiting is None:
                waiting = asyncio.ensure_future(anext(frames))
            await asyncio.wait({waiting}, timeout=max(0.0, asks_s - loop.time()))
            if loop.time() >= asks_s:
                asks_s = loop.time() + ASK_S
                with contextlib.suppress(*DATABASE_FAULTS):  # It is asked again, and shows life.
                    await check()
            if waiting.done():
                try:
                    frame = waiting.result()
                except StopAsyncIteration:
                    return
                waiting = None
                yield frame
    except ApiFault:
        yield BYE
    finally:
        if waiting is not None:
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration):
                await waiting
        await frames.aclose()
