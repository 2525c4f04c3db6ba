"""Subsidy: a funded pool pays farmers for their part of a lot (spec §14).

A licensed farmer's part of a lot is worth `rate` a litre, in tokens at the last price, under a
cap a month. After every block the oldest claims are paid, `CLAIMS_PAID_MAX` at most; what the pool
can't pay waits for more funding.
Invariant: the pool's account holds funded - paid.
"""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from ledger.errors.money import ZeroUnits
from ledger.params import DAY_MS
from ledger.primitives.amounts import Units
from ledger.primitives.keys import Address
from ledger.rules.context import BlockContext, Call
from ledger.rules.law import Law
from ledger.rules.price import last_price
from ledger.state.market import FarmMonth, Subsidy, SubsidyClaim
from ledger.state.names import epoch_name
from ledger.state.overlay import Overlay, Reader
from ledger.state.records import Role
from ledger.state.tables import CLAIMS, FARM_MONTHS, SUBSIDY, SUBSIDY_ACCOUNT, has_role, pay
from ledger.types.price import FundSubsidy, SetSubsidy

MONTH_MS: Final = 30 * DAY_MS
CLAIMS_PAID_MAX: Final = 64
"""The most waiting claims that one block pays."""


def subsidy_of(reader: Reader) -> Subsidy:
    """Give the pool; before anyone funds it, it is empty and pays nothing."""
    return SUBSIDY.get(reader) or Subsidy()


def claim_subsidies(
    overlay: Overlay, context: BlockContext, parts: Sequence[tuple[Address, int]]
) -> None:
    """Claim for each farm's part of a lot."""
    state, price = subsidy_of(overlay), last_price(overlay)
    if not state.rate or price is None:
        return
    for farm, milk_units in parts:
        if has_role(overlay, Role.FARMER, farm):
            _claim(overlay, context, farm, milk_units * state.rate // price)


def _claim(overlay: Overlay, context: BlockContext, farm: Address, units: int) -> None:
    state, month = subsidy_of(overlay), context.time_ms // MONTH_MS
    before = FARM_MONTHS.get(overlay, farm)
    had = before.units if before and before.month == month else 0
    units = min(units, max(0, state.month_units_max - had))
    if units:
        FARM_MONTHS.put(overlay, FarmMonth(month, Units(had + units)), farm)
        CLAIMS.put(overlay, SubsidyClaim(farm, Units(units)), epoch_name(state.tail))
        claimed = Units(state.claimed_units + units)
        SUBSIDY.put(overlay, replace(state, tail=state.tail + 1, claimed_units=claimed))


def pay_claims(overlay: Overlay) -> None:
    """After a block, pay the oldest claims, the last of them in part if the pool ends there."""
    for _ in range(CLAIMS_PAID_MAX):
        state = subsidy_of(overlay)
        if state.head == state.tail or not state.pool_units:
            return
        name = epoch_name(state.head)
        claim = CLAIMS.get(overlay, name)
        assert claim is not None, "claims between head and tail wait"
        units = min(claim.units, state.pool_units)
        pay(overlay, SUBSIDY_ACCOUNT, claim.farm, units)
        if units == claim.units:
            CLAIMS.remove(overlay, name)
            state = replace(state, head=state.head + 1)
        else:
            CLAIMS.put(overlay, SubsidyClaim(claim.farm, Units(claim.units - units)), name)
        SUBSIDY.put(overlay, replace(state, paid_units=Units(state.paid_units + units)))


def apply_fund(overlay: Overlay, context: BlockContext, call: Call, body: FundSubsidy) -> None:
    """Fill the pool, which pays who waits after every block."""
    if body.units == 0:
        raise ZeroUnits
    pay(overlay, call.sender, SUBSIDY_ACCOUNT, body.units)
    state = subsidy_of(overlay)
    SUBSIDY.put(overlay, replace(state, funded_units=Units(state.funded_units + body.units)))


def apply_set_subsidy(
    overlay: Overlay, context: BlockContext, call: Call, body: SetSubsidy
) -> None:
    """Set rate and cap, for mints from now on."""
    changed = replace(subsidy_of(overlay), rate=body.rate, month_units_max=body.month_units_max)
    SUBSIDY.put(overlay, changed)


SUBSIDY_LAWS: Final = (
    Law(FundSubsidy, apply_fund),
    Law(SetSubsidy, apply_set_subsidy, by=(Role.TREASURY,)),
)
