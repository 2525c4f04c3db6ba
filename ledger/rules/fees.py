"""Fees: charged before the body, whatever becomes of it; never burned.

A law may give the fee back for a body that was carried out (`Law.returns_fee`): then nothing of it
reaches the proposer.

The least fee counts the kilobytes that are signed: a mint with its readings costs as much as
payments of the same length together. Fees reach the proposer's owner and its delegators
(`rewards`).

A block gathers its fees and pays them at its end, so the proposer can't spend them within it.
"""

from msgspec.structs import replace

from ledger.errors.base import BadNonce, CannotPayFee, FeeTooLow, SenderFrozen
from ledger.errors.money import TooLittleMoney
from ledger.params import Parameters
from ledger.primitives.amounts import UNITS_MAX, Units
from ledger.primitives.codec import encode
from ledger.primitives.keys import Address
from ledger.rules.context import Call
from ledger.rules.rewards import reward_proposer
from ledger.state.overlay import Overlay, Reader
from ledger.state.records import Account
from ledger.state.tables import ACCOUNTS, account, credit, parameters
from ledger.types.transaction import Intent


def price_intent(intent: Intent, rules: Parameters) -> Intent:
    """Give an intent the least fee that it may have."""
    # The largest fee takes the most bytes: a fee for that length is enough for any other.
    dearest = replace(intent, fee_units=Units(UNITS_MAX))
    return replace(intent, fee_units=rules.least_fee(len(encode(dearest))))


def check_fee(reader: Reader, sender: Address, intent: Intent, nonce: int | None) -> Account:
    """Raise unless the sender may act, its nonce is next, and it can pay; give its account.

    `nonce` overrides the account's, for a sender with transactions on their way.
    """
    least = parameters(reader).least_fee(len(encode(intent)))
    if intent.fee_units < least:
        raise FeeTooLow(got=intent.fee_units, least=least)
    held = account(reader, sender)
    if held.frozen:
        raise SenderFrozen(address=sender.hex())
    expected = held.nonce if nonce is None else nonce
    if intent.nonce != expected:
        raise BadNonce(got=intent.nonce, expected=expected)
    if held.units < intent.fee_units:
        raise CannotPayFee(fee=intent.fee_units, units=held.units)
    return held


def charge_fee(overlay: Overlay, sender: Address, intent: Intent) -> None:
    """Take the fee and use the nonce; raise `Unincludable` faults and change nothing otherwise."""
    held = check_fee(overlay, sender, intent, None)
    ACCOUNTS.put(overlay, Account(Units(held.units - intent.fee_units), held.nonce + 1), sender)


def return_fee(overlay: Overlay, sender: Address, intent: Intent) -> None:
    """Give a fee back that was charged; the nonce stays used."""
    credit(overlay, sender, intent.fee_units)


def check_money(reader: Reader, call: Call, units: int) -> None:
    """Raise `TooLittleMoney` unless the sender has so many units beside the fee that is due."""
    held, needed = account(reader, call.sender).units, units + call.fee_due_units
    if held < needed:
        raise TooLittleMoney(needed=needed, units=held)


def pay_fees(overlay: Overlay, proposer: Address, units: int) -> None:
    """Pay what a block gathered to its proposer."""
    reward_proposer(overlay, proposer, units)
