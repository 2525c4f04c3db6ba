"""The calls of a partner's program, each a method that says what it gives and what it raises.

Every method raises `PaymentsProblem` for a refusal and `NobodyAnswered` if nobody answered. Where
money may move, an Idempotency-Key is drawn for the call; a program that may crash in between gives
one of its own, and calls again with the same.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import httpx
import msgspec

from api.client.schemas import (
    CustomerActed,
    Event,
    MadeEndpoint,
    MilkTrace,
    OrderOffer,
    Product,
    RefundTold,
    ShopOrder,
    ValidationTold,
)
from api.client.sending import Sending

T = TypeVar("T")
PAGE: int = 100


class _Page(msgspec.Struct, Generic[T], frozen=True, rename="camel"):
    data: list[T]
    has_more: bool
    next_cursor: str | None


class _Endpoint(msgspec.Struct, frozen=True):
    id: str
    secrets: list[dict[str, Any]]


class _Issued(msgspec.Struct, frozen=True, rename="camel"):
    webhook_endpoint: _Endpoint
    secret: str


class PaymentsClient:
    """The service at `base_url`, with a merchant's `key` (`bck_...`). It is no thread's own."""

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        more = {} if sleep is None else {"sleep": sleep}
        self._sending = Sending(base_url, key, transport, **more)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close connections."""
        self._sending.close()

    def products(self, merchant_id: str = "") -> list[Product]:
        """List what is sold: by all merchants, or by one at its own prices."""
        params: dict[str, object] = {"limit": PAGE}
        if merchant_id:
            params["merchantId"] = merchant_id
        found: list[Product] = []
        while True:
            page = self._get("/api/v1/products", _Page[Product], params=params)
            found += page.data
            if not page.has_more:
                return found
            params["cursor"] = page.next_cursor

    def open_order(
        self,
        items: Sequence[tuple[str, int]],
        *,
        metadata: Mapping[str, str] | None = None,
        coupon_code: str = "",
        idempotency_key: str = "",
    ) -> ShopOrder:
        """Open an order of so many packs of each product, at a locked price.

        With a coupon's code it is of one pack and costs nothing.
        """
        body: dict[str, object] = {
            "items": [{"productId": product, "quantity": count} for product, count in items],
            "metadata": dict(metadata or {}),
        }
        if coupon_code:
            body["couponCode"] = coupon_code
        return self._post("/api/v1/orders", ShopOrder, body, _named(idempotency_key))

    def order(self, order_id: str, *, wait_s: int = 0) -> ShopOrder:
        """Read an order; with `wait_s`, wait so long for it to change."""
        return self._get(f"/api/v1/orders/{order_id}", ShopOrder, headers=_waiting(wait_s))

    def offer(self, order_id: str) -> OrderOffer:
        """Read what a wallet is told to sign for an order."""
        return self._get(f"/p/{order_id}", OrderOffer)

    def cancel(self, order_id: str) -> ShopOrder:
        """Cancel an order that nobody pays."""
        return self._post(f"/api/v1/orders/{order_id}/cancel", ShopOrder)

    def fulfill(self, order_id: str) -> ShopOrder:
        """Say that the milk was handed over."""
        return self._post(f"/api/v1/orders/{order_id}/fulfill", ShopOrder)

    def validate(
        self, tx_hash: str, expected_amount: str, *, currency: str = "", wait_s: int = 0
    ) -> ValidationTold:
        """Ask whether a transaction alone paid an order exactly; `wait_s` waits for finality.

        `expected_amount` is RM as text, as in `1.80`; with `currency="BILL"` it is tokens.
        """
        body = {"txHash": tx_hash, "expectedAmount": expected_amount}
        if currency:
            body["currency"] = currency
        return self._post("/api/v1/payments/validate", ValidationTold, body, _waiting(wait_s))

    def refund(
        self,
        order_id: str,
        *,
        reason: str = "other",
        amount: str | None = None,
        idempotency_key: str = "",
    ) -> RefundTold:
        """Give an order's money back: `amount` of it in RM, or all that is left."""
        body: dict[str, object] = {"orderId": order_id, "reason": reason}
        if amount is not None:
            body["amount"] = amount
        return self._post("/api/v1/refunds", RefundTold, body, _named(idempotency_key))

    def refund_told(self, refund_id: str) -> RefundTold:
        """Read how far a refund has come."""
        return self._get(f"/api/v1/refunds/{refund_id}", RefundTold)

    def events(self, after: int = 0) -> Iterator[Event]:
        """Give every event beyond a sequence that is there now, the oldest first."""
        params: dict[str, object] = {"after": after, "limit": PAGE}
        while True:
            page = self._get("/api/v1/events", _Page[Event], params=params)
            yield from page.data
            if not page.has_more:
                return
            params["cursor"] = page.next_cursor

    def event_after(self, sequence: int) -> Event | None:
        """Give the first event beyond a sequence; None if there is none yet."""
        params = {"after": sequence, "limit": 1}
        found = self._get("/api/v1/events", _Page[Event], params=params).data
        return found[0] if found else None

    def make_endpoint(
        self, url: str, events: Sequence[str] = (), *, idempotency_key: str = ""
    ) -> MadeEndpoint:
        """Have events sent to an address; the secret is shown this once."""
        body = {"url": url, "events": list(events)}
        made = self._post("/api/v1/webhook-endpoints", _Issued, body, _named(idempotency_key))
        endpoint = made.webhook_endpoint
        return MadeEndpoint(endpoint.id, made.secret, endpoint.secrets[0]["publicKey"])

    def pay_as_customer(self, order_id: str, how: str = "exact") -> CustomerActed:
        """On a development chain: let a made-up customer pay.

        `how` is exact, late, under, over, twice, never or refunded.
        """
        return self._post(f"/api/v1/test/orders/{order_id}/pay", CustomerActed, {"as": how})

    def trace(self, subject: str) -> MilkTrace:
        """Follow milk back to its farms: from an order, a payment, a pack or a lot."""
        return self._get(f"/api/v1/trace/{subject}", MilkTrace)

    def _get(
        self,
        path: str,
        kind: type[T],
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        raw = self._sending.send("GET", path, params=params, headers=headers)
        return msgspec.json.decode(raw, type=kind)

    def _post(
        self,
        path: str,
        kind: type[T],
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        raw = self._sending.send("POST", path, body=body, headers=headers)
        return msgspec.json.decode(raw, type=kind)


def _named(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key or str(uuid.uuid4())}


def _waiting(wait_s: int) -> dict[str, str]:
    return {"Prefer": f"wait={wait_s}"} if wait_s else {}
