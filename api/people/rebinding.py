"""Rebinding: a person who has lost their wallet's key gets their account back, never the tokens.

One officer asks, another one lets it happen, and it waits for a day. The person's other devices are
told at once, and whoever is not at the office for it rejects the approval. Then all wallets are
unlinked and all devices are out; the office invites anew, and the person links the new wallet.
"""

from sqlalchemy.ext.asyncio import AsyncConnection

from api.approvals.model import Approval
from api.errors import NotFound
from api.people.means import Means
from api.people.model import LinkState, NoticeKind
from api.people.notice_store import add_notice
from api.people.session_store import end_sessions_of
from api.people.user_store import end_tokens, lock_user, set_credentials
from api.people.wallet_store import close_links, links_of


class RebindDesk:
    """Tells of a rebind, and carries it out."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def tell(self, connection: AsyncConnection, approval: Approval) -> None:
        """Tell the person's devices that a rebind was asked for."""
        at = (approval.union_id, approval.subject_id)
        await add_notice(
            connection, *at, NoticeKind.REBIND_ASKED, approval.id, self._means.now_ms()
        )

    async def carry_out(self, connection: AsyncConnection, approval: Approval) -> None:
        """Unlink all wallets, end all sessions, void the password and the PIN."""
        at, now_ms = (approval.union_id, approval.subject_id), self._means.now_ms()
        vault = self._means.vault
        if await lock_user(connection, vault, *at) is None:
            raise NotFound("there is no such person")
        await close_links(
            connection, await links_of(connection, vault, *at), LinkState.REPLACED, now_ms
        )
        await set_credentials(connection, *at, password_hash=None, pin_hash=None)
        await end_sessions_of(connection, *at, "rebound", now_ms)
        await end_tokens(connection, *at)
        await add_notice(connection, *at, NoticeKind.REBOUND, approval.id, now_ms)
