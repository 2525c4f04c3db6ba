"""People as they are shown: from the model to JSON."""

from api.amounts import format_time
from api.approvals.model import ApprovalState
from api.people.challenges import KeyChallenge, WalletProof
from api.people.logins import LoggedIn
from api.people.model import LinkState, User
from api.people.own import Oneself
from api.people.schemas import (
    ChallengeView,
    EnteredView,
    HelpView,
    MeView,
    NoticeView,
    PolicyBody,
    RebindView,
    RoleView,
    SignatureBody,
    UserView,
    WalletLinkView,
)
from api.people.tokens import TOKEN_S
from api.people.wallet_store import WalletLink
from api.tenants.model import Union
from ledger.primitives.keys import Address, Policy, PublicKey, Signature, format_address


def role_views(user: User) -> list[RoleView]:
    """Show a person's roles."""
    return [
        RoleView(role, None if place == user.union_id else place)
        for role, place in user.roles.items()
    ]


def user_view(user: User) -> UserView:
    """Show a person to the office."""
    profile = user.profile
    return UserView(
        id=user.id,
        union_id=user.union_id,
        state=user.state,
        name=profile.name,
        card_number=profile.card_number,
        login_name=profile.login_name,
        language=profile.language,
        staff_code=user.staff_code,
        roles=role_views(user),
        created_at=format_time(user.created_ms),
        activated_at=None if user.activated_ms is None else format_time(user.activated_ms),
    )


def tokens_view(entered: LoggedIn) -> EnteredView:
    """Show somebody in; the refresh token goes into a cookie, never into a body."""
    return EnteredView(
        access_token=entered.access_token,
        token_type="Bearer",  # noqa: S106 - a kind of token
        expires_in=TOKEN_S,
        user=user_view(entered.user),
    )


def me_view(me: Oneself) -> MeView:
    """Show a person to themselves."""
    user, rebind = me.user, None
    if me.rebind is not None:
        rebind = RebindView(
            approval_id=me.rebind.id,
            not_before=format_time(me.rebind.not_before_ms),
            approved=me.rebind.state is ApprovalState.APPROVED,
        )
    return MeView(
        id=user.id,
        union_id=user.union_id,
        name=user.profile.name,
        login_name=user.profile.login_name,
        language=user.profile.language,
        staff_code=user.staff_code,
        roles=role_views(user),
        has_password=me.credentials.password_hash is not None,
        has_pin=me.credentials.pin_hash is not None,
        notices=[NoticeView(notice.kind, format_time(notice.at_ms)) for notice in me.notices],
        wallet_rebind=rebind,
    )


def challenge_view(challenge: KeyChallenge) -> ChallengeView:
    """Show what is to be signed."""
    return ChallengeView(
        purpose=challenge.purpose,
        chain_id=challenge.chain_id.hex(),
        host=challenge.host,
        nonce=challenge.nonce.hex(),
        expires_ms=challenge.expires_ms,
        message=challenge.message().hex(),
    )


def link_view(link: WalletLink, prefix: str) -> WalletLinkView:
    """Show a wallet's link to its person."""
    address = None if link.address is None else format_address(Address(link.address), prefix)
    return WalletLinkView(
        id=link.id,
        state=link.state,
        address=address,
        created_at=format_time(link.created_ms),
        linked_at=None if link.linked_ms is None else format_time(link.linked_ms),
    )


def is_shown(link: WalletLink, now_ms: int) -> bool:
    """Tell whether a link is worth showing: it counts, or may still come to."""
    return link.state is LinkState.ACTIVE or now_ms < link.expires_ms


def proof_of(policy: PolicyBody, signatures: list[SignatureBody]) -> WalletProof:
    """Read a proof."""
    keys = tuple(PublicKey(bytes.fromhex(key)) for key in policy.keys)
    signed = [
        (PublicKey(bytes.fromhex(each.key)), Signature(bytes.fromhex(each.signature)))
        for each in signatures
    ]
    return WalletProof(Policy(policy.threshold, keys), signed)


def help_view(union: Union) -> HelpView:
    """Show whom to turn to."""
    return HelpView(
        union=union.name,
        office=union.office,
        telephone=union.telephone,
        email=union.email,
        hours=union.hours,
        developer_contact=union.developer_contact,
    )
