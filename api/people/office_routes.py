"""People, for the office of their union: invite, correct, suspend, rebind, unblock."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from msgspec import UNSET
from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from api.access.principals import Person
from api.access.roles import Role
from api.approvals.model import ApprovalKind
from api.approvals.schemas import ApprovalView
from api.approvals.views import approval_view
from api.db.session import in_transaction
from api.errors import NotFound, Pointer, Unprocessable
from api.http.pages import Listing
from api.http.replies import Reply
from api.http.routes import ApiCall, Idempotency, Route
from api.people.callers import actor_of, desks_of, id_of, person_of
from api.people.codes import activation_url
from api.people.means import Actor
from api.people.model import Profile, User, UserEvent
from api.people.office import Invited
from api.people.rules import WITHOUT_APPROVAL, place_fault
from api.people.schemas import (
    ChangedUserView,
    InvitedView,
    NewUserBody,
    RoleWish,
    UserChangesBody,
    UsersQuery,
    UserView,
)
from api.people.session_store import forget_misses
from api.people.user_store import card_index, list_users, login_index
from api.people.views import user_view
from api.terminals.cashiers import pin_subject

Work = Callable[[AsyncConnection], Awaitable[Reply]]


async def invite(call: ApiCall) -> Reply:
    """Write a person down, hand out a code, and ask a second person for roles of staff."""
    body, desks = call.body, desks_of(call)
    actor = actor_of(call, "" if body.union_id is UNSET else body.union_id)
    profile = Profile(body.name, body.card_number, body.login_name, body.language)

    async def work(connection: AsyncConnection) -> Reply:
        invited = await desks.office.invite(connection, actor, str(ULID()), profile)
        waits = await _ask_roles(call, connection, actor, invited.user.id, body.roles)
        return _invited(call, invited, waits, status=201)

    return await call.service.answers.once(call.once, work)


async def reinvite(call: ApiCall) -> Reply:
    """Hand out a new code: the person has shown their card."""
    actor, user_id = actor_of(call), _user_id(call)

    async def work(connection: AsyncConnection) -> Reply:
        invited = await desks_of(call).office.reinvite(connection, actor, user_id)
        return _invited(call, invited, [], status=200)

    return await call.service.answers.once(call.once, work)


def _invited(call: ApiCall, invited: Invited, waits: list[str], status: int) -> Reply:
    url = activation_url(call.service.config.public_url, invited.user.union_id, invited.code)
    view = InvitedView(user_view(invited.user), invited.code, url, waits)
    return Reply(view, status, {"Location": f"/api/v1/users/{invited.user.id}"})


async def _ask_roles(
    call: ApiCall,
    connection: AsyncConnection,
    actor: Actor,
    user_id: str,
    wishes: list[RoleWish],
) -> list[str]:
    """Ask for roles that take a second person; give what waits. A student everyone is already."""
    desks, waits = desks_of(call), []
    for number, wish in enumerate(wishes):
        place = wish.merchant_id or actor.union_id
        if fault := place_fault(wish.role, place, actor.union_id):
            told = (Pointer(f"/roles/{number}", "WRONG_PLACE"),)
            raise Unprocessable(fault, code="WRONG_PLACE", errors=told)
        if wish.merchant_id is not None:
            merchant = await desks.tenants.merchant(connection, wish.merchant_id)
            if merchant.union_id != actor.union_id:
                raise NotFound("there is no such merchant")
        if wish.role in WITHOUT_APPROVAL:
            await desks.office.give_role(connection, actor.union_id, user_id, wish.role, place)
            continue
        approval = await desks.approvals.ask(
            connection,
            actor,
            ApprovalKind.ROLE_GRANT,
            user_id,
            {"role": wish.role, "place": place},
            wish.merchant_id or "",
        )
        waits.append(approval.id)
    return waits


async def list_people(call: ApiCall) -> Listing[UserView]:
    """List the union's people; a card's number or a login finds its owner."""
    query: UsersQuery = call.query
    desks, actor = desks_of(call), actor_of(call)
    having: dict[str, object] = {}
    if query.state is not UNSET:
        having["state"] = query.state
    if query.card_number is not UNSET:
        having["card_index"] = card_index(desks.means.vault, actor.union_id, query.card_number)
    if query.login_name is not UNSET:
        having["login_index"] = login_index(desks.means.vault, actor.union_id, query.login_name)
    cursors = call.service.cursors
    after = cursors.read(query.cursor, "listUsers", actor.union_id)
    start = "" if after is None else str(after[0])

    async def read(connection: AsyncConnection) -> Listing[UserView]:
        rows = await list_users(
            connection, desks.means.vault, actor.union_id, start, query.limit + 1, **having
        )
        return cursors.page(
            rows, query.limit, lambda user: (user.id,), user_view, "listUsers", actor.union_id
        )

    return await in_transaction(desks.means.engine, read)


async def read_user(call: ApiCall) -> UserView:
    """Read a person of the union."""
    desks, actor = desks_of(call), actor_of(call)

    async def read(connection: AsyncConnection) -> UserView:
        return user_view(await desks.office.user(connection, actor.union_id, _user_id(call)))

    return await in_transaction(desks.means.engine, read)


async def change_user(call: ApiCall) -> Reply:
    """Correct a profile; take roles at once, and ask a second person for new ones."""
    body, desks = call.body, desks_of(call)
    actor, user_id = actor_of(call), _user_id(call)
    names = ("name", "card_number", "login_name", "language")
    changes = {name: value for name in names if (value := getattr(body, name)) is not UNSET}

    async def work(connection: AsyncConnection) -> Reply:
        await desks.office.correct(connection, actor, user_id, changes)
        for role in body.remove_roles:
            await desks.office.take_role(connection, actor, user_id, role)
        waits = await _ask_roles(call, connection, actor, user_id, body.add_roles)
        user = await desks.office.user(connection, actor.union_id, user_id)
        return Reply(ChangedUserView(user_view(user), waits), 200)

    return await call.service.answers.once(call.once, work)


def _moving(event: UserEvent) -> Callable[[ApiCall], Awaitable[Reply]]:
    async def move(call: ApiCall) -> Reply:
        actor, user_id = actor_of(call), _user_id(call)

        async def work(connection: AsyncConnection) -> Reply:
            user = await desks_of(call).office.move(connection, actor, user_id, event)
            return Reply(user_view(user), 200)

        return await call.service.answers.once(call.once, work)

    return move


async def rebind(call: ApiCall) -> Reply:
    """Ask that all wallets of a person be unlinked: a second officer and 24 hours."""
    desks, actor, user_id = desks_of(call), actor_of(call), _user_id(call)

    async def work(connection: AsyncConnection) -> Reply:
        await desks.office.user(connection, actor.union_id, user_id)
        kind = ApprovalKind.WALLET_REBIND
        approval = await desks.approvals.ask(connection, actor, kind, user_id, {})
        await desks.rebinds.tell(connection, approval)
        return Reply(approval_view(approval, desks.means.now_ms()), 202)

    return await call.service.answers.once(call.once, work)


async def unblock(call: ApiCall) -> UserView:
    """Let in again whom too many wrong PINs have shut out: an officer, or their own manager."""
    desks, person, user_id = desks_of(call), person_of(call), _user_id(call)

    async def work(connection: AsyncConnection) -> UserView:
        user = await desks.office.user(connection, person.union_id, user_id)
        if not _is_over(person, user):
            raise NotFound("there is no such person")
        await forget_misses(connection, user.union_id, pin_subject(user.staff_code))
        return user_view(user)

    return await in_transaction(desks.means.engine, work)


def _is_over(person: Person, user: User) -> bool:
    """Tell whether somebody looks after a person: as their office, or as their manager."""
    if {Role.UNION_OFFICER, Role.ADMIN} & person.roles.keys():
        return True
    return person.roles.get(Role.MANAGER) in (
        user.roles.get(Role.CASHIER, ""),
        user.roles.get(Role.MANAGER, ""),
    )


def _user_id(call: ApiCall) -> str:
    return id_of(call, "userId")


def _route(method: str, path: str, operation: str, summary: str, **more: Any) -> Route:
    return Route(
        method=method,
        path=f"/api/v1{path}",
        operation=operation,
        summary=summary,
        tag="people",
        **{"codes": ("NOT_FOUND",), "idempotency": Idempotency.NONE, **more},
    )


_KEY: Final = {"idempotency": Idempotency.KEY}

ROUTES: Final = (
    _route(
        "POST", "/users", "inviteUser", "Invite a person, and give out their code",
        handler=invite, body=NewUserBody, answer=InvitedView, status=201,
        codes=("NOT_FOUND", "ALREADY_KNOWN", "WRONG_PLACE"), **_KEY,
    ),
    _route(
        "GET", "/users", "listUsers", "List the union's people",
        handler=list_people, query=UsersQuery, answer=Listing[UserView], codes=(),
    ),
    _route(
        "GET", "/users/{userId}", "readUser", "Read a person of the union",
        handler=read_user, answer=UserView,
    ),
    _route(
        "PATCH", "/users/{userId}", "changeUser", "Correct a person, take roles and ask for roles",
        handler=change_user, body=UserChangesBody, answer=ChangedUserView,
        codes=("NOT_FOUND", "CONFLICT", "ALREADY_KNOWN", "WRONG_PLACE"), **_KEY,
    ),
    _route(
        "POST", "/users/{userId}/suspend", "suspendUser", "Suspend a person: all they hold ends",
        handler=_moving(UserEvent.SUSPEND), answer=UserView,
        codes=("NOT_FOUND", "CONFLICT", "ONES_OWN"), **_KEY,
    ),
    _route(
        "POST", "/users/{userId}/reactivate", "reactivateUser", "Let a suspended person in again",
        handler=_moving(UserEvent.REACTIVATE), answer=UserView,
        codes=("NOT_FOUND", "CONFLICT"), **_KEY,
    ),
    _route(
        "POST", "/users/{userId}/reinvite", "reinviteUser",
        "Give a person a new code, with their card in hand",
        handler=reinvite, answer=InvitedView, codes=("NOT_FOUND", "USER_SUSPENDED"), **_KEY,
    ),
    _route(
        "POST", "/users/{userId}/wallet-rebind", "rebindWallet",
        "Ask that a person's wallets be unlinked: two officers, 24 hours",
        handler=rebind, answer=ApprovalView, status=202,
        codes=("NOT_FOUND", "APPROVAL_WAITING"), **_KEY,
    ),
    _route(
        "POST", "/users/{userId}/unblock", "unblockUser",
        "Let in again whom wrong PINs have shut out",
        handler=unblock, answer=UserView, idempotency=Idempotency.NATURAL,
    ),
)  # fmt: skip
