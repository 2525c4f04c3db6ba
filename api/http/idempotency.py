"""One answer a key: a request that is sent again gets the answer that it got.

A caller names each request with an Idempotency-Key. The answer is written in the transaction that
did the work, so there is no moment at which the one is there and the other isn't; it is kept for
seven days. The same key over another request is refused, and a second request while the first is in
work is told to come back. A refusal of the work itself (4xx) is an answer like any other; being
unknown, too fast or out of luck (401, 429, 5xx) is none, and the same key may try again.

    async def create_key(call: ApiCall) -> Reply:
        async def work(connection: AsyncConnection) -> Reply:
            ...
            return Reply(view, headers={"Location": f"/api/v1/api-keys/{view.id}"})

        return await call.service.answers.once(call.once, work)

Stored bodies are sealed under the service's secret: a key that is shown once doesn't lie in the
database for a week.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from hmac import digest
from secrets import token_bytes
from typing import Final

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from starlette.requests import Request

from api.access.principals import Principal, name_of
from api.db.session import in_transaction
from api.errors import ApiFault, Conflict, KeyMissing, Pointer, Unprocessable
from api.http.bodies import write_scalar
from api.http.replies import Reply

KEY_CHARS_MAX: Final = 255
KEPT_MS: Final = 7 * 86_400_000
"""How long an answer is given again."""
REPLAYED: Final = {"Idempotent-Replayed": "true"}
NONCE_BYTES: Final = 12
NOT_KEPT: Final = frozenset({401, 429})

Work = Callable[[AsyncConnection], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Token:
    """Whose request it is, under which key, and the digest of what it asks for."""

    principal: str
    key: str
    fingerprint: bytes

    @property
    def lock(self) -> int:
        """Give the number under which the database lets one at a time through."""
        name = f"{self.principal}\n{self.key}".encode()
        return int.from_bytes(sha256(name).digest()[:8], "big", signed=True)

    @property
    def place(self) -> bytes:
        """Give what a sealed body is bound to, so that none can be moved to another row."""
        return f"answers|body|{self.principal}|{self.key}".encode()


@dataclass(frozen=True, slots=True)
class _Stored:
    """An answer as it is kept: a success's body, or a refusal's parts."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class _ToldFault(msgspec.Struct):
    """A refusal as it is kept."""

    code: str
    detail: str
    errors: list[tuple[str, str]]


class ReplayedFault(ApiFault):
    """A refusal that was given to this key before."""

    headers = REPLAYED

    def __init__(self, status: int, told: _ToldFault) -> None:
        errors = tuple(Pointer(*error) for error in told.errors)
        super().__init__(told.detail, code=told.code, errors=errors)
        self.status = status


def token_of(request: Request, principal: Principal, body: msgspec.Struct | None) -> Token:
    """Read the Idempotency-Key of a request; raise `KeyMissing`."""
    key = request.headers.get("idempotency-key", "").strip(" ")
    if not 1 <= len(key) <= KEY_CHARS_MAX or not key.isascii() or not key.isprintable():
        raise KeyMissing(
            f"send an Idempotency-Key of 1 to {KEY_CHARS_MAX} visible characters, a new one for "
            f"each request and the same one when you try again"
        )
    # What was left out and what was said to be its default is the same request.
    asked = msgspec.json.encode(body, enc_hook=write_scalar, order="sorted")
    named = f"{request.method}\n{request.url.path}\n".encode()
    return Token(name_of(principal), key, sha256(named + asked).digest())


class AnswerStore:
    """The answers of the last seven days."""

    def __init__(self, engine: AsyncEngine, secret: bytes, now_ms: Callable[[], int]) -> None:
        self._engine = engine
        self._now_ms = now_ms
        self._seal = AESGCM(digest(secret, b"idempotent answers", "sha256"))

    async def once(self, token: Token | None, work: Work) -> Reply:
        """Do the work and keep its answer, or give the answer that is kept.

        `work` runs in a transaction, perhaps more than once: it touches nothing but its connection.
        Raise what it raises, and `Conflict` or `Unprocessable` about the key.
        """
        assert token is not None, "the route is one of Idempotency.KEY"
        answer = await in_transaction(
            self._engine, lambda connection: self._answer(connection, token, work)
        )
        if isinstance(answer, ApiFault):
            raise answer
        return answer

    async def _answer(
        self, connection: AsyncConnection, token: Token, work: Work
    ) -> Reply | ApiFault:
        await _take_turn(connection, token)
        stored = await self._find(connection, token)
        if stored is not None:
            if stored.status >= 400:
                told = msgspec.json.decode(stored.body, type=_ToldFault)
                return ReplayedFault(stored.status, told)
            return Reply(msgspec.Raw(stored.body), stored.status, {**stored.headers, **REPLAYED})
        try:
            async with connection.begin_nested():
                reply = await work(connection)
        except ApiFault as fault:
            if fault.status in NOT_KEPT or fault.status >= 500:
                raise
            errors = [(error.pointer, error.code) for error in fault.errors]
            told = _ToldFault(fault.code, fault.detail, errors)
            await self.keep(connection, token, Reply(told, fault.status))
            return fault
        await self.keep(connection, token, reply)
        return reply

    async def keep(self, connection: AsyncConnection, token: Token, reply: Reply) -> None:
        """Write an answer in the transaction of its work."""
        assert reply.status, "what is kept says its status"
        nonce = token_bytes(NONCE_BYTES)
        body = msgspec.json.encode(reply.body)
        await connection.execute(
            text("""
                INSERT INTO idempotent_answers (principal, key, fingerprint, status, headers, body,
                    created_ms)
                VALUES (:principal, :key, :fingerprint, :status, CAST(:headers AS jsonb), :body,
                    :now)
            """),
            {
                "principal": token.principal,
                "key": token.key,
                "fingerprint": token.fingerprint,
                "status": reply.status,
                "headers": msgspec.json.encode(reply.headers or {}).decode(),
                "body": nonce + self._seal.encrypt(nonce, body, token.place),
                "now": self._now_ms(),
            },
        )

    async def _find(self, connection: AsyncConnection, token: Token) -> _Stored | None:
        found = await connection.execute(
            text("""
                SELECT fingerprint, status, headers, body FROM idempotent_answers
                WHERE principal = :principal AND key = :key
            """),
            {"principal": token.principal, "key": token.key},
        )
        row = found.first()
        if row is None:
            return None
        if row.fingerprint != token.fingerprint:
            raise Unprocessable(
                "this Idempotency-Key was used with another request", code="IDEMPOTENCY_KEY_REUSED"
            )
        nonce, sealed = row.body[:NONCE_BYTES], row.body[NONCE_BYTES:]
        return _Stored(row.status, self._seal.decrypt(nonce, sealed, token.place), row.headers)

    async def forget(self) -> None:
        """Drop answers past their seven days."""
        async with self._engine.begin() as connection:
            await connection.execute(
                text("DELETE FROM idempotent_answers WHERE created_ms < :before"),
                {"before": self._now_ms() - KEPT_MS},
            )


async def _take_turn(connection: AsyncConnection, token: Token) -> None:
    """Hold the key until the transaction ends; raise `Conflict` if somebody holds it."""
    mine = await connection.scalar(
        text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": token.lock}
    )
    if not mine:
        raise Conflict(
            "a request with this Idempotency-Key is in progress",
            code="IDEMPOTENCY_IN_PROGRESS",
            retry_after_s=1,
        )
