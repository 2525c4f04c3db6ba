"""Shop counters on a running testnet: a till and an honest wallet each, which never give up.

A request that gets no answer, or a 5xx, is sent again as it was: an order under its key, a payment
with the same bytes. A wallet signs anew only if the chain, or the service, says that what it signed
had no effect.
"""

import threading
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
from ulid import ULID

from ledger.primitives.amounts import Units, parse_bill
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import parse_address
from ledger.types.transfer import Redemption, Transfer
from loadtest.wallets import FEE_UNITS, LoadWallet, open_wallets, read_seed
from tests.support.testnet.running import RunningTestnet

PREFIX = "dbill"
PRODUCT = "whole-200"
PAUSE_S = 0.2
PATIENCE_S = 8.0
WAIT = {"Prefer": "wait=3"}
SILENT = {408, 429, 500, 502, 503, 504}
"""Answers that say nothing of what became of a request."""


@dataclass(frozen=True, slots=True)
class Sold:
    """An order that a counter saw valid, its payment, and when that was."""

    order_id: str
    tx_hash: str
    units: int
    at_s: float


@dataclass(slots=True)
class Ledger:
    """What the counters have signed and sold so far; `odd` is what no honest wallet should meet."""

    sold: list[Sold] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)


class Counter(threading.Thread):
    """One till and one wallet, selling packs one after the other until it is told to stop."""

    def __init__(
        self, net: RunningTestnet, wallet: LoadWallet, ledger: Ledger, stop: threading.Event
    ) -> None:
        super().__init__(daemon=True)
        key = (net.layout.home("api") / "api.key").read_text("utf-8").strip()
        self._http = httpx.Client(
            base_url=net.url("api"),
            headers={"Authorization": f"Bearer {key}"},
            timeout=PATIENCE_S,
            trust_env=False,
        )
        self.wallet, self._ledger, self._ended = wallet, ledger, stop
        self._breath = threading.Event()
        """Nobody sets it: to wait for it is a breath between two tries."""

    def run(self) -> None:
        """Sell until the end; what was begun by then is brought to its end as well."""
        while not self._ended.is_set():
            try:
                self._sell()
            except Exception as fault:
                self._ledger.odd.append(repr(fault))
                return
            self._ended.wait(PAUSE_S)
        self._http.close()

    def _ask(self, method: str, path: str, **sent: Any) -> httpx.Response:
        """Ask until something is said."""
        while True:
            try:
                answer = self._http.request(method, f"/api/v1{path}", **sent)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code not in SILENT:
                return answer
            self._breath.wait(PAUSE_S)

    def _sell(self) -> None:
        body = {"items": [{"productId": PRODUCT, "quantity": 1}]}
        opened = self._ask("POST", "/orders", json=body, headers={"Idempotency-Key": str(ULID())})
        if opened.status_code == 409:
            return  # No milk is left for a moment, or the first request is not over yet.
        order = opened.json()
        transfer = Transfer(
            to=parse_address(order["payTo"], PREFIX),
            units=parse_bill(order["amount"]["bill"]),
            reference=bytes.fromhex(order["reference"]),
            redeem=tuple(
                Redemption(Hash(bytes.fromhex(milk["lot"])), parse_bill(milk["bill"]))
                for milk in order["redeem"]
            ),
        )
        signed = self.wallet.sign(transfer)
        if not self._pay(order["id"], signed.id.hex(), {"transaction": encode(signed).hex()}):
            self.wallet.nonce -= 1  # It had no effect, and never will: its number is free.
            return
        asked = {"txHash": signed.id.hex(), "expectedAmount": order["amount"]["myr"]}
        told = self._ask("POST", "/payments/validate", json=asked, headers=WAIT).json()
        while not told.get("valid") and told.get("error") in ("TX_UNCONFIRMED", "TX_NOT_FOUND"):
            told = self._ask("POST", "/payments/validate", json=asked, headers=WAIT).json()
        if not told.get("valid"):
            self._ledger.odd.append(f"order {order['id']}: {told}")
            return
        sold = Sold(order["id"], signed.id.hex(), int(transfer.units), time.monotonic())
        self._ledger.sold.append(sold)

    def _pay(self, order_id: str, tx_hash: str, body: dict[str, str]) -> bool:
        """Hand the same bytes in until it is known what became of them."""
        while True:
            answer = self._ask("POST", f"/orders/{order_id}/payment", json=body)
            if answer.is_success:
                return True
            known = self._ask("GET", f"/transactions/{tx_hash}").json()
            match known["status"]:
                case "final" if not known.get("code"):
                    return True
                case "final":
                    self._ledger.odd.append(f"{tx_hash}: {known}")
                    return True  # Its number is used.
                case "refused":
                    self._ledger.odd.append(f"{tx_hash}: {answer.text[:200]}")
                    return False
                case "never_seen" if answer.json()["code"] == "ORDER_EXPIRED":
                    return False  # The shop was away for longer than an order lasts.
            self._breath.wait(PAUSE_S)


class Counters:
    """Several counters that sell at once, as a context."""

    def __init__(self, net: RunningTestnet, count: int) -> None:
        self.ledger, self._net = Ledger(), net
        self._ended = threading.Event()
        wallets = open_wallets(read_seed(net.layout.root), net.chain_id(), count)
        self._counters = [Counter(net, each, self.ledger, self._ended) for each in wallets]
        self._before = {each.wallet.address: self._units(each.wallet) for each in self._counters}

    def __enter__(self) -> "Counters":
        for each in self._counters:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for each in self._counters:
            each.join(PATIENCE_S)

    def end(self, patience_s: float) -> None:
        """Let every counter bring its last sale to an end."""
        self._ended.set()
        for each in self._counters:
            each.join(patience_s)
            assert not each.is_alive(), "a counter still waits"

    def sold_since(self, at_s: float) -> int:
        """Count the sales since a moment of the monotonic clock."""
        return sum(sale.at_s > at_s for sale in self.ledger.sold)

    def gap_s(self, since_s: float) -> float:
        """Give the longest time without a sale at any counter, from a moment on."""
        times = sorted(sale.at_s for sale in self.ledger.sold if sale.at_s > since_s)
        return max(b - a for a, b in zip([since_s, *times], times, strict=False))

    def spent(self) -> int:
        """Give what has left the wallets by the chain, fees apart."""
        gone = 0
        for each in self._counters:
            address = each.wallet.address
            fees = each.wallet.nonce * int(FEE_UNITS)
            gone += self._before[address] - self._units(each.wallet) - fees
        return gone

    def _units(self, wallet: LoadWallet) -> Units:
        return self._net.ask("node-0", lambda client: client.account(wallet.address)).units
