"""The operations channel: notices go to a Slack webhook, off everybody's way.

The webhook's address is a secret, since whoever has it may write to the channel: it stands in
`HOME/secrets/slack.url`, never in the configuration, and never in a log or an error. Slack that is
down or slow holds up nothing here, and gets what it missed when it is back; it may get a notice
twice, if we ended between telling and writing that it was told.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import structlog
from slack_sdk.webhook import WebhookClient
from sqlalchemy.ext.asyncio import AsyncEngine

from api.db.faults import DATABASE_FAULTS, describe
from api.flags.notices import drop_notices, due_notices, put_off_notices

TIMEOUT_S: Final = 5
LOOK_S: Final = 1.0
BACK_OFF_S: Final = (2, 5, 15, 60, 300)
"""How long a channel that doesn't take a message is left alone, the longer the oftener."""
RETRY_AFTER_S_MAX: Final = 3_600
RETRY_AFTER_DIGITS_MAX: Final = 9
TOO_MANY: Final = 429
LOOPBACK_NAMES: Final = frozenset({"127.0.0.1", "::1", "localhost"})

log = structlog.get_logger("slack")
# Its debug lines tell whole requests.
logging.getLogger("slack_sdk").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class ChannelAnswer:
    """What became of a message: taken, or when to come again, if the channel says so."""

    taken: bool
    retry_after_s: int = 0


def escape(text: str) -> str:
    """Write text so that Slack takes it for text: no link, no `<!channel>`."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class SlackChannel:
    """Tells the channel what waits for it."""

    def __init__(self, engine: AsyncEngine, url: str, now_ms: Callable[[], int]) -> None:
        self._engine, self._now_ms = engine, now_ms
        self._client = WebhookClient(url, timeout=TIMEOUT_S, retry_handlers=[])
        if urlsplit(url).hostname in LOOPBACK_NAMES:
            self._client.proxy = None  # A proxy of the environment's is for the web.

    async def run(self) -> None:
        """Tell whatever comes due, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.tell()
            except DATABASE_FAULTS as fault:
                log.warning("put off", fault=describe(fault))

    async def tell(self) -> int:
        """Tell what is due in one message; give how many notices the channel took."""
        async with self._engine.connect() as connection:
            notices = await due_notices(connection, self._now_ms())
        if not notices:
            return 0
        told = await asyncio.to_thread(self._post, "\n".join(notice.body for notice in notices))
        async with self._engine.begin() as connection:
            if told.taken:
                await drop_notices(connection, notices)
                return len(notices)
            tries = max(notice.tries for notice in notices)
            back_s = told.retry_after_s or BACK_OFF_S[min(tries, len(BACK_OFF_S) - 1)]
            await put_off_notices(connection, self._now_ms() + 1_000 * back_s)
        return 0

    def _post(self, text: str) -> ChannelAnswer:
        """Post a message; blocks, so it runs in a thread of its own."""
        said, fault = None, ""
        try:
            said = self._client.send(text=text)
        except Exception as met:  # Whatever the channel answers ends no worker.
            # Its kind alone: a fault's text may hold the address. And told when it is over: a log
            # that can't be written shows what was being handled.
            fault = type(met).__name__
        if said is None:
            log.warning("channel away", fault=fault)
            return ChannelAnswer(taken=False)
        if said.status_code == 200:
            return ChannelAnswer(taken=True)
        log.warning("channel refused", status=said.status_code)
        after = str((said.headers or {}).get("retry-after", ""))
        wait_s = _seconds(after) if said.status_code == TOO_MANY else 0
        return ChannelAnswer(taken=False, retry_after_s=min(wait_s, RETRY_AFTER_S_MAX))


def _seconds(text: str) -> int:
    """Read `Retry-After` in seconds; 0 for a date, and for a number that nobody means."""
    whole = text.isascii() and text.isdecimal() and len(text) <= RETRY_AFTER_DIGITS_MAX
    return int(text) if whole else 0
