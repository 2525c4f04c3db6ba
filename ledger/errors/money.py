"""Payments that the law refuses: what is paid, with which milk, and to whom."""

from ledger.errors.base import Refused


class MoneyRefused(Refused):
    """A payment that can't be made."""

    code = "money_refused"


class ZeroUnits(MoneyRefused):
    """Nothing to move, redeem or mint."""

    code = "zero_units"
    text = "zero units: there is nothing to move"


class ClosedAccount(MoneyRefused):
    """The account belongs to the law itself: nobody can pay into it or act for it."""

    code = "closed_account"
    text = "account {address} is opened by no key"


class TooLittleMoney(MoneyRefused):
    """The sender has less than it wants to pay."""

    code = "insufficient_funds"
    text = "{needed} units to pay, the sender has {units}"


class RedeemsTooMuch(MoneyRefused):
    """A payment that redeems more than it pays."""

    code = "redeems_too_much"
    text = "redeems {redeemed} units of a payment of {units}"


class UnorderedBasket(MoneyRefused):
    """The redemptions of a payment do not stand in ascending order of lot, each lot once."""

    code = "unordered_basket"
    text = "redemptions stand in ascending order of lot, each lot once: {lot} does not"


class UnknownLot(MoneyRefused):
    """There is no such lot."""

    code = "unknown_lot"
    text = "there is no lot {lot}"


class ExpiredLot(MoneyRefused):
    """The lot's milk is past its date."""

    code = "expired_lot"
    text = "lot {lot} expired at {expires_ms} ms, it is {time_ms} ms"


class ShortLot(MoneyRefused):
    """The lot holds less than is to be redeemed."""

    code = "short_lot"
    text = "lot {lot} has {remaining} units left, {units} are wanted"
