"""Payments end to end, over the public HTTP interface: what a till and a phone do together.

A terminal opens an order, signs the transfer that pays it, posts it, and asks whether it is valid,
waiting for finality as a till does (`Prefer: wait`). Latency counts from posting the payment to
the answer "valid"; `total` also holds the order. `burst` opens and signs everything first, then
lets all users pay in the same instant, each on a connection of its own.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from ledger.primitives.amounts import parse_bill
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import parse_address
from ledger.types.transfer import Redemption, Transfer
from loadtest.http_client import Client, RequestFailed
from loadtest.network import RunningNetwork
from loadtest.wallets import LoadWallet

PRODUCT: Final = "whole-200"
WAIT: Final = "Prefer: wait=10\r\n"
OPENERS: Final = 50
"""Connections that open the orders of a burst."""


class _Amount(msgspec.Struct):
    bill: str
    myr: str


class _Milk(msgspec.Struct):
    lot: str
    bill: str


class _OrderAnswer(msgspec.Struct, rename="camel"):
    id: str
    amount: _Amount
    reference: str
    redeem: tuple[_Milk, ...]
    pay_to: str


class _Verdict(msgspec.Struct):
    valid: bool = False
    error: str | None = None
    code: str | None = None


_orders = msgspec.json.Decoder(_OrderAnswer)
_verdicts = msgspec.json.Decoder(_Verdict)


@dataclass(slots=True)
class Till:
    """What one round of payments gave. Milliseconds."""

    seconds: float = 0.0
    valid: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    latencies_ms: list[float] = field(default_factory=list)
    totals_ms: list[float] = field(default_factory=list)

    def refuse(self, why: str) -> None:
        """Count a payment that did not come to an end."""
        self.refused[why] = self.refused.get(why, 0) + 1

    @property
    def per_s(self) -> float:
        """Give the rate of payments that were found valid."""
        return self.valid / self.seconds


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """An order and the transaction that pays it."""

    order: _OrderAnswer
    txid: bytes
    body: bytes


class ServiceRefused(Exception):
    """The service said no."""


class PaymentLoad:
    """Drives the payments service of one network."""

    def __init__(self, network: RunningNetwork) -> None:
        self._network = network
        self._count = 0
        self._run = f"{time.time_ns():x}"

    def client(self) -> Client:
        """Open nothing yet: a connection of a terminal."""
        headers = {
            "Authorization": f"Bearer {self._network.api_key}",
            "Content-Type": "application/json",
        }
        return Client(self._network.api, headers)

    async def closed(self, wallets: Sequence[LoadWallet], seconds: float) -> Till:
        """Let each terminal pay again the moment its last payment was found valid."""
        till = Till()
        stop_s = time.monotonic() + seconds

        async def run(wallet: LoadWallet) -> None:
            client = self.client()
            while time.monotonic() < stop_s:
                await self._pay_once(client, wallet, till)
            client.close()

        await self._timed(till, [run(wallet) for wallet in wallets])
        return till

    async def paced(self, wallets: Sequence[LoadWallet], every_s: float, times: int) -> Till:
        """Let each terminal pay so many times, once an interval, evenly spread."""
        till = Till()
        began_s = time.monotonic() + 0.1

        async def run(number: int, wallet: LoadWallet) -> None:
            client = self.client()
            due_s = began_s + every_s * number / len(wallets)
            for _ in range(times):
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))
                await self._pay_once(client, wallet, till)
                due_s += every_s
            client.close()

        await self._timed(till, [run(number, wallet) for number, wallet in enumerate(wallets)])
        return till

    async def burst(self, wallets: Sequence[LoadWallet]) -> Till:
        """Let every user pay at once what was opened and signed before."""
        waiting = list(wallets)
        signed: list[SignedOrder] = []

        async def open_orders() -> None:
            client = self.client()
            while waiting:
                signed.append(await self._order(client, waiting.pop()))
            client.close()

        await asyncio.gather(*(open_orders() for _ in range(OPENERS)))
        clients = [self.client() for _ in signed]
        for start in range(0, len(clients), OPENERS):
            await asyncio.gather(*(c.connect() for c in clients[start : start + OPENERS]))
        till = Till()
        pairs = zip(clients, signed, strict=True)
        await self._timed(till, [self._settle(client, one, till) for client, one in pairs])
        for client in clients:
            client.close()
        return till

    async def _timed(self, till: Till, terminals: "list[object]") -> None:
        began_s = time.monotonic()
        await asyncio.gather(*terminals)  # type: ignore[call-overload]  # coroutines, of one kind
        till.seconds = time.monotonic() - began_s

    async def _pay_once(self, client: Client, wallet: LoadWallet, till: Till) -> None:
        began_s = time.monotonic()
        nonce = wallet.nonce
        try:
            signed = await self._order(client, wallet)
        except (ServiceRefused, RequestFailed) as fault:
            till.refuse(str(fault)[:60])
            await asyncio.sleep(0.05)
            return
        if not await self._settle(client, signed, till):
            wallet.nonce = nonce  # It was not taken: the next one bears its number.
            return
        till.totals_ms.append((time.monotonic() - began_s) * 1e3)

    async def _order(self, client: Client, wallet: LoadWallet) -> SignedOrder:
        """Open an order and sign the transfer that pays it."""
        self._count += 1
        key = f"Idempotency-Key: {self._run}-{self._count}\r\n"
        body = b'{"items":[{"productId":"%s","quantity":1}]}' % PRODUCT.encode()
        status, raw = await client.ask("POST", "/api/v1/orders", body, key)
        if status != 201:
            raise ServiceRefused(f"order {_why(status, raw)}")
        order = _orders.decode(raw)
        transfer = Transfer(
            to=parse_address(order.pay_to, self._network.prefix),
            units=parse_bill(order.amount.bill),
            reference=bytes.fromhex(order.reference),
            redeem=tuple(
                Redemption(Hash(bytes.fromhex(milk.lot)), parse_bill(milk.bill))
                for milk in order.redeem
            ),
        )
        transaction = wallet.sign(transfer)
        posted = b'{"transaction":"%s"}' % encode(transaction).hex().encode()
        return SignedOrder(order, transaction.id, posted)

    async def _settle(self, client: Client, signed: SignedOrder, till: Till) -> bool:
        """Post the payment and validate it; tell whether the payment was taken in."""
        began_s, taken = time.monotonic(), False
        path = f"/api/v1/orders/{signed.order.id}/payment"
        question = b'{"txHash":"%s","expectedAmount":"%s"}' % (
            signed.txid.hex().encode(),
            signed.order.amount.myr.encode(),
        )
        try:
            status, raw = await client.ask("POST", path, signed.body)
            if status != 202:
                till.refuse(f"payment {_why(status, raw)}")
                return False
            taken = True
            status, raw = await client.ask("POST", "/api/v1/payments/validate", question, WAIT)
        except RequestFailed:
            till.refuse("no answer")
            return taken
        if status != 200 or not _verdicts.decode(raw).valid:
            till.refuse(f"validate {_why(status, raw)}")
            return taken
        till.valid += 1
        till.latencies_ms.append((time.monotonic() - began_s) * 1e3)
        return True


def _why(status: int, raw: bytes) -> str:
    try:
        said = _verdicts.decode(raw)
    except msgspec.DecodeError:
        return str(status)
    return f"{status} {said.error or said.code}"
