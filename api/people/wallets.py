"""Linking a wallet to a person: begin, prove, confirm, remove.

    pending  proof, sent with the person's own token   active
    pending  proof, sent by another app                proven
    proven   the person confirms                       active
    active   removed; rebound at the office            removed; replaced

A proof that comes alone shows that a wallet signed, not that it is this person's: who reads the
challenge over a shoulder could link a wallet of their own, and log in with it. So the person looks
at the address and confirms.
"""

from collections.abc import Awaitable, Callable, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from api.errors import Conflict, Forbidden, NotFound, Unprocessable
from api.events.outbox import NewEvent, write_events
from api.people.challenges import (
    CHALLENGE_MS,
    KeyChallenge,
    ProofPurpose,
    WalletProof,
    draw_nonce,
    proven_address,
)
from api.people.logins import known_chain
from api.people.means import Actor, Means
from api.people.model import LinkState, LoginMethod, NoticeKind
from api.people.notice_store import add_notice
from api.people.rules import WALLETS_MAX, may_link
from api.people.session_store import method_of_session
from api.people.wallet_store import (
    WalletLink,
    add_link,
    claim_address,
    close_links,
    count_active,
    links_of,
    lock_link,
    make_active,
    write_proof,
)
from api.vault.blind import Purpose
from ledger.primitives.keys import Address

LinkWitness = Callable[[AsyncConnection, str, str, Address, int], Awaitable[Sequence[NewEvent]]]
"""Takes note that somebody (union, user) has linked an address; gives events back."""


class WalletDesk:
    """Links wallets. Each act runs in the caller's transaction."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._witnesses: list[LinkWitness] = []

    def when_linked(self, witness: LinkWitness) -> None:
        """Let somebody take note of links that count from now on, in their transaction."""
        self._witnesses.append(witness)

    async def begin(self, connection: AsyncConnection, actor: Actor) -> tuple[str, KeyChallenge]:
        """Begin a link; give its id and what the wallet signs."""
        await self._check_may_link(connection, actor)
        link_id, now_ms = str(ULID()), self._means.now_ms()
        expires_ms = now_ms + CHALLENGE_MS
        nonce = draw_nonce(self._means.session_key, ProofPurpose.LINK, link_id, expires_ms)
        await add_link(
            connection, actor.union_id, actor.user_id, link_id, nonce, now_ms, expires_ms
        )
        return link_id, self._challenge(nonce, expires_ms)

    async def _check_may_link(self, connection: AsyncConnection, actor: Actor) -> None:
        count = await count_active(connection, actor.union_id, actor.user_id)
        method = await method_of_session(connection, actor.union_id, actor.session_id)
        why = may_link(count, method or LoginMethod.INVITATION)
        if why and count >= WALLETS_MAX:
            raise Conflict(why, code="WALLETS_FULL")
        if why:
            raise Forbidden(why, code="WALLET_LOGIN_REQUIRED")

    def _challenge(self, nonce: bytes, expires_ms: int) -> KeyChallenge:
        return KeyChallenge(
            purpose=ProofPurpose.LINK,
            chain_id=known_chain(self._means),
            host=self._means.host,
            nonce=nonce,
            expires_ms=expires_ms,
        )

    async def prove(
        self,
        connection: AsyncConnection,
        union_id: str,
        link_id: str,
        proof: WalletProof,
        by: Actor | None,
    ) -> WalletLink:
        """Take a wallet's proof. With the person's own token (`by`) the link counts at once.

        Raise `NotFound` for a link that is over or not there, `Conflict` for an address that is
        somebody's, `Unprocessable` for a proof that is not good.
        """
        link = await self._waiting(connection, union_id, link_id, LinkState.PENDING)
        message = self._challenge(link.nonce, link.expires_ms).message()
        address = proven_address(proof, message)
        if address is None:
            raise Unprocessable("the proof is not good for this link", code="LINK_PROOF_REFUSED")
        index = self._means.vault.index(Purpose.ADDRESS, address)
        await write_proof(connection, self._means.vault, link, address, index)
        if by is not None and (by.union_id, by.user_id) == (link.union_id, link.user_id):
            return await self.confirm(connection, by, link_id)
        return await self._read(connection, union_id, link_id)

    async def confirm(self, connection: AsyncConnection, actor: Actor, link_id: str) -> WalletLink:
        """Let a proven link count: the person has looked at the address."""
        link = await self._waiting(connection, actor.union_id, link_id, LinkState.PROVEN)
        if link.user_id != actor.user_id:
            raise NotFound("there is no such link")
        await self._check_may_link(connection, actor)
        assert link.address_index is not None, "what is proven has an address"
        if not await claim_address(connection, link, link.address_index):
            raise Conflict("this address is linked to somebody already", code="ADDRESS_LINKED")
        now_ms = self._means.now_ms()
        await make_active(connection, link, now_ms)
        at = (link.union_id, link.user_id)
        await add_notice(connection, *at, NoticeKind.WALLET_LINKED, link_id, now_ms)
        assert link.address is not None, "what is proven has an address"
        events: list[NewEvent] = []
        for witness in self._witnesses:
            events += await witness(connection, *at, Address(link.address), now_ms)
        await write_events(connection, events)
        return await self._read(connection, actor.union_id, link_id)

    async def list(self, connection: AsyncConnection, actor: Actor) -> Sequence[WalletLink]:
        """List a person's links."""
        return await links_of(connection, self._means.vault, actor.union_id, actor.user_id)

    async def remove(self, connection: AsyncConnection, actor: Actor, link_id: str) -> None:
        """End a link of one's own; one that has ended stays so."""
        link = await lock_link(connection, self._means.vault, actor.union_id, link_id)
        if link is None or link.user_id != actor.user_id:
            raise NotFound("there is no such link")
        if link.state not in (LinkState.REMOVED, LinkState.REPLACED):
            await close_links(connection, [link], LinkState.REMOVED, self._means.now_ms())

    async def _waiting(
        self, connection: AsyncConnection, union_id: str, link_id: str, state: LinkState
    ) -> WalletLink:
        link = await lock_link(connection, self._means.vault, union_id, link_id)
        if link is None or link.state is not state or self._means.now_ms() >= link.expires_ms:
            raise NotFound("there is no such link, or it is over: begin anew")
        return link

    async def _read(self, connection: AsyncConnection, union_id: str, link_id: str) -> WalletLink:
        link = await lock_link(connection, self._means.vault, union_id, link_id)
        assert link is not None, "it was locked just now"
        return link
