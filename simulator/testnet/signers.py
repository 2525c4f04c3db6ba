"""The testnet's signer: it pays for the kiosk from one account, for the union from another one.

One process signs for both, with limits that a demonstration does not reach by chance.
"""

from pathlib import Path
from typing import Final

from msgspec.structs import replace

from api.signing.process.config import (
    SignerConfig,
    SigningAccount,
    SigningLimit,
    begin_journal,
    identify,
    key_path,
    prepare,
    usual_limits,
)
from ledger.primitives.amounts import UNITS_PER_BILL, Units
from ledger.primitives.keys import Address, format_address
from simulator.testnet.layout import Layout
from simulator.testnet.planting import Draw, plant

NAME: Final = "signer"
OPERATING: Final = "operating"
FLOAT: Final = "float"
PURSES: Final = {
    OPERATING: Units(300_000 * UNITS_PER_BILL),
    FLOAT: Units(400_000 * UNITS_PER_BILL),
}
"""What the accounts begin with: more than shoppers get of them before the opening stock is old."""
LIVELY: Final = 10
"""A testnet's day has the customers of so many days at a kiosk, who get so many times as much."""
DAY_UNITS: Final = LIVELY * 500 * UNITS_PER_BILL


def make_signer(layout: Layout, draw: Draw) -> dict[str, Address]:
    """Make the signer's home; give its accounts. The chain is new: its keys have signed nothing."""
    home = layout.home(NAME)
    for name in PURSES:
        plant(key_path(home, name), draw(f"{NAME}/{name}"))
    prepare(home, tuple(PURSES))
    found = {name: identify(home, name).address for name in PURSES}
    begin_journal(home, *found.values())
    return found


def configure_signer(
    home: Path, *, api_url: str, node_urls: tuple[str, ...], payout: str, prefix: str, port: int
) -> None:
    """Write the signer's configuration for these ports."""
    accounts = (
        SigningAccount(name=OPERATING, payout_address=payout, day_units=DAY_UNITS),
        SigningAccount(name=FLOAT, coupon_payout_addresses=(payout,), day_units=DAY_UNITS),
    )
    config = SignerConfig(
        api_url=api_url,
        node_urls=node_urls,
        prefix=prefix,
        port=port,
        accounts=accounts,
        limits=tuple(_lively(limit) for a in accounts for limit in usual_limits(a.name)),
    )
    prepare(home, (), config)


def _lively(limit: SigningLimit) -> SigningLimit:
    """Widen what a day may hold; a single payment, and a payee, get no more than usual."""
    return replace(limit, day_units=LIVELY * limit.day_units, day_count=LIVELY * limit.day_count)


def account_text(home: Path, name: str, prefix: str) -> str:
    """Write one of the signer's accounts for people."""
    return format_address(identify(home, name).address, prefix)
