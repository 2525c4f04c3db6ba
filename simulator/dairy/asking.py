"""How customers ask the payments service: answers, refusals, waits, and log lines."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final, TypeVar

import httpx
import msgspec

REQUEST_TIMEOUT_S: Final = 10.0
LOOK_EVERY_S: Final = 0.5
NOT_NOW: Final = 503
"""The status of what may be asked again: a part of the service is away, or not there yet."""
FAULTS: Final = (httpx.HTTPError, msgspec.ValidationError)
"""What asking may raise beside `StepRefused`."""

T = TypeVar("T")


class StepRefused(Exception):
    """The service said no; `code` is its word for why."""

    def __init__(self, step: str, status: int, code: str) -> None:
        super().__init__(f"{step}: {status} {code}")
        self.status, self.code = status, code


def answer_of(step: str, response: httpx.Response) -> dict[str, object]:
    """Give an answer's members; raise `StepRefused` with the service's code for a refusal."""
    try:
        members = msgspec.json.decode(response.content, type=dict[str, object])
    except msgspec.DecodeError:
        members = {}
    if response.is_success and members:
        return members
    raise StepRefused(step, response.status_code, str(members.get("code", "NO_PROBLEM_GIVEN")))


async def until(look: Callable[[], Awaitable[T | None]]) -> T:
    """Look until there is something; who calls sets the limit of time."""
    found = await look()
    while found is None:
        await asyncio.sleep(LOOK_EVERY_S)
        found = await look()
    return found


async def until_served(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until the service has all that it needs for an answer; who calls sets the limit."""

    async def look() -> T | None:
        try:
            return await ask()
        except StepRefused as refused:
            if refused.status != NOT_NOW:
                raise
            return None

    return await until(look)


def log(level: str, event: str, **fields: object) -> None:
    """Write one JSON line to stderr."""
    line = {
        "@timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "log.level": level,
        "message": event,
        "service.name": "shopper",
        **fields,
    }
    sys.stderr.write(json.dumps(line) + "\n")
    sys.stderr.flush()
