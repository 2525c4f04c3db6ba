"""Whoever buys a pack: reads what a till's QR leads to, signs with a key, and hands it in."""

from time import monotonic
from typing import Final

import httpx
import msgspec

from ledger.primitives.codec import encode
from ledger.types.transaction import Transaction
from simulator.dairy.asking import StepRefused, answer_of
from simulator.dairy.record import PurchaseRecord, time_text
from simulator.dairy.till import KioskTill
from simulator.dairy.wallet import PaymentOffer, Wallet

OUT_OF_STOCK: Final = "OUT_OF_STOCK"


class Shopper:
    """One customer, who buys at a till with a wallet of their own."""

    def __init__(
        self, number: int, till: KioskTill, wallet: Wallet, prefix: str, http: httpx.AsyncClient
    ) -> None:
        self.number = number
        self._till, self._wallet, self._http = till, wallet, http
        self._address = wallet.address_text(prefix)
        self._nonce: int | None = None

    async def buy(self) -> PurchaseRecord:
        """Make one purchase; raise `StepRefused` or `httpx.HTTPError` if it can't be made."""
        path = f"/p/{await self._till.open_order()}"
        page = await self._http.get(path, headers={"Accept": "application/json"})
        offer = msgspec.convert(answer_of("offer", page), PaymentOffer)
        transaction = self._wallet.pay(offer, await self._next_nonce())
        started = monotonic()
        await self._hand_in(f"/api/v1/orders/{offer.order_id}/payment", transaction)
        verdict = await self._till.validate(transaction.id.hex(), offer.amount.myr)
        return PurchaseRecord(
            at=time_text(),
            shopper=self.number,
            order_id=offer.order_id,
            tx_hash=transaction.id.hex(),
            valid=verdict["valid"] is True,
            latency_ms=round((monotonic() - started) * 1_000),
            error=None if verdict["error"] is None else str(verdict["error"]),
        )

    async def _next_nonce(self) -> int:
        if self._nonce is None:
            answer = await self._http.get(f"/api/v1/accounts/{self._address}")
            self._nonce = msgspec.convert(answer_of("account", answer)["nonce"], int)
        return self._nonce

    async def _hand_in(self, path: str, transaction: Transaction) -> None:
        body = {"transaction": encode(transaction).hex()}
        try:
            answer_of("payment", await self._http.post(path, json=body))
        except (StepRefused, httpx.HTTPError):
            self._nonce = None  # Whatever became of it, the node knows the next number.
            raise
        self._nonce = transaction.intent.nonce + 1
