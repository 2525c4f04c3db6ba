"""Signed requests whose outcome is not known: each account's are looked at, however many there."""

import asyncio
from collections.abc import Sequence
from hashlib import sha256

from sqlalchemy import text
from ulid import ULID

from api.db.session import migrate, open_engine
from api.signing.model import SigningRequest, SigningState
from api.signing.store import SigningBook
from api.signing.wire import SignRefund
from ledger.primitives.keys import Address
from tests.support.api.postgres import TestDatabase

OWNER = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
REFUND = SignRefund("ab" * 32, 1, "1.000000")
SIGNED = """
    UPDATE signing_requests SET state = 'signed', raw = '\\x01', nonce = :nonce WHERE id = :id
"""
FAR_MS = 10**12


def account(number: int) -> Address:
    return Address(bytes([number]) * 32)


def submitted(requests: Sequence[SigningRequest], at_ms: int) -> list[SigningRequest]:
    state = SigningState.SUBMITTED
    return [one.changed(state=state, submitted_ms=at_ms) for one in requests]


def test_no_account_waits_for_ever_behind_others_and_each_goes_by_its_numbers(
    database: TestDatabase,
) -> None:
    async def run() -> None:
        async with database.fresh_database() as url:
            engine = open_engine(url, 1)
            await migrate(engine)
            book = SigningBook(sha256(b"secret").digest())
            async with engine.begin() as connection:
                for number in range(4):
                    for nonce in (9, 10):
                        request_id = await book.open(
                            connection, OWNER, account(number), REFUND, str(ULID()), 1, FAR_MS
                        )
                        known = {"id": request_id, "nonce": nonce}
                        await connection.execute(text(SIGNED), known)
                seen = list[tuple[bytes, int | None]]()
                for at_ms in range(1, 5):
                    looked_at = await book.abroad(connection, 3)
                    places = [(one.account, one.nonce) for one in looked_at]
                    assert places == sorted(places)
                    seen += places
                    await book.store(connection, submitted(looked_at, at_ms))
                assert len(seen) == 12
                assert seen[:3] == [(account(0), 9), (account(0), 10), (account(1), 9)]
                assert {one for one, _ in seen} == {account(number) for number in range(4)}
                assert seen[-3:] == seen[1:4], "the first ones again, as they waited longest"
            await engine.dispose()

    asyncio.run(run())
