"""Gives out access tokens and reads them, with the keys that the home holds now.

Keys turn while the service runs, in whatever process: the folder is read again once a second, when
there is something to sign or to read. So in every worker a key that is drawn signs, and one that is
deleted ends, within that second.
"""

import contextlib
from collections.abc import Callable, Mapping
from typing import Final

from api.people.tokens import (
    AUDIENCE,
    STEP_UP_S,
    TOKEN_S,
    Claims,
    PersonClaims,
    TerminalClaims,
    TokenKeys,
    kid_of,
)
from api.vault.files import ApiSecrets, load_jwt_keys
from node.errors import BadKeyFile

LOOK_MS: Final = 1_000
HURRY_MS: Final = 50
"""The same for a token of a key that isn't known: nobody can have us read all the time."""


class AccessTokens:
    """Signs for people and tills, and reads what it has signed."""

    def __init__(self, secrets: ApiSecrets, issuer: str, now_ms: Callable[[], int]) -> None:
        self._folder = secrets.folder
        self._keys = TokenKeys.of(secrets.jwt)
        self._issuer = issuer
        self._now_ms = now_ms
        self._looked_ms = 0

    def for_person(self, union_id: str, user_id: str, session_id: str, version: int) -> str:
        """Sign a token for somebody who has logged in."""
        self._look_again()
        now_s = self._now_ms() // 1_000
        return self._keys.sign(
            PersonClaims(
                iss=self._issuer,
                aud=AUDIENCE,
                sub=user_id,
                uni=union_id,
                sid=session_id,
                ver=version,
                iat=now_s,
                exp=now_s + TOKEN_S,
            )
        )

    def for_terminal(
        self,
        union_id: str,
        merchant_id: str,
        terminal_id: str,
        version: int,
        cashier_session_id: str = "",
        stepped_up_by: str = "",
    ) -> str:
        """Sign a token for a till, with the cashier's session at it, for five minutes if a manager
        has stepped up."""
        self._look_again()
        now_s = self._now_ms() // 1_000
        return self._keys.sign(
            TerminalClaims(
                iss=self._issuer,
                aud=AUDIENCE,
                sub=terminal_id,
                uni=union_id,
                mer=merchant_id,
                ver=version,
                iat=now_s,
                exp=now_s + (STEP_UP_S if stepped_up_by else TOKEN_S),
                cas=cashier_session_id,
                sup=stepped_up_by,
            )
        )

    def read(self, token: str) -> Claims:
        """Read a token; raise `TokenRefused`."""
        known = kid_of(token) in self._keys.private
        # Another worker may have looked before us, and signs with the key that is new.
        self._look_again(LOOK_MS if known else HURRY_MS)
        return self._keys.read(token, self._issuer, self._now_ms())

    def jwks(self) -> Mapping[str, object]:
        """Give the public halves of all keys."""
        self._look_again()
        return self._keys.jwks()

    def _look_again(self, every_ms: int = LOOK_MS) -> None:
        """Read the folder, unless that was done a moment ago.

        One that can't be read, or loses a file meanwhile, is read the next time.
        """
        now_ms = self._now_ms()
        if self._folder is not None and now_ms - self._looked_ms >= every_ms:
            self._looked_ms = now_ms
            with contextlib.suppress(BadKeyFile):
                self._keys = TokenKeys.of(load_jwt_keys(self._folder))
