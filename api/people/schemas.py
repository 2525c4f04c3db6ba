"""People in JSON: what the office writes, what a person brings, and what they are shown."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from api.access.roles import Role
from api.http.pages import PageQuery
from api.http.scalars import LINE, AddressText, TimeText, UlidText
from api.http.unlogged import UNLOGGED
from api.people.model import LinkState, NoticeKind, UserState
from api.people.proof_texts import (
    Bytes32,
    Nonce,
    OfficeCode,
    Password,
    Pin,
    SignatureText,
)

PersonName = Annotated[str, Meta(min_length=1, max_length=120, pattern=LINE)]
CardNumber = Annotated[
    str,
    Meta(
        max_length=40,
        pattern=LINE,
        description="Of the student's or staff's card.",
        extra=UNLOGGED,
    ),
]
LoginName = Annotated[
    str,
    Meta(max_length=120, pattern=LINE, description="What a password goes with.", extra=UNLOGGED),
]
Language = Annotated[str, Meta(pattern="^(en|ms)$")]
Seconds = Annotated[int, Meta(description="Seconds.")]


class RoleView(msgspec.Struct, frozen=True, rename="camel"):
    """A role, and the merchant that it is held at; null for the whole union."""

    role: Role
    merchant_id: UlidText | None = None


class UserView(msgspec.Struct, frozen=True, rename="camel"):
    """A person, as the union's office sees them."""

    id: UlidText
    union_id: UlidText
    state: UserState
    name: str
    card_number: str
    login_name: str
    language: str
    staff_code: str
    roles: list[RoleView]
    created_at: TimeText
    activated_at: TimeText | None


class InvitedView(msgspec.Struct, frozen=True, rename="camel"):
    """A person, and the code that the office hands to them: it is shown once, and good for 7 days.

    `approvals` are the roles that wait for a second person.
    """

    user: UserView
    activation_code: str
    activation_url: str
    approvals: list[UlidText]


class ChangedUserView(msgspec.Struct, frozen=True, rename="camel"):
    """A person after a change, and the roles that wait for a second person."""

    user: UserView
    approvals: list[UlidText]


class RoleWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A role to give; cashiers and managers are so at a merchant."""

    role: Role
    merchant_id: UlidText | None = None


Roles = Annotated[list[RoleWish], Meta(max_length=10)]


class NewUserBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Somebody who is invited: a student, and more by the leave of a second person."""

    name: PersonName
    card_number: CardNumber = ""
    login_name: LoginName = ""
    language: Language = "en"
    roles: Roles = []
    union_id: UlidText | UnsetType = UNSET


class UserChangesBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What of a person is to be written anew. Roles are taken at once, and given by two people."""

    name: PersonName | UnsetType = UNSET
    card_number: CardNumber | UnsetType = UNSET
    login_name: LoginName | UnsetType = UNSET
    language: Language | UnsetType = UNSET
    add_roles: Roles = []
    remove_roles: Annotated[list[Role], Meta(max_length=10)] = []


class UsersQuery(PageQuery, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Which people."""

    state: UserState | UnsetType = UNSET
    card_number: CardNumber | UnsetType = UNSET
    login_name: LoginName | UnsetType = UNSET


class ActivateBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The office's code, and what the person will log in with: staff set a password, and a PIN if
    they work at a till; students link a wallet next."""

    union_id: UlidText
    code: OfficeCode
    password: Password | UnsetType = UNSET
    pin: Pin | UnsetType = UNSET


class PolicyBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Who may spend from an account: any `threshold` of the keys, which ascend."""

    keys: Annotated[list[Bytes32], Meta(min_length=1, max_length=16)]
    threshold: Annotated[int, Meta(ge=1, le=16)] = 1


class SignatureBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """One key's signature over the challenge's message."""

    key: Bytes32
    signature: SignatureText


class ProofBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What shows that a wallet is there. Without a union, the caller's own."""

    union_id: UlidText
    policy: PolicyBody
    signatures: Annotated[list[SignatureBody], Meta(min_length=1, max_length=16)]


class WalletLogin(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A login challenge, answered by a linked wallet."""

    nonce: Nonce
    expires_ms: int
    policy: PolicyBody
    signatures: Annotated[list[SignatureBody], Meta(min_length=1, max_length=16)]


class LoginBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A login with a name and a password, or with a wallet."""

    union_id: UlidText
    login_name: LoginName | UnsetType = UNSET
    password: Password | UnsetType = UNSET
    wallet: WalletLogin | UnsetType = UNSET


class ChallengeBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Whose key will sign: a wallet's of a union's member, or a till's. One of the two."""

    union_id: UlidText | UnsetType = UNSET
    terminal_id: UlidText | UnsetType = UNSET


class ChallengeView(msgspec.Struct, frozen=True, rename="camel"):
    """What is signed. Make `message` from the other members and compare, rather than trust it."""

    purpose: str
    chain_id: Bytes32
    host: str
    nonce: Bytes32
    expires_ms: int
    message: Annotated[str, Meta(description="The bytes to sign, in hex.")]


class NoticeView(msgspec.Struct, frozen=True, rename="camel"):
    """Something that was done to the account."""

    kind: NoticeKind
    at: TimeText


class RebindView(msgspec.Struct, frozen=True, rename="camel"):
    """The office is about to unlink all wallets; who did not ask for it rejects the approval."""

    approval_id: UlidText
    not_before: TimeText
    approved: bool


class MeView(msgspec.Struct, frozen=True, rename="camel"):
    """Oneself."""

    id: UlidText
    union_id: UlidText
    name: str
    login_name: str
    language: str
    staff_code: str
    roles: list[RoleView]
    has_password: bool
    has_pin: bool
    notices: list[NoticeView]
    wallet_rebind: RebindView | None


class EnteredView(msgspec.Struct, frozen=True, rename="camel"):
    """Somebody who is in. Keep the token in memory alone; the cookie renews it."""

    access_token: str
    token_type: str
    expires_in: Seconds
    user: UserView


class RecoveryBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Somebody who can't get in: the office calls back, or waits for them and their card."""

    union_id: UlidText
    name: PersonName
    contact: Annotated[str, Meta(max_length=120, pattern=LINE)] = ""
    message: Annotated[str, Meta(max_length=500)] = ""


class HelpView(msgspec.Struct, frozen=True, rename="camel"):
    """Whom to turn to."""

    union: str
    office: str
    telephone: str
    email: str
    hours: str
    developer_contact: str


class RecoveryTicketView(msgspec.Struct, frozen=True, rename="camel"):
    """A ticket at the office. Bring your card."""

    ticket: UlidText
    help: HelpView


class RecoveryRequestView(msgspec.Struct, frozen=True, rename="camel"):
    """A ticket, as the office sees it."""

    id: UlidText
    name: str
    contact: str
    message: str
    created_at: TimeText


class PasswordBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A new password; whoever has one shows it."""

    password: Password
    current: Password | UnsetType = UNSET


class PinBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A new PIN for tills; whoever has a password shows it."""

    pin: Pin
    password: Password | UnsetType = UNSET


class WalletLinkView(msgspec.Struct, frozen=True, rename="camel"):
    """A wallet that is linked, or about to be."""

    id: UlidText
    state: LinkState
    address: AddressText | None
    created_at: TimeText
    linked_at: TimeText | None


class NewWalletLinkView(msgspec.Struct, frozen=True, rename="camel"):
    """A link that waits for its proof, at `PUT /me/wallet-links/{id}/proof`."""

    id: UlidText
    union_id: UlidText
    challenge: ChallengeView
