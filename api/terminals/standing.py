"""Reads access tokens of tills: whether the till is still let in, and who works at it now.

As for people (`api.people.standing`), a token says which till; the rest is asked of the database
and remembered for two seconds. A cashier who is suspended, or no cashier here any more, is nobody
at the till from then on.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import func, select

from api.access.principals import Terminal
from api.access.roles import Role
from api.db.tables.people import user_roles, users
from api.db.tables.terminals import cashier_sessions, terminals
from api.errors import Unauthorized
from api.people.means import Means
from api.people.model import UserState
from api.people.tokens import TerminalClaims
from api.terminals.desk import check_till
from api.terminals.model import TerminalState
from api.terminals.rules import SHIFT_MS

STANDING_S: Final = 2.0
REMEMBERED_MAX: Final = 5_000


@dataclass(frozen=True, slots=True)
class TillStanding:
    """What the database says of a till and of the shift that its token names."""

    state: TerminalState
    version: int
    letter: str
    cashier_id: str
    shift_over_ms: int


def _query(claims: TerminalClaims) -> Any:
    t, s, r = terminals.c, cashier_sessions.c, user_roles.c
    works = (s.merchant_id == t.merchant_id) & (s.id == claims.cas) & s.ended_ms.is_(None)
    who = (users.c.union_id == s.union_id) & (users.c.id == s.user_id)
    at_till = r.role.in_((Role.CASHIER, Role.MANAGER)) & (r.place == t.merchant_id)
    held = (
        select(func.count())
        .where((r.union_id == users.c.union_id) & (r.user_id == users.c.id) & at_till)
        .scalar_subquery()
    )
    return (
        select(
            t.state,
            t.token_version,
            t.letter,
            s.user_id,
            s.opened_ms,
            users.c.state.label("user_state"),
            held.label("held"),
        )
        .select_from(terminals.outerjoin(cashier_sessions, works).outerjoin(users, who))
        .where((t.merchant_id == claims.mer) & (t.id == claims.sub))
    )


def _fits(standing: TillStanding | None, version: int) -> bool:
    """Tell whether a remembered answer can be of the time that a token was given out at."""
    return standing is None or standing.version >= version


class TerminalReader:
    """Gives which till an access token is of."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._reader = means.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._remembered: dict[tuple[str, str], tuple[float, TillStanding | None]] = {}

    async def terminal_of(self, claims: TerminalClaims) -> Terminal:
        """Give the till; raise `Unauthorized` for one that is revoked, `Locked` if it is locked."""
        standing = await self._standing(claims)
        if standing is None:
            raise Unauthorized("this till is not paired", code="TERMINAL_REVOKED")
        check_till(standing.state)
        if standing.version != claims.ver:
            raise Unauthorized("sign a new challenge", code="TOKEN_OUTDATED")
        works = self._means.now_ms() < standing.shift_over_ms
        return Terminal(
            terminal_id=claims.sub,
            merchant_id=claims.mer,
            union_id=claims.uni,
            token_version=claims.ver,
            letter=standing.letter,
            cashier_id=standing.cashier_id if works else "",
            cashier_session_id=claims.cas if works else "",
            stepped_up_by=claims.sup if works else "",
        )

    async def _standing(self, claims: TerminalClaims) -> TillStanding | None:
        place, now_s = (claims.sub, claims.cas), self._means.steady_s()
        found = self._remembered.get(place)
        if found is not None and found[0] > now_s and _fits(found[1], claims.ver):
            return found[1]
        async with self._reader.connect() as connection:
            row = (await connection.execute(_query(claims))).first()
        standing = None
        if row is not None:
            works = row.user_state == UserState.ACTIVE and bool(row.held)
            standing = TillStanding(
                state=TerminalState(row.state),
                version=row.token_version,
                letter=row.letter,
                cashier_id=row.user_id if works else "",
                shift_over_ms=row.opened_ms + SHIFT_MS if works else 0,
            )
        if len(self._remembered) >= REMEMBERED_MAX:
            self._remembered.clear()
        self._remembered[place] = (now_s + STANDING_S, standing)
        return standing
