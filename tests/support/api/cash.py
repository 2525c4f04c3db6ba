"""What tests of cash for BILL share: wallets, receipts, and the laws of the cash book."""

import asyncio
import itertools

from sqlalchemy import text

from ledger.primitives.amounts import UNITS_PER_BILL
from ledger.primitives.keys import Seed, SigningKey
from ledger.types.transaction import decode_transaction
from ledger.types.transfer import Transfer
from tests.support.system.patience import PATIENCE_S

LITRE = UNITS_PER_BILL
_NUMBERS = itertools.count(1)


def wallet_key(name):
    return SigningKey(Seed(f"wallet {name}".encode().ljust(32, b".")[:32]))


def receipt(amount="5.00", **body):
    """Write a request for a top-up under a fresh receipt."""
    return {"amount": amount, "receiptNumber": f"R-{next(_NUMBERS)}", **body}


async def becomes(reader, path, state):
    """Wait until a thing is in a state, as somebody reads it; give it."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            answer = await reader.call("GET", path)
            assert answer.is_success, answer.text
            if answer.json()["state"] == state:
                return answer.json()
            await asyncio.sleep(0.02)


async def book(reader):
    return (await reader.call("GET", "/cash-book?limit=200")).json()["data"]


async def check_cash_book(rig):
    """The sums of the book are what top-ups and cash-outs say, and what the chain did."""
    await rig.api.level()
    async with rig.api.service.engine.connect() as connection:
        row = (
            await connection.execute(
                text("""
                    SELECT (SELECT coalesce(sum(cash_sen), 0) FROM cash_entries) AS cash,
                        (SELECT coalesce(sum(owed_units), 0) FROM cash_entries) AS owed_units,
                        (SELECT coalesce(sum(owed_sen), 0) FROM cash_entries) AS owed_sen,
                        (SELECT coalesce(sum(float_units), 0) FROM cash_entries) AS float_units,
                        (SELECT coalesce(sum(amount_sen), 0) FROM top_ups
                            WHERE state <> 'reversed') AS taken,
                        (SELECT coalesce(sum(units), 0) FROM top_ups
                            WHERE state IN ('pending', 'submitted', 'failed')) AS promised,
                        (SELECT coalesce(sum(units), 0) FROM top_ups
                            WHERE state = 'succeeded') AS sent,
                        (SELECT coalesce(sum(units), 0) FROM welcomes
                            WHERE state = 'succeeded') AS welcomed,
                        (SELECT coalesce(sum(received_sen - paid_sen), 0) FROM cash_outs) AS owing,
                        (SELECT coalesce(sum(paid_sen), 0) FROM cash_outs) AS paid,
                        (SELECT coalesce(sum(float_units), 0) FROM cash_entries
                            WHERE float_units > 0) AS came
                """)
            )
        ).one()
    assert row.cash == row.taken - row.paid
    assert row.owed_units == row.promised
    assert row.owed_sen == row.owing
    assert row.float_units == row.came - row.sent - row.welcomed
    await _check_chain(rig, row.float_units)


async def _check_chain(rig, booked):
    """What went from and to the float on the chain, but for its fees, is booked."""
    account, moved = rig.account_of("float"), 0
    for block in rig.ledger.chain_blocks():
        for raw, told in zip(block.transactions, block.receipts, strict=True):
            made = decode_transaction(raw)
            body = made.intent.body
            if told.code or not isinstance(body, Transfer):
                continue
            moved += body.units * ((body.to == account) - (made.sender == account))
    assert booked == moved
