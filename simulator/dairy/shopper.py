"""Simulated shoppers: each buys milk every few seconds over the public HTTP interface.

A purchase is what a till and a phone do together: the till opens an order, the phone reads what
the QR leads to, signs with a key of its own and posts the transaction, and the till asks for
validation. The time from posting to the validated answer is the latency that a customer waits.

A home holds `config.toml`, one `shopper-N.key` a shopper, and what they leave behind
(`simulator.dairy.record`). A shopper never stops for a refusal or a lost connection: it tells of
it, backs off, and asks for its nonce again. Where the home knows the people of the union's office,
students come to the first shopper's till as well (`simulator.dairy.visits`).
"""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import msgspec
from msgspec import Struct

from ledger.primitives.keys import Address
from node.addresses import check_url
from node.environment import explain_environment, is_environment
from node.errors import BadConfig, HomeTaken
from node.home.lock import owned
from node.home.toml_file import CONFIG_FILE, format_toml, read_toml
from node.home.whole_file import write_whole
from simulator.dairy.asking import FAULTS, REQUEST_TIMEOUT_S, StepRefused, log
from simulator.dairy.customer import OUT_OF_STOCK, Shopper
from simulator.dairy.office import Office, read_officer
from simulator.dairy.record import Ledgerbook, PurchaseRecord
from simulator.dairy.student import Student
from simulator.dairy.till import KioskTill
from simulator.dairy.visits import Visits
from simulator.dairy.wallet import Wallet

SHOPPERS_MAX: Final = 64
BACK_OFF_S_MAX: Final = 10.0
STOCK_S: Final = 1.0
"""How often a shopper looks whether milk has come, at least."""


class ShopperConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Where to buy, as whom, what, and how often."""

    api_url: str
    api_key: str
    prefix: str = "dbill"
    product: str = "whole-200"
    interval_ms: int = 7_000
    shoppers: int = 1
    people_file: str = ""
    """From the home: who works at the union's office. Without it no students come."""


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
    people_file: str = "",
) -> ShopperIdentity:
    """Make or renew a shopper's home; keys stay, the configuration is rewritten.

    Accounts must be known before the genesis and the interface's key only after it, so a network
    calls this twice: first for the addresses, then with `api_url` and `api_key`.
    """
    assert 1 <= shoppers <= SHOPPERS_MAX, shoppers
    home.mkdir(parents=True, exist_ok=True)
    addresses = tuple(Wallet.keep(key_path(home, n)).address for n in range(shoppers))
    config = ShopperConfig(api_url, api_key, prefix, product, interval_ms, shoppers, people_file)
    text = format_toml(msgspec.to_builtins(config))
    write_whole(home / CONFIG_FILE, text.encode(), 0o600)
    return ShopperIdentity(addresses)


def pause_after(fault: Exception, pause_s: float, interval_s: float) -> float:
    """Tell how long a shopper waits after a purchase that failed, given the pause before it.

    Twice as long as before, up to a bound. For milk nobody backs off: nothing is wrong with a shelf
    that is empty.
    """
    if isinstance(fault, StepRefused) and fault.code == OUT_OF_STOCK:
        return min(interval_s, STOCK_S)
    return min(max(pause_s, 0.5) * 2, max(BACK_OFF_S_MAX, interval_s))


async def _shop(
    number: int,
    turn: Callable[[], Awaitable[PurchaseRecord]],
    book: Ledgerbook,
    interval_s: float,
    stop: asyncio.Event,
) -> None:
    """Buy at the interval until told to stop, slower after every failure in a row."""
    pause_s = interval_s
    while not stop.is_set():
        try:
            purchase = await turn()
            book.record(purchase)
            pause_s = interval_s
            log("info", "purchase", **msgspec.to_builtins(purchase))
        except (StepRefused, *FAULTS) as fault:
            pause_s = pause_after(fault, pause_s, interval_s)
            log("warning", "purchase failed", shopper=number, fault=repr(fault))
        try:
            async with asyncio.timeout(pause_s):
                await stop.wait()
        except TimeoutError:
            continue


async def shop(home: Path, config: ShopperConfig, stop: asyncio.Event) -> None:
    """Let all shoppers of a home buy until `stop` is set."""
    officer = read_officer(home / config.people_file) if config.people_file else None
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
        till = KioskTill(http, config.api_key, config.product)
        for number in range(config.shoppers):
            wallet = Wallet.keep(key_path(home, number))
            shopper = Shopper(number, till, wallet, config.prefix, http)
            turn = shopper.buy
            if number == 0 and officer is not None:
                visits = _visits(config, shopper, till, Office(http, officer), book, http)
                group.create_task(_until(stop, group.create_task(visits.errands.run())))
                turn = visits.turn
            group.create_task(_shop(number, turn, book, interval_s, stop))


def _visits(
    config: ShopperConfig,
    guest: Shopper,
    till: KioskTill,
    office: Office,
    book: Ledgerbook,
    http: httpx.AsyncClient,
) -> Visits:
    def student_of(wallet: Wallet) -> tuple[Student, Shopper]:
        student = Student(http, wallet, config.prefix)
        return student, Shopper(guest.number, till, wallet, config.prefix, http)

    return Visits(guest, till, office, book, student_of)


async def _until(stop: asyncio.Event, task: asyncio.Task[None]) -> None:
    await stop.wait()
    task.cancel()


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
    except (BadConfig, HomeTaken, OSError) as error:
        text = explain_environment(error) if is_environment(error) else str(error)
        sys.stderr.write(f"shopper: {text}\n")
        return 1
    return 0
