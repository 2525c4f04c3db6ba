"""Milk on its way: tanks, packs, lots and challenges that the law refuses."""

from ledger.errors.base import Refused


class MilkRefused(Refused):
    """Something about milk that the law refuses."""

    code = "milk_refused"


class UnknownTank(MilkRefused):
    """There is no such tank."""

    code = "unknown_tank"
    text = "there is no tank {tank}"


class ForeignTank(MilkRefused):
    """The tank is another's."""

    code = "foreign_tank"
    text = "tank {tank} is another MMU's"


class ShortTank(MilkRefused):
    """The tank holds less."""

    code = "short_tank"
    text = "tank {tank} holds {held} units, {units} are wanted"


class ForeignLot(MilkRefused):
    """The lot is another MMU's."""

    code = "foreign_lot"
    text = "lot {lot} is another MMU's"


class UnsoundLot(MilkRefused):
    """The lot is frozen or recalled."""

    code = "unsound_lot"
    text = "lot {lot} is {status}"


class FreshLot(MilkRefused):
    """The lot is neither expired nor recalled, as this asks."""

    code = "fresh_lot"
    text = "lot {lot} is not {reason}"


class DeficitOpen(MilkRefused):
    """The MMU has tokens out whose milk is gone: it covers them first."""

    code = "deficit_open"
    text = "{deficit} units of this MMU's tokens lack their milk"


class LowBond(MilkRefused):
    """The MMU has too little at stake to mint."""

    code = "low_bond"
    text = "a bond of {bond} units, at least {least} are asked of who mints"


class ShortBond(MilkRefused):
    """The bond is smaller."""

    code = "short_bond"
    text = "the bond is {bond} units, {units} are asked back"


class ShortReserve(MilkRefused):
    """The reserve can't pay for so much of a lot for which nobody vouches."""

    code = "short_reserve"
    text = "lot {lot}: the reserve can pay for {reserve} units, {units} are to go"


class LowDeposit(MilkRefused):
    """A challenge's deposit is too low."""

    code = "low_deposit"
    text = "a deposit of {got} units, at least {least} are asked"


class ChallengedAlready(MilkRefused):
    """The sender's challenge of the lot is open."""

    code = "challenged_already"
    text = "the sender challenged lot {lot} already"


class NotChallenged(MilkRefused):
    """No such challenge of the lot is open."""

    code = "not_challenged"
    text = "no challenge of lot {lot} by {challenger} is open"


class FalseUnitsOverLot(MilkRefused):
    """A ruling finds more missing than the lot has."""

    code = "false_units_over_lot"
    text = "{false_units} units of lot {lot} can't be missing: it has {units}"
