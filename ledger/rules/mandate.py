"""Mandates: a payer lets a merchant deduct once a period, within caps (spec §16).

In tokens a litre the charge is known from the start; in ringgit a litre its units follow the
oracle, and it stops while the price is stale. A charge that would pass a cap, or that the payer
can't pay, is refused whole: nothing is ever overdrawn, and the period stays open. The payer ends
it at once.
"""

from typing import Final

from msgspec.structs import replace

from ledger.errors.mandate import (
    ForeignMandate,
    MandateOver,
    OverChargeCap,
    OverTotalCap,
    PayerFrozen,
    PeriodCharged,
    UnknownMandate,
)
from ledger.errors.money import RedeemsTooMuch, ZeroUnits
from ledger.primitives.amounts import UNITS_PER_BILL, Units
from ledger.primitives.hashing import Domain, Hash
from ledger.primitives.keys import Address
from ledger.rules.context import BlockContext, Call
from ledger.rules.law import Law, require_role
from ledger.rules.lots import check_basket, redeem_basket
from ledger.rules.price import fresh_price
from ledger.state.market import Mandate
from ledger.state.overlay import Overlay, Reader
from ledger.state.records import Role
from ledger.state.tables import MANDATES, account, debit, pay
from ledger.types.mandate import CancelMandate, ChargeMandate, GrantMandate, PriceMode


def check_grant_mandate(reader: Reader, call: Call, body: GrantMandate) -> None:
    """Raise unless a merchant is named and something may be charged."""
    require_role(reader, body.merchant, Role.MERCHANT)
    if 0 in (body.milk_units, body.charge_units_max, body.total_units_max):
        raise ZeroUnits


def apply_grant_mandate(
    overlay: Overlay, context: BlockContext, call: Call, body: GrantMandate
) -> None:
    """Begin a mandate, named by its transaction; its first period begins now."""
    check_grant_mandate(overlay, call, body)
    if body.end_ms <= context.time_ms:
        raise MandateOver(end_ms=body.end_ms, time_ms=context.time_ms)
    mandate = Mandate(
        call.sender,
        body.merchant,
        body.period_ms,
        body.milk_units,
        body.mode,
        body.price,
        body.charge_units_max,
        body.total_units_max,
        context.time_ms,
        body.end_ms,
    )
    MANDATES.put(overlay, mandate, call.name(Domain.MANDATE))


def find_mandate(reader: Reader, name: Hash) -> Mandate:
    """Give a mandate; raise `UnknownMandate` if there is none."""
    mandate = MANDATES.get(reader, name)
    if mandate is None:
        raise UnknownMandate(mandate=name.hex())
    return mandate


def charge_units(reader: Reader, mandate: Mandate, time_ms: int) -> int:
    """Give what a period costs now, in whole units; raise if there is no price to go by."""
    match mandate.mode:
        case PriceMode.TOKENS_A_LITRE:
            per = UNITS_PER_BILL
        case PriceMode.RINGGIT_A_LITRE:
            per = fresh_price(reader, time_ms)
    return mandate.milk_units * mandate.price // per


def check_charge(reader: Reader, call: Call, body: ChargeMandate) -> Mandate:
    """Raise unless the sender's mandate binds a payer who is free to pay; give the mandate."""
    mandate = find_mandate(reader, body.mandate)
    if mandate.merchant != call.sender:
        raise ForeignMandate(mandate=body.mandate.hex())
    if account(reader, Address(mandate.payer)).frozen:
        raise PayerFrozen(payer=mandate.payer.hex())
    check_basket(reader, body.redeem)
    return mandate


def apply_charge(overlay: Overlay, context: BlockContext, call: Call, body: ChargeMandate) -> None:
    """Deduct one period's charge, or refuse it whole."""
    mandate = check_charge(overlay, call, body)
    if context.time_ms >= mandate.end_ms:
        raise MandateOver(end_ms=mandate.end_ms, time_ms=context.time_ms)
    period = (context.time_ms - mandate.start_ms) // mandate.period_ms
    if period < mandate.charged_until:
        raise PeriodCharged(period=period)
    units = charge_units(overlay, mandate, context.time_ms)
    _check_caps(mandate, units)
    _collect(overlay, context, mandate, body, units)
    changed = replace(
        mandate,
        charged_units=Units(mandate.charged_units + units),
        charged_until=period + 1,
        charges=mandate.charges + 1,
        charged_ms=context.time_ms,
    )
    MANDATES.put(overlay, changed, body.mandate)


def _check_caps(mandate: Mandate, units: int) -> None:
    if units == 0:
        raise ZeroUnits
    if units > mandate.charge_units_max:
        raise OverChargeCap(units=units, most=mandate.charge_units_max)
    if (total := mandate.charged_units + units) > mandate.total_units_max:
        raise OverTotalCap(units=total, most=mandate.total_units_max)


def _collect(
    overlay: Overlay, context: BlockContext, mandate: Mandate, body: ChargeMandate, units: int
) -> None:
    burned = redeem_basket(overlay, context, body.redeem)
    if burned > units:
        raise RedeemsTooMuch(redeemed=burned, units=units)
    pay(overlay, Address(mandate.payer), Address(mandate.merchant), units)
    debit(overlay, Address(mandate.merchant), burned)


def apply_cancel(overlay: Overlay, context: BlockContext, call: Call, body: CancelMandate) -> None:
    """End a mandate at its payer's word; anyone may clear away one whose time is over."""
    mandate = find_mandate(overlay, body.mandate)
    if mandate.payer != call.sender and context.time_ms < mandate.end_ms:
        raise ForeignMandate(mandate=body.mandate.hex())
    MANDATES.remove(overlay, body.mandate)


MANDATE_LAWS: Final = (
    Law(
        GrantMandate,
        apply_grant_mandate,
        check_grant_mandate,
        names=lambda body: (body.merchant,),
    ),
    Law(ChargeMandate, apply_charge, check_charge, by=(Role.MERCHANT,)),
    Law(CancelMandate, apply_cancel),
)
