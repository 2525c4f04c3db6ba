"""Reads access tokens of people: whose session it is, and what they may do now.

What a token says is who; that the session goes on, the account is active and the roles are still
held is asked of the database, and remembered for two seconds. So who is suspended, or loses a
role, is out within these in every worker.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select

from api.access.principals import Person
from api.access.roles import Role
from api.db.tables.people import sessions, user_roles, users
from api.errors import Forbidden, Unauthorized
from api.people.means import Means
from api.people.model import UserState
from api.people.tokens import PersonClaims

STANDING_S: Final = 2.0
REMEMBERED_MAX: Final = 20_000

_QUERY: Final = select(
    users.c.state,
    users.c.token_version,
    sessions.c.ended_ms,
    sessions.c.expires_ms,
    select(func.json_object_agg(user_roles.c.role, user_roles.c.place))
    .where((user_roles.c.union_id == users.c.union_id) & (user_roles.c.user_id == users.c.id))
    .scalar_subquery()
    .label("roles"),
).select_from(
    users.join(
        sessions,
        (sessions.c.union_id == users.c.union_id) & (sessions.c.user_id == users.c.id),
    )
)


@dataclass(frozen=True, slots=True)
class SessionStanding:
    """What the database says of a session and its person."""

    active: bool
    version: int
    over_ms: int
    roles: dict[Role, str]


def _fits(standing: SessionStanding | None, version: int) -> bool:
    """Tell whether a remembered answer can be of the time that a token was given out at."""
    return standing is None or standing.version >= version


class PersonReader:
    """Gives who a person's access token is of."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._reader = means.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._remembered: dict[tuple[str, str], tuple[float, SessionStanding | None]] = {}

    async def person_of(self, claims: PersonClaims) -> Person:
        """Give who it is; raise `Unauthorized` for a session that is over, `Forbidden` for a
        suspended account."""
        standing = await self._standing(claims)
        if standing is not None and not standing.active:
            raise Forbidden("this account is suspended: ask your office", code="ACCOUNT_SUSPENDED")
        if standing is None or self._means.now_ms() >= standing.over_ms:
            raise Unauthorized("log in again", code="SESSION_OVER")
        if standing.version != claims.ver:
            raise Unauthorized("log in again, or refresh", code="TOKEN_OUTDATED")
        return Person(
            user_id=claims.sub,
            union_id=claims.uni,
            roles=standing.roles,
            session_id=claims.sid,
        )

    async def _standing(self, claims: PersonClaims) -> SessionStanding | None:
        place, now_s = (claims.uni, claims.sid), self._means.steady_s()
        found = self._remembered.get(place)
        if found is not None and found[0] > now_s and _fits(found[1], claims.ver):
            return found[1]
        async with self._reader.connect() as connection:
            mine = (sessions.c.union_id == claims.uni) & (sessions.c.id == claims.sid)
            query = _QUERY.where(mine & (users.c.id == claims.sub))
            row = (await connection.execute(query)).first()
        standing = None
        if row is not None:
            standing = SessionStanding(
                active=row.state == UserState.ACTIVE,
                version=row.token_version,
                over_ms=row.expires_ms if row.ended_ms is None else 0,
                roles={Role(role): place for role, place in sorted((row.roles or {}).items())},
            )
        if len(self._remembered) >= REMEMBERED_MAX:
            self._remembered.clear()
        self._remembered[place] = (now_s + STANDING_S, standing)
        return standing
