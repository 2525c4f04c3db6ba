"""Tills in JSON: pairing, tokens, shifts, and what their manager sees."""

from typing import Annotated

import msgspec
from msgspec import Meta

from api.amounts import format_sen
from api.http.pages import PageQuery
from api.http.scalars import LINE, MyrText, TimeText, UlidText
from api.http.unlogged import UNLOGGED
from api.people.proof_texts import Bytes32, Nonce, Pin, SignatureText, StaffCode
from api.people.tokens import STEP_UP_S, TOKEN_S
from api.terminals.model import TerminalState
from api.terminals.rules import STEP_UP_EACH_SEN_MAX, STEP_UP_SHIFT_SEN_MAX

Label = Annotated[str, Meta(min_length=1, max_length=40, pattern=LINE)]
Letter = Annotated[str, Meta(pattern="^[A-Z]$", description="Of its tickets, as in A-27.")]
PairingCode = Annotated[
    str, Meta(min_length=8, max_length=16, examples=["7KQ2-M4XN"], extra=UNLOGGED)
]
FourDigits = Annotated[str, Meta(pattern="^[0-9]{4}$", extra=UNLOGGED)]


class TerminalView(msgspec.Struct, frozen=True, rename="camel"):
    """A till. `match` is there while its manager has to compare it."""

    id: UlidText
    merchant_id: UlidText
    label: str
    letter: str
    state: TerminalState
    match: FourDigits | None
    created_at: TimeText
    paired_at: TimeText | None


class NewTerminalBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A till to be paired."""

    label: Label
    letter: Letter = "A"


class NewTerminalView(msgspec.Struct, frozen=True, rename="camel"):
    """A till, and the code that is typed or scanned at it: once, within two minutes."""

    terminal: TerminalView
    pairing_code: str
    expires_at: TimeText


class TillCard(msgspec.Struct, frozen=True, rename="camel"):
    """A till as events show it."""

    id: UlidText
    label: str
    letter: str
    state: TerminalState


class TerminalsQuery(PageQuery, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """All tills of the merchant."""


class PairBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A till's code, and SHA-256(public key || nonce): it binds the till to what it shows next."""

    code: PairingCode
    commitment: Bytes32


class PairedView(msgspec.Struct, frozen=True, rename="camel"):
    """Where the till goes on, and the service's nonce for the four digits."""

    terminal_id: UlidText
    merchant_id: UlidText
    union_id: UlidText
    server_nonce: Bytes32
    expires_at: TimeText


class TerminalKeyBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The key and nonce that the till has committed to."""

    public_key: Bytes32
    nonce: Nonce


class TerminalStateView(msgspec.Struct, frozen=True, rename="camel"):
    """Where a till stands. It computes its four digits by itself, and shows them."""

    terminal_id: UlidText
    state: TerminalState


class ConfirmBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The digits that the manager has read on the till's screen."""

    match: FourDigits


class TerminalProofBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A challenge, signed by the till's key."""

    nonce: Nonce
    expires_ms: int
    signature: SignatureText


class TerminalTokenView(msgspec.Struct, frozen=True, rename="camel"):
    """A till's token; the shift at it goes on with it."""

    access_token: str
    token_type: str
    expires_in: Annotated[int, Meta(description="Seconds.")]

    @classmethod
    def of(cls, token: str) -> "TerminalTokenView":
        """Show a token."""
        return cls(token, "Bearer", TOKEN_S)


class StaffPinBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Who works at the till: a till shows no names."""

    staff_code: StaffCode
    pin: Pin


class CashierSessionView(msgspec.Struct, frozen=True, rename="camel"):
    """A shift, and the till's token with it."""

    id: UlidText
    opened_at: TimeText
    access_token: str
    token_type: str
    expires_in: Annotated[int, Meta(description="Seconds.")]


class StepUpView(msgspec.Struct, frozen=True, rename="camel"):
    """A till's token with which its cashier may refund, and how much."""

    access_token: str
    token_type: str
    expires_in: Annotated[int, Meta(description="Seconds.")]
    each_max: MyrText
    shift_max: MyrText

    @classmethod
    def of(cls, token: str) -> "StepUpView":
        """Show a token."""
        each, shift = format_sen(STEP_UP_EACH_SEN_MAX), format_sen(STEP_UP_SHIFT_SEN_MAX)
        return cls(token, "Bearer", STEP_UP_S, each, shift)
