"""Holdings: which account of the law holds the units that stand in which records.

One list for the check after every block and for the audit. Nobody can pay into these accounts, so
they hold exactly what their records say.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ledger.primitives.keys import Address
from ledger.state.tables import (
    ATTESTOR_BONDS,
    BONDS_ACCOUNT,
    CHALLENGES,
    DEALS,
    DEPOSITS_ACCOUNT,
    ESCROW_ACCOUNT,
    LOCKED_ACCOUNT,
    MMUS,
    MODULE_ACCOUNTS,
    PROVEN,
    QUESTIONS,
    REWARDS_ACCOUNT,
    STAKE_ACCOUNT,
    SUBSIDY,
    SUBSIDY_ACCOUNT,
    UNBONDING,
    VALIDATORS,
)


@dataclass(frozen=True, slots=True)
class Holding:
    """Units that stand in records of one table and must lie in one account of the law."""

    prefix: bytes
    account: Address
    units: Callable[[bytes], int]


HOLDINGS: Final = (
    Holding(VALIDATORS.prefix, STAKE_ACCOUNT, lambda raw: VALIDATORS.decode(raw).stake_units),
    Holding(UNBONDING.prefix, STAKE_ACCOUNT, lambda raw: UNBONDING.decode(raw).units),
    Holding(MMUS.prefix, BONDS_ACCOUNT, lambda raw: MMUS.decode(raw).bond_units),
    Holding(
        ATTESTOR_BONDS.prefix, BONDS_ACCOUNT, lambda raw: ATTESTOR_BONDS.decode(raw).bond_units
    ),
    Holding(QUESTIONS.prefix, DEPOSITS_ACCOUNT, lambda raw: QUESTIONS.decode(raw).deposit_units),
    Holding(CHALLENGES.prefix, DEPOSITS_ACCOUNT, lambda raw: CHALLENGES.decode(raw).deposit_units),
    Holding(SUBSIDY.prefix, SUBSIDY_ACCOUNT, lambda raw: SUBSIDY.decode(raw).pool_units),
    Holding(DEALS.prefix, ESCROW_ACCOUNT, lambda raw: DEALS.decode(raw).units),
    Holding(PROVEN.prefix, LOCKED_ACCOUNT, lambda raw: PROVEN.decode(raw).locked_units),
    Holding(VALIDATORS.prefix, REWARDS_ACCOUNT, lambda raw: VALIDATORS.decode(raw).rewards_units),
)
"""What each account of the law holds, and for whom."""

ACCOUNT_NAMES: Final = {address: name for name, address in MODULE_ACCOUNTS.items()}

HOLDINGS_OF: Final = {
    prefix: tuple(holding for holding in HOLDINGS if holding.prefix == prefix)
    for prefix in {holding.prefix for holding in HOLDINGS}
}
"""By prefix."""
