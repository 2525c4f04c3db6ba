"""The testnet's signer: it pays for the kiosk from one account, for the union from another one.

One process signs for both, with limits that a demonstration does not reach by chance.
"""

from pathlib import Path
from typing import Final

from api.signing.process.config import (
    SignerConfig,
    SigningAccount,
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
    OPERATING: Units(1_000 * UNITS_PER_BILL),
    FLOAT: Units(10_000 * UNITS_PER_BILL),
}
"""What the accounts begin with."""
DAY_UNITS: Final = 500 * UNITS_PER_BILL


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
        limits=tuple(limit for account in accounts for limit in usual_limits(account.name)),
    )
    prepare(home, (), config)


def account_text(home: Path, name: str, prefix: str) -> str:
    """Write one of the signer's accounts for people."""
    return format_address(identify(home, name).address, prefix)
