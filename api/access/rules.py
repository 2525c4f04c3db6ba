"""The decision whether a principal may call a route: pure, over a row of the table."""

from dataclasses import dataclass

from api.access.principals import Anonymous, KeyHolder, Person, Principal, SignerKey, Terminal
from api.access.roles import Role, Scope
from api.errors import ApiFault, Forbidden, Unauthorized


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may call a route: all that is named here, and nobody else.

    `roles` admits people who hold one of them, and with CASHIER a paired terminal at which a
    cashier has signed in. `step_up` names the roles that must have proven themselves anew; a
    terminal has, while a manager's PIN covers it. `any_key` admits every key,
    whatever its scopes, `people` whoever has logged in, `terminal` a terminal without a cashier,
    `cashier` one with a cashier and no person. `board` admits everyone while the configuration
    shows the live page to all.
    """

    anyone: bool = False
    board: bool = False
    scope: Scope | None = None
    any_key: bool = False
    roles: frozenset[Role] = frozenset()
    step_up: frozenset[Role] = frozenset()
    people: bool = False
    terminal: bool = False
    cashier: bool = False
    signer: bool = False


def refusal(access: Access, principal: Principal, now_ms: int) -> ApiFault | None:
    """Say why a principal may not call; None if it may."""
    if access.anyone:
        return None
    match principal:
        case Anonymous():
            return Unauthorized("send `Authorization: Bearer ...` with a key or a token")
        case KeyHolder():
            return _key_refusal(access, principal)
        case Person():
            return _person_refusal(access, principal, now_ms)
        case Terminal():
            return _till_refusal(access, principal)
        case SignerKey():
            return None if access.signer else Forbidden("no signer may do that")


def _key_refusal(access: Access, holder: KeyHolder) -> ApiFault | None:
    if access.any_key:
        return None
    if access.scope is None:
        return Forbidden("no API key may do that: a person must")
    if access.scope not in holder.scopes:
        return Forbidden(f"this key lacks the scope {access.scope}")
    return None


def _person_refusal(access: Access, person: Person, now_ms: int) -> ApiFault | None:
    held = access.roles & person.roles.keys()
    if access.people:
        return None
    if not held:
        return Forbidden("none of your roles may do that")
    if held <= access.step_up and now_ms >= person.stepped_up_until_ms:
        return Forbidden("prove that it is you, and try again", code="STEP_UP_REQUIRED")
    return None


def _till_refusal(access: Access, till: Terminal) -> ApiFault | None:
    if access.terminal:
        return None
    if not (access.cashier or Role.CASHIER in access.roles):
        return Forbidden("no till may do that")
    if not till.cashier_id:
        return Forbidden("sign in at this till with your staff code and PIN", code="NO_CASHIER")
    if Role.CASHIER in access.step_up and not till.stepped_up_by:
        return Forbidden("a manager's PIN covers that", code="STEP_UP_REQUIRED")
    return None


def merchant_of(access: Access, principal: Principal) -> str:
    """Give the merchant or union that an admitted principal acts for; empty if there is none."""
    match principal:
        case KeyHolder(merchant_id=merchant_id) | Terminal(merchant_id=merchant_id):
            return merchant_id
        case Person(roles=roles):
            return next((roles[role] for role in sorted(access.roles & roles.keys())), "")
    return ""
