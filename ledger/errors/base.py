"""The roots of the tree, and what keeps a transaction out of every block."""

from typing import ClassVar


class InvariantBroken(AssertionError):
    """The ledger's own books do not agree: a bug, never a user's doing."""


class LedgerFault(Exception):
    """Something that the law refuses: a stable code, a sentence, and its numbers."""

    code: ClassVar[str] = "ledger_fault"
    text: ClassVar[str] = "the ledger refuses this"

    def __init__(self, **numbers: int | str) -> None:
        self.numbers = numbers
        super().__init__(self.text.format(**numbers))


class Unincludable(LedgerFault):
    """A transaction that can't stand in a block: it could not even pay its fee."""

    code = "unincludable"


class WrongChain(Unincludable):
    """The transaction was signed for another chain."""

    code = "wrong_chain"
    text = "signed for chain {got}, this is chain {expected}"


class BadPolicy(Unincludable):
    """The sender's keys and threshold make no policy."""

    code = "bad_policy"
    text = "the sender's policy does not hold: {why}"


class BadPlaces(Unincludable):
    """Signatures do not match the policy's places: ascending, exactly the threshold."""

    code = "bad_signature_places"
    text = "{got} signatures where the policy wants exactly {expected}, in ascending places"


class BadSignature(Unincludable):
    """A signature does not hold. Raised by whoever verifies, outside the rules."""

    code = "bad_signature"
    text = "a signature does not hold: number {index} of {count}"


class FeeTooLow(Unincludable):
    """The fee is below the minimum."""

    code = "fee_too_low"
    text = "a fee of {got} units, at least {least} are asked"


class TransactionExpired(Unincludable):
    """The height until which the transaction was valid has passed."""

    code = "transaction_expired"
    text = "valid until height {valid_until}, the next is {height}"


class BadNonce(Unincludable):
    """The sender's next nonce is another one."""

    code = "bad_nonce"
    text = "nonce {got}, the sender's next is {expected}"


class CannotPayFee(Unincludable):
    """The sender has less than the fee."""

    code = "cannot_pay_fee"
    text = "a fee of {fee} units, the sender has {units}"


class SenderFrozen(Unincludable):
    """A regulator froze the sender's account: nothing leaves it, not even a fee."""

    code = "sender_frozen"
    text = "the account {address} is frozen"


class Refused(LedgerFault):
    """A transaction whose body has no effect; its fee is paid and its nonce used."""

    code = "refused"


class CountOverflow(Refused):
    """A record would hold more than can be counted, or written down."""

    code = "count_overflow"
    text = "a record of table {table} would hold more than can be counted: {why}"
