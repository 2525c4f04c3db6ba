"""The accounts that pay by themselves, each of one merchant or union, and who signs for them.

A merchant's is its operating account, a union's its float. A signer shows itself by asking for
work. One that has been silent for `SILENT_MS` is offline: who wants a refund now is told so,
instead of waiting for a signature that nobody makes.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.db.statements import text
from api.errors import Unavailable
from ledger.primitives.keys import Address

SILENT_MS: Final = 60_000
NOTE_MS: Final = 1_000
"""How often it is written down that a signer was heard."""
RETRY_S: Final = 30


@dataclass(frozen=True, slots=True)
class PayingAccount:
    """An account that pays by itself, and when its signer was heard last."""

    owner_id: str
    account: Address
    seen_ms: int

    def is_online(self, now_ms: int) -> bool:
        """Tell whether its signer was heard lately."""
        return now_ms - self.seen_ms <= SILENT_MS


_ACCOUNTS: Final = """
    SELECT id AS owner_id, operating AS account FROM merchants WHERE operating IS NOT NULL
    UNION ALL
    SELECT id, float_account FROM unions WHERE float_account IS NOT NULL
"""


async def find_account(connection: AsyncConnection, owner_id: str) -> PayingAccount | None:
    """Give the account that pays for a merchant or a union."""
    rows = await connection.execute(
        text(f"""
            SELECT a.owner_id, a.account, coalesce(s.seen_ms, 0) AS seen_ms
            FROM ({_ACCOUNTS}) a LEFT JOIN signers s ON s.account = a.account
            WHERE a.owner_id = :owner
        """),  # noqa: S608 - a constant of this module
        {"owner": owner_id},
    )
    row = rows.first()
    return None if row is None else PayingAccount(row.owner_id, Address(row.account), row.seen_ms)


async def paying_account(connection: AsyncConnection, owner_id: str, now_ms: int) -> PayingAccount:
    """Give the account that pays; raise `Unavailable` if there is none, or its signer is silent."""
    found = await find_account(connection, owner_id)
    if found is None or not found.is_online(now_ms):
        raise Unavailable(
            "the signer of this account is not there: refunds and coupons are off until it is back",
            code="SIGNER_OFFLINE",
            retry_after_s=RETRY_S,
        )
    return found


async def hear_signer(connection: AsyncConnection, account: Address, now_ms: int) -> bool:
    """Note that an account's signer was heard; tell whether there is such an account."""
    known = await connection.scalar(
        text(f"SELECT count(*) FROM ({_ACCOUNTS}) a WHERE a.account = :account"),  # noqa: S608
        {"account": account},
    )
    if known:
        await connection.execute(
            text("""
                INSERT INTO signers AS s (account, seen_ms) VALUES (:account, :now)
                ON CONFLICT (account) DO UPDATE SET seen_ms = EXCLUDED.seen_ms
                WHERE s.seen_ms < EXCLUDED.seen_ms - CAST(:often AS bigint)
            """),
            {"account": account, "now": now_ms, "often": NOTE_MS},
        )
    return bool(known)
