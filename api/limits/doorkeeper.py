"""The limit of a request before its route sees it: by address without a credential, else by person.

Keys and tills have no limit here: a key's validations have a quota of their own, a till sells. This
machine has none either, as it has none of connections: what comes through a proxy here bears the
caller's address. A database that can't count lets requests pass: they will find it away themselves,
and what needs no database goes on.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request

from api.access.principals import Anonymous, Person, Principal
from api.db.faults import DATABASE_FAULTS
from api.errors import Throttled
from api.limits.config import CAMPUS_TIMES, LimitsConfig
from api.limits.windows import LimitAsk, Quota
from node.addresses import LOOPBACK, group_of, is_trusted

PATIENCE_S: Final = 1.0
"""How long a count is waited for."""
UNLIMITED_TAGS: Final = frozenset({"operations"})
"""Probes, figures and descriptions: they cost nothing, and watch over the rest."""


class Doorkeeper:
    """Counts requests at the door."""

    def __init__(self, limits: LimitsConfig, count: Callable[[LimitAsk], Awaitable[Quota]]) -> None:
        self._limits, self._campuses, self._count = limits, limits.campuses, count

    async def pass_in(self, request: Request, principal: Principal, tag: str) -> None:
        """Let a request pass, or raise `Throttled` with when to come back."""
        ask = None if tag in UNLIMITED_TAGS else self.ask_of(request, principal)
        if ask is None:
            return
        try:
            async with asyncio.timeout(PATIENCE_S):
                quota = await self._count(ask)
        except (TimeoutError, *DATABASE_FAULTS):
            return
        if not quota.allowed:
            raise Throttled("too many requests in a minute", retry_after_s=quota.retry_s)

    def ask_of(self, request: Request, principal: Principal) -> LimitAsk | None:
        """Say by what a request is counted; None for one that has no limit here."""
        match principal:
            case Person(user_id=user_id):
                return LimitAsk(f"person:{user_id}", self._limits.person_per_minute)
            case Anonymous():
                group = address_group(request)
                if not group:
                    return None
                host = "" if request.client is None else request.client.host
                times = CAMPUS_TIMES if is_trusted(host, self._campuses) else 1
                return LimitAsk(f"address:{group}", self._limits.address_per_minute * times)
        return None


def address_group(request: Request) -> str:
    """Name the address, or the /64, that a request came from; empty for this machine."""
    host = "" if request.client is None else request.client.host
    return "" if not host or is_trusted(host, LOOPBACK) else group_of(host)[:64]
