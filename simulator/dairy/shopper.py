"""Simulated shoppers: each buys milk every few seconds over the public HTTP interface.

A purchase is what a till and a phone do together: the till opens an order, the phone reads what
the QR leads to, signs with a key of its own and posts the transaction, and the till asks for
validation. The time from posting to the validated answer is the latency that a customer waits.

A home holds `config.toml`, one `shopper-N.key` a shopper, `purchases.jsonl` (one line a purchase,
appended) and `shopper.json` (a summary, replaced in one step). A shopper never stops for a
refusal or a lost connection: it tells of it, backs off, and asks for its nonce again.
"""

import asyncio
import json
import signal
import sys
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Final

import httpx
import msgspec
from msgspec import Struct
from ulid import ULID

from ledger.primitives.codec import encode
from ledger.primitives.keys import Address
from node.addresses import check_url
from node.environment import explain_environment, is_environment
from node.errors import BadConfig, HomeTaken
from node.home.lock import owned
from node.home.toml_file import CONFIG_FILE, format_toml, read_toml
from node.home.whole_file import write_whole
from simulator.dairy.wallet import PaymentOffer, Wallet

PURCHASES_FILE: Final = "purchases.jsonl"
SUMMARY_FILE: Final = "shopper.json"
SHOPPERS_MAX: Final = 64
LATENCIES_MAX: Final = 1_000
"""The summary's percentiles look at this many of the newest purchases."""
BACK_OFF_S_MAX: Final = 10.0
STOCK_S: Final = 1.0
"""How often a shopper looks whether milk has come, at least."""
OUT_OF_STOCK: Final = "OUT_OF_STOCK"
REQUEST_TIMEOUT_S: Final = 10.0


class ShopperConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Where to buy, as whom, what, and how often."""

    api_url: str
    api_key: str
    prefix: str = "dbill"
    product: str = "whole-200"
    interval_ms: int = 7_000
    shoppers: int = 1


@dataclass(frozen=True, slots=True)
class ShopperIdentity:
    """What the network's genesis has to know: the accounts to endow."""

    addresses: tuple[Address, ...]

    @property
    def address(self) -> Address:
        """Give the first shopper's account."""
        return self.addresses[0]


def key_path(home: Path, number: int) -> Path:
    """Name the file of one shopper's key."""
    return home / f"shopper-{number}.key"


def prepare(
    home: Path,
    *,
    api_url: str = "",
    api_key: str = "",
    prefix: str = "dbill",
    product: str = "whole-200",
    interval_ms: int = 7_000,
    shoppers: int = 1,
) -> ShopperIdentity:
    """Make or renew a shopper's home; keys stay, the configuration is rewritten.

    Accounts must be known before the genesis and the interface's key only after it, so a network
    calls this twice: first for the addresses, then with `api_url` and `api_key`.
    """
    assert 1 <= shoppers <= SHOPPERS_MAX, shoppers
    home.mkdir(parents=True, exist_ok=True)
    addresses = tuple(Wallet.keep(key_path(home, n)).address for n in range(shoppers))
    config = ShopperConfig(api_url, api_key, prefix, product, interval_ms, shoppers)
    text = format_toml(msgspec.to_builtins(config))
    write_whole(home / CONFIG_FILE, text.encode(), 0o600)
    return ShopperIdentity(addresses)


class StepRefused(Exception):
    """The service said no; `code` is its word for why."""

    def __init__(self, step: str, status: int, code: str) -> None:
        super().__init__(f"{step}: {status} {code}")
        self.code = code


class PurchaseRecord(Struct, frozen=True, rename="camel"):
    """One line of `purchases.jsonl`."""

    at: str
    shopper: int
    order_id: str
    tx_hash: str
    valid: bool
    latency_ms: int
    error: str | None


