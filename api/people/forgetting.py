"""What is over is forgotten, so that tables don't grow by what nobody can use any more."""

from typing import Final

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncConnection

from api.db.tables.people import miss_tallies, sessions, spent_nonces, wallet_links
from api.db.tables.terminals import terminals
from api.people.misses import DAY_MS, PIN_RULE
from api.people.model import LinkState
from api.terminals.model import TerminalState

SESSIONS_KEPT_MS: Final = 30 * DAY_MS


async def forget_what_is_over(connection: AsyncConnection, now_ms: int) -> None:
    """Forget answered challenges, what was begun and left, and what lies long enough in the past.

    A tally that only a person may lift is kept, however old it is.
    """
    old_ms = now_ms - 2 * DAY_MS
    links, tills, tallies = wallet_links.c, terminals.c, miss_tallies.c
    begun = links.state.in_((LinkState.PENDING, LinkState.PROVEN)) & (links.expires_ms < old_ms)
    unpaired = (tills.state == TerminalState.PAIRING) & (tills.pairing_expires_ms < old_ms)
    idle = (tallies.day_began_ms < old_ms) & (tallies.locked_until_ms < now_ms)
    idle &= tallies.in_the_day < PIN_RULE.in_a_day_max
    for over in (
        delete(spent_nonces).where(spent_nonces.c.expires_ms < now_ms),
        delete(wallet_links).where(begun),
        delete(terminals).where(unpaired),
        delete(miss_tallies).where(idle),
        delete(sessions).where(sessions.c.expires_ms < now_ms - SESSIONS_KEPT_MS),
    ):
        await connection.execute(over)
