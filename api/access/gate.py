"""The gate: reads a request's credential and admits it by the route's row.

Each kind of credential has a reader, found by the credential's own look. A route that anyone may
call costs no look at all.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from starlette.requests import Request

from api.access.principals import Anonymous, Principal
from api.access.rules import Access, refusal
from api.errors import Unauthorized

_BEARER: Final = re.compile(r"bearer +([!-~]{1,4096}) *", re.ASCII | re.IGNORECASE)
ANONYMOUS: Final = Anonymous()


class CredentialReader(Protocol):
    """Reads credentials of one kind."""

    def reads(self, credential: str) -> bool:
        """Tell by its look whether a credential is of this kind."""

    async def principal_of(self, credential: str, request: Request) -> Principal:
        """Give whose it is; raise `Unauthorized` for one that is unknown, revoked or over."""


class Gate:
    """Admits requests."""

    def __init__(
        self, readers: Sequence[CredentialReader], now_ms: Callable[[], int], *, board: bool
    ) -> None:
        self.readers = list(readers)
        self._now_ms = now_ms
        self._board = board

    def _shown(self, access: Access) -> bool:
        return access.board and self._board

    def check(self, principal: Principal, access: Access) -> None:
        """Let a principal through if the row does; raise `Unauthorized` or `Forbidden`."""
        if access.anyone or (self._shown(access) and isinstance(principal, Anonymous)):
            return
        fault = refusal(access, principal, self._now_ms())
        if fault is not None:
            raise fault

    async def admit(self, request: Request, access: Access) -> Principal:
        """Give who asks, if the row lets them; raise `Unauthorized` or `Forbidden`."""
        principal = await self.identify(request, access)
        self.check(principal, access)
        return principal

    async def identify(self, request: Request, access: Access) -> Principal:
        """Give who asks; nobody is looked for where the door is open. Raise `Unauthorized`.

        Who says who they are where the public board is wants their own page.
        """
        if access.anyone:
            return ANONYMOUS
        field = request.headers.get("authorization")
        if field is None:
            return ANONYMOUS
        match = _BEARER.fullmatch(field)
        if match is not None:
            for reader in self.readers:
                if reader.reads(match[1]):
                    return await reader.principal_of(match[1], request)
        raise Unauthorized("send `Authorization: Bearer ...` with a key or a token")
