"""What may become of a signing request: one table, and what a signer's bytes must be. Pure.

A pair that is not in the table does not happen. `checked` holds bytes against the request: the
service takes none from a signer but those that it asked for, so that neither can fool the other.
"""

from collections.abc import Mapping
from typing import Final

from api.signing.model import SigningEvent, SigningRequest, SigningState
from api.signing.wire import SignRefund, transfer_for
from ledger.primitives.errors import CodecFault
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import format_address, verify_many
from ledger.types.transaction import Transaction, decode_transaction
from ledger.types.transfer import Transfer

_E: Final = SigningEvent
_S: Final = SigningState

TABLE: Final[Mapping[tuple[SigningState, SigningEvent], SigningState]] = {
    (_S.OPEN, _E.LEASE): _S.LEASED,
    (_S.LEASED, _E.LEASE): _S.LEASED,
    # A signer that comes late with what it signed is heard, also when its lease is over.
    (_S.OPEN, _E.SIGN): _S.SIGNED,
    (_S.LEASED, _E.SIGN): _S.SIGNED,
    (_S.OPEN, _E.REFUSE): _S.REFUSED,
    (_S.LEASED, _E.REFUSE): _S.REFUSED,
    (_S.OPEN, _E.GIVE_UP): _S.EXPIRED,
    (_S.LEASED, _E.GIVE_UP): _S.EXPIRED,
    (_S.SIGNED, _E.SUBMIT): _S.SUBMITTED,
    (_S.SUBMITTED, _E.SUBMIT): _S.SUBMITTED,
    (_S.SIGNED, _E.SETTLE): _S.FINAL,
    (_S.SUBMITTED, _E.SETTLE): _S.FINAL,
    (_S.SIGNED, _E.LAPSE): _S.EXPIRED,
    (_S.SUBMITTED, _E.LAPSE): _S.EXPIRED,
}
ABROAD: Final = frozenset({_S.SIGNED, _S.SUBMITTED})
"""Signed bytes are there: only the chain ends these."""


class UnwantedBytes(Exception):
    """What was handed over is not what was asked for. `code` says why, for programs."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


def after(state: SigningState, event: SigningEvent) -> SigningState | None:
    """Give the state after an event; None if it doesn't happen in this state."""
    return TABLE.get((state, event))


def checked(raw: bytes, request: SigningRequest, chain_id: Hash, prefix: str) -> Transaction:
    """Read the bytes of a request; raise `UnwantedBytes` if they are not what it asks for."""
    try:
        made = decode_transaction(raw)
    except CodecFault as fault:
        raise UnwantedBytes("NOT_A_TRANSACTION", str(fault)) from fault
    intent, body = made.intent, made.intent.body
    if intent.chain_id != chain_id or made.sender != request.account:
        raise UnwantedBytes("WRONG_SENDER", "it is of another chain or another account")
    if not isinstance(body, Transfer) or body != transfer_for(request.what, body.to):
        raise UnwantedBytes("WRONG_TRANSFER", "it is not the transfer that was asked for")
    named = None if isinstance(request.what, SignRefund) else request.what.to
    if named is not None and format_address(body.to, prefix) != named:
        raise UnwantedBytes("WRONG_PAYEE", "it pays another account than was asked")
    try:
        claims = made.signature_claims()
    except IndexError:
        claims = []
    if len(claims) != intent.sender.threshold or not all(verify_many(claims)):
        raise UnwantedBytes("BAD_SIGNATURE", "its signature does not hold")
    return made


def id_of(raw: bytes) -> bytes | None:
    """Give the id of bytes that were handed over; None if they are no transaction."""
    try:
        return decode_transaction(raw).id
    except CodecFault:
        return None
