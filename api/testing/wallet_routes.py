"""`POST /api/v1/test/wallets`: a wallet with BILL to try one's own signing. Not on live chains."""

import secrets
from collections.abc import Callable
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.errors import ApiFault, NotFound, Pointer, Unprocessable
from api.http.catalogue import LEDGER_CODES
from api.http.replies import Reply
from api.http.routes import ApiCall, Idempotency, Route
from api.testing.routes import broadcast
from api.testing.schemas import NewWalletBody, NewWalletView
from ledger.primitives.amounts import Units, format_bill
from ledger.primitives.codec import encode
from ledger.primitives.keys import Seed, SigningKey, address_of, format_address
from ledger.types.transaction import Transaction
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
    fee_units = await service.law.fee_units()
    # In its turn a request takes two connections, one after the other, and nobody else of this
    # worker takes any: a crowd that held one each while it waits would leave none to go on with.
    async with customer.turn(fee_units) as sign_next:
        made = None if await service.answers.is_kept(call.once) else await _give(call, sign_next)

        async def work(_: AsyncConnection) -> Reply:
            # What was sent stays sent: whatever is tried again here sends nothing.
            assert made is not None, "an answer is kept for days, and looked for a moment ago"
            if isinstance(made, ApiFault):
                raise made
            return made

        return await service.answers.once(call.once, work)


async def _give(call: ApiCall, sign_next: Callable[[Transfer], Transaction]) -> Reply | ApiFault:
    """Draw a key, and send its account what was asked for; give the refusal if that is refused."""
    units, prefix = Units(call.body.bill.units), call.service.config.prefix
    seed = Seed(secrets.token_bytes(SEED_BYTES))
    address = address_of(SigningKey(seed).public)
    transaction = sign_next(Transfer(address, units, bytes(REFERENCE_BYTES), ()))
    try:
        await broadcast(call, encode(transaction))
    except ApiFault as refused:
        return refused
    view = NewWalletView(
        address=format_address(address, prefix),
        seed=seed.hex(),
        bill=format_bill(units),
        tx_hash=transaction.id.hex(),
    )
    return Reply(view, 201)


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
