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

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from hmac import digest
from secrets import token_bytes
from typing import Final

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from starlette.requests import Request

from api.access.principals import Principal, name_of
from api.db.session import in_transaction
from api.db.statements import text
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
    def name(self) -> tuple[str, str]:
        """Give what it is found by."""
        return self.principal, self.key

    @property
    def lock(self) -> int:
        """Give the number under which the database lets one at a time through."""
        name = f"{self.principal}\n{self.key}".encode()
        return int.from_bytes(sha256(name).digest()[:8], "big", signed=True)

    @property
    def place(self) -> bytes:
        """Give what a sealed body is bound to, so that none can be moved to another row."""
        return f"answers|body|{self.principal}|{self.key}".encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedAnswer:
    """An answer as it is kept: a success's body, or a refusal's parts, sealed."""

    fingerprint: bytes
    status: int
    headers: Mapping[str, str]
    body: bytes


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
        kept = (await self.find(connection, [token])).get(token.name)
        if kept is not None:
            return self.again(token, kept)
        try:
            async with connection.begin_nested():
                reply = await work(connection)
        except ApiFault as fault:
            if fault.status in NOT_KEPT or fault.status >= 500:
                raise
            await self.keep(connection, [(token, fault)])
            return fault
        await self.keep(connection, [(token, reply)])
        return reply

    async def keep(
        self, connection: AsyncConnection, answers: Sequence[tuple[Token, Reply | ApiFault]]
    ) -> None:
        """Write answers in the transaction of their work."""
        kept = [(token, self._kept(token, answer)) for token, answer in answers]
        await connection.execute(
            text("""
                INSERT INTO idempotent_answers (principal, key, fingerprint, status, headers, body,
                    created_ms)
                SELECT principal, key, fingerprint, status, headers::jsonb, body, :now FROM unnest(
                    CAST(:principals AS text[]), CAST(:keys AS text[]),
                    CAST(:fingerprints AS bytea[]), CAST(:statuses AS int[]),
                    CAST(:headers AS text[]), CAST(:bodies AS bytea[])
                ) AS n(principal, key, fingerprint, status, headers, body)
            """),
            {
                "principals": [token.principal for token, _ in kept],
                "keys": [token.key for token, _ in kept],
                "fingerprints": [one.fingerprint for _, one in kept],
                "statuses": [one.status for _, one in kept],
                "headers": [msgspec.json.encode(one.headers).decode() for _, one in kept],
                "bodies": [one.body for _, one in kept],
                "now": self._now_ms(),
            },
        )

    def _kept(self, token: Token, answer: Reply | ApiFault) -> SealedAnswer:
        headers: Mapping[str, str] = {}
        if isinstance(answer, ApiFault):
            errors = [(error.pointer, error.code) for error in answer.errors]
            body: object = _ToldFault(answer.code, answer.detail, errors)
        else:
            body, headers = answer.body, answer.headers or {}
        assert answer.status, "what is kept says its status"
        nonce, raw = token_bytes(NONCE_BYTES), msgspec.json.encode(body)
        return SealedAnswer(
            fingerprint=token.fingerprint,
            status=answer.status,
            headers=headers,
            body=nonce + self._seal.encrypt(nonce, raw, token.place),
        )

    async def find(
        self, connection: AsyncConnection, tokens: Sequence[Token]
    ) -> dict[tuple[str, str], SealedAnswer]:
        """Find what requests were answered, by principal and key."""
        rows = await connection.execute(
            text("""
                SELECT principal, key, fingerprint, status, headers, body FROM idempotent_answers
                WHERE (principal, key) IN (SELECT * FROM unnest(
                    CAST(:principals AS text[]), CAST(:keys AS text[])))
            """),
            {
                "principals": [token.principal for token in tokens],
                "keys": [token.key for token in tokens],
            },
        )
        return {
            (row.principal, row.key): SealedAnswer(
                fingerprint=row.fingerprint, status=row.status, headers=row.headers, body=row.body
            )
            for row in rows
        }

    async def is_kept(self, token: Token | None) -> bool:
        """Tell whether a request is answered already, by what its key holds."""
        assert token is not None, "the route is one of Idempotency.KEY"
        async with self._engine.connect() as connection:
            return token.name in await self.find(connection, [token])

    def again(self, token: Token, kept: SealedAnswer) -> Reply | ApiFault:
        """Give an answer once more; a fault if the key was used with another request."""
        if kept.fingerprint != token.fingerprint:
            return Unprocessable(
                "this Idempotency-Key was used with another request", code="IDEMPOTENCY_KEY_REUSED"
            )
        nonce, sealed = kept.body[:NONCE_BYTES], kept.body[NONCE_BYTES:]
        body = self._seal.decrypt(nonce, sealed, token.place)
        if kept.status >= 400:
            return ReplayedFault(kept.status, msgspec.json.decode(body, type=_ToldFault))
        return Reply(msgspec.Raw(body), kept.status, {**kept.headers, **REPLAYED})

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
