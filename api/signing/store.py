"""Signing requests in the database: opened, leased, written back, found by what they wait for.

What is to be signed names accounts: it is sealed under the service's secret, and signed bytes are
kept no longer than they are on their way. So no column holds a payee in the clear.
"""

from collections.abc import Iterable, Sequence
from hmac import digest
from secrets import token_bytes
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from api.db.statements import text
from api.signing.model import SigningRequest, SigningState
from api.signing.wire import SigningOrder, kind_of
from ledger.primitives.keys import Address

SIGNING: Final = "signing"
"""The subject of a claim on the hash of a transaction that a signer signed."""
NONCE_BYTES: Final = 12

_LEASABLE: Final = """account = :account AND expires_ms > :now
    AND (state = 'open' OR (state = 'leased' AND leased_until_ms <= :now))"""
_COLUMNS: Final = """owner_id, id, account, what, ref_id, state, created_ms, expires_ms,
    leased_until_ms, raw, tx_hash, nonce, valid_until_height, submitted_ms, ended_ms, code,
    detail"""
_what: Final = msgspec.json.Decoder(SigningOrder)


class SigningBook:
    """The requests of all accounts. Every act runs in the caller's transaction."""

    def __init__(self, secret: bytes) -> None:
        self._seal = AESGCM(digest(secret, b"signing requests", "sha256"))

    def _read(self, row: Any) -> SigningRequest:
        sealed, place = row.what, _place(row.owner_id, row.id)
        what = self._seal.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place)
        return SigningRequest(
            owner_id=row.owner_id,
            id=row.id,
            account=Address(row.account),
            what=_what.decode(what),
            ref_id=row.ref_id,
            state=SigningState(row.state),
            created_ms=row.created_ms,
            expires_ms=row.expires_ms,
            leased_until_ms=row.leased_until_ms,
            raw=row.raw,
            tx_hash=row.tx_hash,
            nonce=row.nonce,
            valid_until_height=row.valid_until_height,
            submitted_ms=row.submitted_ms,
            ended_ms=row.ended_ms,
            code=row.code,
            detail=row.detail,
        )

    async def open(
        self,
        connection: AsyncConnection,
        owner_id: str,
        account: Address,
        what: SigningOrder,
        ref_id: str,
        now_ms: int,
        expires_ms: int,
    ) -> str:
        """Ask the signer of an account to sign something; give the request's id."""
        request_id, nonce = str(ULID.from_timestamp(now_ms)), token_bytes(NONCE_BYTES)
        place = _place(owner_id, request_id)
        sealed = nonce + self._seal.encrypt(nonce, msgspec.json.encode(what), place)
        await connection.execute(
            text("""
                INSERT INTO signing_requests (owner_id, id, account, kind, what, ref_id, state,
                    created_ms, expires_ms)
                VALUES (:owner, :id, :account, :kind, :what, :ref_id, 'open', :now,
                    :expires)
            """),
            {
                "owner": owner_id,
                "id": request_id,
                "account": account,
                "kind": str(kind_of(what)),
                "what": sealed,
                "ref_id": ref_id,
                "now": now_ms,
                "expires": expires_ms,
            },
        )
        return request_id

    async def has_work(self, connection: AsyncConnection, account: Address, now_ms: int) -> bool:
        """Tell whether there is something of an account to lease."""
        found = await connection.scalar(
            text(f"SELECT EXISTS (SELECT FROM signing_requests WHERE {_LEASABLE})"),  # noqa: S608
            {"account": account, "now": now_ms},
        )
        return found is True

    async def lease(
        self, connection: AsyncConnection, account: Address, limit: int, now_ms: int, until_ms: int
    ) -> list[SigningRequest]:
        """Lease the oldest requests of an account that nobody else holds, for a while."""
        rows = await connection.execute(
            text(f"""
                WITH wanted AS (
                    SELECT owner_id, id FROM signing_requests WHERE {_LEASABLE}
                    ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED
                )
                UPDATE signing_requests s SET state = 'leased', leased_until_ms = :until
                FROM wanted w WHERE s.owner_id = w.owner_id AND s.id = w.id
                RETURNING {", ".join("s." + name.strip() for name in _COLUMNS.split(","))}
            """),  # noqa: S608 - constants of this module
            {"account": account, "limit": limit, "now": now_ms, "until": until_ms},
        )
        return sorted(map(self._read, rows), key=lambda request: request.id)

    async def owner_of(
        self, connection: AsyncConnection, account: Address, request_id: str
    ) -> str | None:
        """Say whose a request of an account is; None if the account has no such request."""
        found = await connection.scalar(
            text("SELECT owner_id FROM signing_requests WHERE account = :account AND id = :id"),
            {"account": account, "id": request_id},
        )
        return None if found is None else str(found)

    async def read(
        self, connection: AsyncConnection, keys: Sequence[tuple[str, str]], *, lock: bool = False
    ) -> dict[str, SigningRequest]:
        """Read requests by (owner, id); `lock` keeps others from them until the commit."""
        how = "FOR NO KEY UPDATE" if lock else ""
        rows = await connection.execute(
            text(f"""
                SELECT {_COLUMNS} FROM signing_requests
                WHERE (owner_id, id) IN (SELECT * FROM unnest(
                    CAST(:owners AS text[]), CAST(:ids AS text[])))
                ORDER BY owner_id, id {how}
            """),  # noqa: S608 - constants of this module
            {"owners": [owner for owner, _ in keys], "ids": [one for _, one in keys]},
        )
        return {row.id: self._read(row) for row in rows}

    async def read_for(
        self, connection: AsyncConnection, owner_id: str, ref_id: str
    ) -> list[SigningRequest]:
        """Lock the requests for one thing, oldest first."""
        rows = await connection.execute(
            text(f"""
                SELECT {_COLUMNS} FROM signing_requests WHERE owner_id = :owner AND ref_id = :ref_id
                ORDER BY owner_id, id FOR NO KEY UPDATE
            """),  # noqa: S608 - constants of this module
            {"owner": owner_id, "ref_id": ref_id},
        )
        return [self._read(row) for row in rows]

    async def store(self, connection: AsyncConnection, requests: Iterable[SigningRequest]) -> None:
        """Write locked requests back."""
        rows = [
            {
                "owner": request.owner_id,
                "id": request.id,
                "state": str(request.state),
                "raw": request.raw,
                "tx_hash": request.tx_hash,
                "nonce": request.nonce,
                "valid": request.valid_until_height,
                "submitted": request.submitted_ms,
                "ended": request.ended_ms,
                "code": request.code,
                "detail": request.detail,
            }
            for request in requests
        ]
        if not rows:
            return
        await connection.execute(
            text("""
                UPDATE signing_requests SET state = :state, raw = CAST(:raw AS bytea),
                    tx_hash = CAST(:tx_hash AS bytea), nonce = :nonce, valid_until_height = :valid,
                    submitted_ms = :submitted, ended_ms = :ended, code = :code, detail = :detail
                WHERE owner_id = :owner AND id = :id
            """),
            rows,
        )

    async def claim(self, connection: AsyncConnection, request: SigningRequest) -> bool:
        """Claim the hash of what was signed for a request; tell whether nobody else has it."""
        claimed = await connection.scalar(
            text("""
                INSERT INTO claims (kind, value, merchant_id, subject, ref_id)
                VALUES ('tx', :hash, :owner, :subject, :id)
                ON CONFLICT (kind, value) DO NOTHING RETURNING ref_id
            """),
            {
                "hash": request.tx_hash,
                "owner": request.owner_id,
                "subject": SIGNING,
                "id": request.id,
            },
        )
        return claimed is not None

    async def abroad(self, connection: AsyncConnection, limit: int) -> list[SigningRequest]:
        """List signed requests whose outcome is not known, each account's by number.

        Of more than are looked at, those come first that were submitted longest ago, or never:
        submitting them puts them behind the others, so no account waits for ever.
        """
        rows = await connection.execute(
            text(f"""
                SELECT {_COLUMNS} FROM signing_requests WHERE state IN ('signed', 'submitted')
                ORDER BY submitted_ms NULLS FIRST, account, nonce LIMIT :limit
            """),  # noqa: S608 - constants of this module
            {"limit": limit},
        )
        return sorted(map(self._read, rows), key=lambda one: (one.account, one.nonce or 0))

    async def in_vain(
        self, connection: AsyncConnection, now_ms: int, limit: int
    ) -> list[tuple[str, str]]:
        """List the keys of requests that nobody signed in their time, and nobody holds.

        Whose time was over first comes first.
        """
        rows = await connection.execute(
            text("""
                SELECT owner_id, id FROM signing_requests
                WHERE state IN ('open', 'leased') AND expires_ms <= :now AND leased_until_ms <= :now
                ORDER BY expires_ms, owner_id, id LIMIT :limit
            """),
            {"now": now_ms, "limit": limit},
        )
        return [(row.owner_id, row.id) for row in rows]

    async def newest(
        self, connection: AsyncConnection, owner_id: str, before: str | None, limit: int
    ) -> list[SigningRequest]:
        """List an owner's requests below an id, newest first."""
        rows = await connection.execute(
            text(f"""
                SELECT {_COLUMNS} FROM signing_requests
                WHERE owner_id = :owner AND id < coalesce(CAST(:before AS text), 'Z')
                ORDER BY id DESC LIMIT :limit
            """),  # noqa: S608 - constants of this module
            {"owner": owner_id, "before": before, "limit": limit},
        )
        return [self._read(row) for row in rows]


def _place(owner_id: str, request_id: str) -> bytes:
    return f"signing_requests|what|{owner_id}|{request_id}".encode()
