"""`POST /api/v1/test/wallets`: a wallet with BILL to try one's own signing. Not on live chains."""

import secrets
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.errors import NotFound, Pointer, Unprocessable
from api.http.catalogue import LEDGER_CODES
from api.http.replies import Reply
from api.http.routes import ApiCall, Idempotency, Route
from api.testing.routes import broadcast
from api.testing.schemas import NewWalletBody, NewWalletView
from ledger.primitives.amounts import Units, format_bill
from ledger.primitives.codec import encode
from ledger.primitives.keys import Seed, SigningKey, address_of, format_address
from ledger.types.transfer import REFERENCE_BYTES, Transfer

GIFT_UNITS_MAX: Final = 20_000_000
"""Twenty litres: some forty packs, and the made-up customer stays rich."""
SEED_BYTES: Final = 32


async def make_wallet(call: ApiCall) -> Reply:
    """Draw a key, and have the made-up customer send it something."""
    service, units = call.service, call.body.bill.units
    customer = service.money.customer
    if customer is None:
        raise NotFound("this network has no made-up customer: its home holds no customer.key")
    if not 0 < units <= GIFT_UNITS_MAX:
        told = (Pointer("/bill", "OUT_OF_RANGE"),)
        raise Unprocessable("a wallet gets up to 20 BILL", code="REFUSED", errors=told)
    seed = Seed(secrets.token_bytes(SEED_BYTES))
    address = address_of(SigningKey(seed).public)
    fee_units = await service.law.fee_units()

    async def work(_: AsyncConnection) -> Reply:
        async with customer.turn(fee_units) as sign_next:
            gift = Transfer(address, Units(units), bytes(REFERENCE_BYTES), ())
            transaction = sign_next(gift)
            await broadcast(call, encode(transaction))
        view = NewWalletView(
            address=format_address(address, service.config.prefix),
            seed=seed.hex(),
            bill=format_bill(Units(units)),
            tx_hash=transaction.id.hex(),
        )
        return Reply(view, 201)

    return await service.answers.once(call.once, work)


ROUTES: Final = (
    Route(
        method="POST",
        path="/api/v1/test/wallets",
        operation="makeTestWallet",
        summary="On a chain of development: draw a wallet's key, and have BILL sent to it",
        tag="test",
        handler=make_wallet,
        body=NewWalletBody,
        answer=NewWalletView,
        status=201,
        idempotency=Idempotency.KEY,
        codes=("NOT_FOUND", "REFUSED", "LEDGER_UNAVAILABLE", "LEDGER_BUSY", *LEDGER_CODES),
        development=True,
    ),
)
