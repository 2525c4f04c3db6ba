"""A till of the simulation, with a merchant's key: orders, validations, refunds, coupons."""

from collections.abc import Mapping
from typing import Final

import httpx
from ulid import ULID

from simulator.dairy.asking import StepRefused, answer_of, until, until_served

OVER: Final = frozenset({"failed", "cancelled", "expired"})
"""States out of which nothing comes any more."""


class KioskTill:
    """What is sold is one pack of one product."""

    def __init__(self, http: httpx.AsyncClient, api_key: str, product: str) -> None:
        self._http, self._product = http, product
        self._key = {"Authorization": f"Bearer {api_key}"}

    async def open_order(self) -> str:
        """Open an order of a pack; give its id."""
        body = {"items": [{"productId": self._product, "quantity": 1}]}
        return str((await self._begin("order", "/api/v1/orders", body))["id"])

    async def validate(self, tx_hash: str, expected_myr: str) -> dict[str, object]:
        """Ask whether a transaction paid its order, for a few seconds."""
        body = {"txHash": tx_hash, "expectedAmount": expected_myr}
        headers = {**self._key, "Prefer": "wait=3"}
        answer = await self._http.post("/api/v1/payments/validate", json=body, headers=headers)
        return answer_of("validate", answer)

    async def refund(self, order_id: str) -> None:
        """Give an order's payment back, and wait until the payer has it."""
        body = {"reason": "not_handed_over", "orderId": order_id}
        asked = await until_served(lambda: self._begin("refund", "/api/v1/refunds", body))
        await self._settled("refund", f"/api/v1/refunds/{asked['id']}", "succeeded")

    async def redeem(self, code: str) -> str:
        """Scan a coupon; give its order's id once the pack is paid for."""
        path = f"/api/v1/coupons/{code}/redeem"
        order = await until_served(lambda: self._begin("coupon", path, {}))
        await self._settled("coupon's order", f"/api/v1/orders/{order['id']}", "paid")
        return str(order["id"])

    async def _begin(self, step: str, path: str, body: Mapping[str, object]) -> dict[str, object]:
        headers = {**self._key, "Idempotency-Key": str(ULID())}
        return answer_of(step, await self._http.post(path, json=body, headers=headers))

    async def _read(self, step: str, path: str) -> dict[str, object]:
        return answer_of(step, await self._http.get(path, headers=self._key))

    async def _settled(self, step: str, path: str, wanted: str) -> None:
        """Wait until something has reached a state; raise `StepRefused` if it never will."""

        async def look() -> bool | None:
            shown = await self._read(step, path)
            if shown["state"] in OVER:
                raise StepRefused(step, httpx.codes.OK, str(shown.get("code") or shown["state"]))
            return shown["state"] == wanted or None

        await until(look)