@dataclass(slots=True)
class Ledgerbook:
    """The purchases so far, on disk and summed up."""

    home: Path
    count: int = 0
    failed: int = 0
    last: PurchaseRecord | None = None
    latencies_ms: deque[int] = field(default_factory=lambda: deque(maxlen=LATENCIES_MAX))

    def restore(self) -> None:
        """Take up the counts of an earlier run; a torn last line is passed over."""
        path = self.home / PURCHASES_FILE
        if not path.exists():
            return
        for line in path.read_bytes().splitlines():
            try:
                self._count(msgspec.json.decode(line, type=PurchaseRecord))
            except msgspec.DecodeError:
                continue

    def _count(self, purchase: PurchaseRecord) -> None:
        self.last = purchase
        if purchase.valid:
            self.count += 1
            self.latencies_ms.append(purchase.latency_ms)
        else:
            self.failed += 1

    def record(self, purchase: PurchaseRecord) -> None:
        """Append a purchase and renew the summary."""
        self._count(purchase)
        with (self.home / PURCHASES_FILE).open("ab") as file:
            file.write(msgspec.json.encode(purchase) + b"\n")
        self.write_summary()

    def write_summary(self) -> None:
        """Write count and percentiles for the board."""
        summary = {
            "count": self.count,
            "failed": self.failed,
            **{f"p{share}_ms": percentile(self.latencies_ms, share) for share in (50, 95, 99)},
            "last": None if self.last is None else msgspec.to_builtins(self.last),
        }
        write_whole(self.home / SUMMARY_FILE, msgspec.json.encode(summary) + b"\n", 0o600)


