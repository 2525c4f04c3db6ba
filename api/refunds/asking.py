"""A refund begins: it is written down, and the signer is asked for it, in one transaction."""

from collections.abc import Callable
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from api.events.outbox import NewEvent
from api.refunds.model import Refund, RefundReason, RefundState
from api.refunds.schemas import refund_card
from api.refunds.store import PaidIn, add_refund
from api.signing.store import SigningBook
from api.signing.wire import SignRefund
from ledger.primitives.amounts import Units, format_bill
from ledger.primitives.keys import Address

SIGNED_WITHIN_MS: Final = 7 * 86_400_000
"""How long a refund waits for its signer before it has failed."""


class RefundAsker:
    """Asks signers for refunds; `poke` says that there is something to sign."""

    def __init__(self, book: SigningBook, poke: Callable[[], None]) -> None:
        self.book, self._poke = book, poke

    async def begin(
        self,
        connection: AsyncConnection,
        refund: Refund,
        paid: PaidIn,
        account: Address,
        now_ms: int,
    ) -> NewEvent:
        """Write a refund of a locked payment, and ask for it; give the event that tells."""
        await add_refund(connection, refund)
        await self.have_signed(connection, refund, account, paid.height, now_ms)
        return told_of_refund("refund.created", refund, now_ms)

    async def have_signed(
        self,
        connection: AsyncConnection,
        refund: Refund,
        account: Address,
        height: int,
        now_ms: int,
    ) -> None:
        """Ask the signer of an account for a refund that is written."""
        what = SignRefund(refund.tx_hash.hex(), height, format_bill(Units(refund.units)))
        until_ms = now_ms + SIGNED_WITHIN_MS
        await self.book.open(
            connection, refund.merchant_id, account, what, refund.id, now_ms, until_ms
        )
        self._poke()


def drawn_refund(
    paid: PaidIn, reason: RefundReason, units: int, sen: int | None, by: str, now_ms: int
) -> Refund:
    """Draw up a refund; nobody asked for it (`by`) if it goes back by itself."""
    return Refund(
        id=str(ULID.from_timestamp(now_ms)),
        merchant_id=paid.merchant_id,
        order_id=paid.order_id,
        tx_hash=paid.tx_hash,
        units=units,
        amount_sen=sen,
        reason=reason,
        state=RefundState.PENDING,
        automatic=not by,
        requested_by=by,
        created_ms=now_ms,
    )


def told_of_refund(kind: str, refund: Refund, now_ms: int) -> NewEvent:
    """Make the event that tells of a refund."""
    return NewEvent(kind, refund.merchant_id, refund.id, refund_card(refund), now_ms)
