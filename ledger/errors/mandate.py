"""Mandates and charges that the law refuses. A refused charge leaves its period open."""

from ledger.errors.base import Refused


class MandateRefused(Refused):
    """A mandate or charge that the law refuses."""

    code = "mandate_refused"


class UnknownMandate(MandateRefused):
    """There is no such mandate, or it was cancelled."""

    code = "unknown_mandate"
    text = "there is no mandate {mandate}"


class ForeignMandate(MandateRefused):
    """The mandate is between others."""

    code = "foreign_mandate"
    text = "the sender may not do this with mandate {mandate}"


class PayerFrozen(MandateRefused):
    """The payer's account is frozen: nothing is deducted from it."""

    code = "payer_frozen"
    text = "the payer {payer} is frozen"


class MandateOver(MandateRefused):
    """The mandate's end has come."""

    code = "mandate_over"
    text = "the mandate ends at {end_ms} ms, it is {time_ms} ms"


class PeriodCharged(MandateRefused):
    """This period was charged."""

    code = "period_charged"
    text = "period {period} was charged already"


class OverChargeCap(MandateRefused):
    """The charge passes the cap of a period."""

    code = "over_charge_cap"
    text = "a charge of {units} units, the cap is {most}"


class OverTotalCap(MandateRefused):
    """The charge passes the cap of the whole mandate."""

    code = "over_total_cap"
    text = "{units} units in all, the cap is {most}"