def percentile(values: deque[int], share: int) -> int | None:
    """Give the nearest-rank percentile, or None of nothing."""
    ordered = sorted(values)
    return ordered[-(-len(ordered) * share // 100) - 1] if ordered else None


class Shopper:
    """One customer and the till that serves them."""

    def __init__(
        self, number: int, config: ShopperConfig, wallet: Wallet, http: httpx.AsyncClient
    ) -> None:
        self.number = number
        self._config = config
        self._wallet = wallet
        self._http = http
        self._nonce: int | None = None
        self._till = {"Authorization": f"Bearer {config.api_key}"}

    async def buy(self) -> PurchaseRecord:
        """Make one purchase; raise `StepRefused` or `httpx.HTTPError` if it can't be made."""
        body = {"items": [{"productId": self._config.product, "quantity": 1}]}
        till = {**self._till, "Idempotency-Key": str(ULID())}
        order = _answer("order", await self._http.post("/api/v1/orders", json=body, headers=till))
        page = await self._http.get(f"/p/{order['id']}", headers={"Accept": "application/json"})
        offer = msgspec.convert(_answer("offer", page), PaymentOffer)
        if self._nonce is None:
            self._nonce = await self._fetch_nonce()
        transaction = self._wallet.pay(offer, self._nonce)
        started = monotonic()
        try:
            await self._post(offer.order_id, encode(transaction).hex())
            self._nonce += 1
        except (StepRefused, httpx.HTTPError):
            self._nonce = None  # Whatever became of it, the node knows the next number.
            raise
        verdict = await self._validate(transaction.id.hex(), offer.amount.myr)
        return PurchaseRecord(
            at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            shopper=self.number,
            order_id=offer.order_id,
            tx_hash=transaction.id.hex(),
            valid=verdict["valid"] is True,
            latency_ms=round((monotonic() - started) * 1_000),
            error=None if verdict["error"] is None else str(verdict["error"]),
        )

    async def _fetch_nonce(self) -> int:
        address = self._wallet.address_text(self._config.prefix)
        account = _answer("account", await self._http.get(f"/api/v1/accounts/{address}"))
        return msgspec.convert(account["nonce"], int)

    async def _post(self, order_id: str, raw_hex: str) -> None:
        body = {"transaction": raw_hex}
        _answer("payment", await self._http.post(f"/api/v1/orders/{order_id}/payment", json=body))

    async def _validate(self, txid: str, expected_myr: str) -> dict[str, object]:
        body = {"txHash": txid, "expectedAmount": expected_myr}
        answer = await self._http.post(
            "/api/v1/payments/validate", json=body, headers={**self._till, "Prefer": "wait=3"}
        )
        return _answer("validate", answer)


def _answer(step: str, response: httpx.Response) -> dict[str, object]:
    """Give an answer's members; raise `StepRefused` with the service's code for a refusal."""
    try:
        members = msgspec.json.decode(response.content, type=dict[str, object])
    except msgspec.DecodeError:
        members = {}
    if response.is_success and members:
        return members
    raise StepRefused(step, response.status_code, str(members.get("code", "NO_PROBLEM_GIVEN")))


def _log(level: str, event: str, **fields: object) -> None:
    """Write one JSON line to stderr."""
    line = {
        "@timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "log.level": level,
        "message": event,
        "service.name": "shopper",
        **fields,
    }
    sys.stderr.write(json.dumps(line) + "\n")
    sys.stderr.flush()


def pause_after(fault: Exception, pause_s: float, interval_s: float) -> float:
    """Tell how long a shopper waits after a purchase that failed, given the pause before it.

    Twice as long as before, up to a bound. For milk nobody backs off: nothing is wrong with a shelf
    that is empty.
    """
    if isinstance(fault, StepRefused) and fault.code == OUT_OF_STOCK:
        return min(interval_s, STOCK_S)
    return min(max(pause_s, 0.5) * 2, max(BACK_OFF_S_MAX, interval_s))


async def _shop(shopper: Shopper, book: Ledgerbook, interval_s: float, stop: asyncio.Event) -> None:
    """Buy at the interval until told to stop, slower after every failure in a row."""
    pause_s = interval_s
    while not stop.is_set():
        try:
            purchase = await shopper.buy()
            book.record(purchase)
            pause_s = interval_s
            _log("info", "purchase", **msgspec.to_builtins(purchase))
        except (StepRefused, httpx.HTTPError, msgspec.ValidationError) as fault:
            pause_s = pause_after(fault, pause_s, interval_s)
            _log("warning", "purchase failed", shopper=shopper.number, fault=repr(fault))
        try:
            async with asyncio.timeout(pause_s):
                await stop.wait()
        except TimeoutError:
            continue


async def shop(home: Path, config: ShopperConfig, stop: asyncio.Event) -> None:
    """Let all shoppers of a home buy until `stop` is set."""
    book = Ledgerbook(home)
    book.restore()
    book.write_summary()
    interval_s = config.interval_ms / 1_000
    async with (
        httpx.AsyncClient(
            base_url=config.api_url, timeout=REQUEST_TIMEOUT_S, trust_env=False
        ) as http,
        asyncio.TaskGroup() as group,
    ):
        for number in range(config.shoppers):
            wallet = Wallet.keep(key_path(home, number))
            group.create_task(_shop(Shopper(number, config, wallet, http), book, interval_s, stop))


async def _run(home: Path, config: ShopperConfig) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await shop(home, config, stop)


def run(home: Path) -> int:
    """Run the shoppers of a home until SIGTERM or SIGINT; give the exit code."""
    path = home / CONFIG_FILE
    try:
        config = msgspec.convert(read_toml(path), ShopperConfig)
        if config.api_url:
            check_url(config.api_url)
    except BadConfig as fault:
        sys.stderr.write(f"shopper: {fault}\n")
        return 1
    except msgspec.ValidationError as error:
        sys.stderr.write(f"shopper: {path}: {error}\n")
        return 1
    if not config.api_url or not 1 <= config.shoppers <= SHOPPERS_MAX:
        sys.stderr.write(f"shopper: {path} names no api_url, or not 1 to {SHOPPERS_MAX} shoppers\n")
        return 1
    try:
        with owned(home):
            asyncio.run(_run(home, config))
    except (HomeTaken, OSError) as error:
        text = explain_environment(error) if is_environment(error) else str(error)
        sys.stderr.write(f"shopper: {text}\n")
        return 1
    return 0
