"""The rules of tills: pure.

pairing  confirm  active
active   lock     locked      a manager's act, or too many wrong PINs
locked   unlock   active
any      revoke   revoked     for ever
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from api.terminals.model import TerminalEvent, TerminalState

TRANSITIONS: Final[Mapping[tuple[TerminalState, TerminalEvent], TerminalState]] = {
    (TerminalState.PAIRING, TerminalEvent.CONFIRM): TerminalState.ACTIVE,
    (TerminalState.ACTIVE, TerminalEvent.LOCK): TerminalState.LOCKED,
    (TerminalState.LOCKED, TerminalEvent.UNLOCK): TerminalState.ACTIVE,
    (TerminalState.PAIRING, TerminalEvent.REVOKE): TerminalState.REVOKED,
    (TerminalState.ACTIVE, TerminalEvent.REVOKE): TerminalState.REVOKED,
    (TerminalState.LOCKED, TerminalEvent.REVOKE): TerminalState.REVOKED,
}

PAIRING_MS: Final = 120_000
SHIFT_MS: Final = 16 * 3_600_000
"""A shift that nobody ended is over after this long."""
NONCE_BYTES: Final = 32
STEP_UP_EACH_SEN_MAX: Final = 50_00
STEP_UP_SHIFT_SEN_MAX: Final = 200_00
_MATCH: Final = b"BILLCOIN/match/1"


def next_state(state: TerminalState, event: TerminalEvent) -> TerminalState | None:
    """Give the state after an event; None if it may not happen now."""
    return TRANSITIONS.get((state, event))


def commitment_of(public_key: bytes, terminal_nonce: bytes) -> bytes:
    """Give what a till sends first: it binds it to a key that it doesn't show yet."""
    return sha256(public_key + terminal_nonce).digest()


def match_digits(public_key: bytes, terminal_nonce: bytes, server_nonce: bytes) -> str:
    """Give the four digits that both sides compute.

    The till commits to its key and nonce before it knows the service's nonce, and shows them after.
    So who stands between cannot search for a key of his own that gives the same digits: he has one
    chance in ten thousand, before the eyes of the manager.
    """
    raw = sha256(_MATCH + public_key + terminal_nonce + server_nonce).digest()
    return f"{int.from_bytes(raw[:8], 'big') % 10_000:04d}"


def step_up_fault(refund_sen: int, spent_sen: int) -> str:
    """Say why a manager's PIN does not cover a refund; empty if it does."""
    if refund_sen > STEP_UP_EACH_SEN_MAX:
        return "a refund above RM 50.00 takes a manager's own login and a second person"
    if spent_sen + refund_sen > STEP_UP_SHIFT_SEN_MAX:
        return "the refunds of this shift reach RM 200.00: a manager's own login goes on"
    return ""
