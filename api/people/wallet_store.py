"""Wallets of people in the database: the address sealed, found by its blind index.

That an address is linked once over all unions stands in `claims`, like all that may be there once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from api.db.tables.orders import claims
from api.db.tables.people import users, wallet_links
from api.people.model import LinkState
from api.vault.data_keys import Vault

CLAIM: Final = "wallet"
"""The kind of claim that a linked address is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletLink:
    """A link, and its address if its owner has shown it."""

    union_id: str
    id: str
    user_id: str
    state: LinkState
    nonce: bytes
    address: bytes | None
    address_index: bytes | None
    created_ms: int
    expires_ms: int
    linked_ms: int | None


def _at(union_id: str, link_id: str) -> Any:
    return (wallet_links.c.union_id == union_id) & (wallet_links.c.id == link_id)


def _of(union_id: str, user_id: str, *states: LinkState) -> Any:
    c = wallet_links.c
    return (c.union_id == union_id) & (c.user_id == user_id) & c.state.in_(states)


async def add_link(
    connection: AsyncConnection,
    union_id: str,
    user_id: str,
    link_id: str,
    nonce: bytes,
    now_ms: int,
    expires_ms: int,
) -> None:
    """Write a link that waits for its proof, in place of those that the person began before."""
    begun = _of(union_id, user_id, LinkState.PENDING, LinkState.PROVEN)
    await connection.execute(delete(wallet_links).where(begun))
    await connection.execute(
        wallet_links.insert().values(
            union_id=union_id,
            id=link_id,
            user_id=user_id,
            state=LinkState.PENDING,
            nonce=nonce,
            created_ms=now_ms,
            expires_ms=expires_ms,
        )
    )


async def count_active(connection: AsyncConnection, union_id: str, user_id: str) -> int:
    """Count a person's wallets; nobody adds one for them until the transaction ends."""
    mine = (users.c.union_id == union_id) & (users.c.id == user_id)
    await connection.execute(select(users.c.id).where(mine).with_for_update(key_share=True))
    count = select(func.count()).where(_of(union_id, user_id, LinkState.ACTIVE))
    return int((await connection.execute(count)).scalar_one())


async def lock_link(
    connection: AsyncConnection, vault: Vault, union_id: str, link_id: str
) -> WalletLink | None:
    """Read a link, which nobody else changes until the transaction ends."""
    query = select(wallet_links).where(_at(union_id, link_id)).with_for_update()
    row = (await connection.execute(query)).first()
    return None if row is None else await _link(connection, vault, row)


async def links_of(
    connection: AsyncConnection, vault: Vault, union_id: str, user_id: str
) -> Sequence[WalletLink]:
    """Read a person's links that are not over."""
    wanted = _of(union_id, user_id, LinkState.PENDING, LinkState.PROVEN, LinkState.ACTIVE)
    query = select(wallet_links).where(wanted).order_by(wallet_links.c.id)
    return [await _link(connection, vault, row) for row in await connection.execute(query)]


async def _link(connection: AsyncConnection, vault: Vault, row: Any) -> WalletLink:
    address = None
    if row.address is not None:
        key = await vault.key_of(connection, row.union_id, row.user_id)
        address = key.unseal("wallet_links", "address", row.address)
    return WalletLink(
        union_id=row.union_id,
        id=row.id,
        user_id=row.user_id,
        state=LinkState(row.state),
        nonce=row.nonce,
        address=address,
        address_index=row.address_index,
        created_ms=row.created_ms,
        expires_ms=row.expires_ms,
        linked_ms=row.linked_ms,
    )


async def write_proof(
    connection: AsyncConnection, vault: Vault, link: WalletLink, address: bytes, index: bytes
) -> None:
    """Write whose address a locked link is of, sealed."""
    key = await vault.key_of(connection, link.union_id, link.user_id)
    sealed = key.seal("wallet_links", "address", address)
    proven = {"state": LinkState.PROVEN, "address": sealed, "address_index": index}
    at = _at(link.union_id, link.id)
    await connection.execute(update(wallet_links).where(at).values(**proven))


async def claim_address(connection: AsyncConnection, link: WalletLink, index: bytes) -> bool:
    """Claim an address for a link; False if it is somebody's."""
    row = insert(claims).values(
        kind=CLAIM, value=index, merchant_id=link.union_id, subject=CLAIM, ref_id=link.id
    )
    return (await connection.execute(row.on_conflict_do_nothing())).rowcount == 1


async def make_active(connection: AsyncConnection, link: WalletLink, now_ms: int) -> None:
    """Let a locked link count from now on."""
    at = _at(link.union_id, link.id)
    active = {"state": LinkState.ACTIVE, "linked_ms": now_ms}
    await connection.execute(update(wallet_links).where(at).values(**active))


async def close_links(
    connection: AsyncConnection, links: Sequence[WalletLink], state: LinkState, now_ms: int
) -> None:
    """End links; their addresses are free for whoever proves them."""
    for link in links:
        over = {"state": state, "ended_ms": now_ms}
        at = _at(link.union_id, link.id)
        await connection.execute(update(wallet_links).where(at).values(**over))
        if link.state is LinkState.ACTIVE:
            c = claims.c
            mine = (c.kind == CLAIM) & (c.value == link.address_index) & (c.ref_id == link.id)
            await connection.execute(delete(claims).where(mine))


async def user_of_address(
    connection: AsyncConnection, union_id: str, address_index: bytes
) -> str | None:
    """Give who in a union has linked an address. The door for orders, loyalty and exports."""
    c = wallet_links.c
    mine = (c.union_id == union_id) & (c.address_index == address_index)
    found = await connection.execute(select(c.user_id).where(mine & (c.state == LinkState.ACTIVE)))
    return found.scalar_one_or_none()
