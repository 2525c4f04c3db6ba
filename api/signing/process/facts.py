"""What a signer asks of its own nodes: where the chain stands, and who paid what.

All of one look comes from one node, and never from one that is behind what another has shown: what
is not final on it can then be told from what is not final yet. Nothing here decides.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from api.signing.process.errors import HistoryLacking
from api.signing.process.journal import FOREIGN, JournalEntry
from api.signing.process.nonces import EntryState
from api.signing.process.rules import PaidFacts
from ledger.genesis import parse_genesis
from ledger.params import Parameters
from ledger.primitives.amounts import Units
from ledger.primitives.hashing import ZERO_HASH, Hash
from ledger.primitives.keys import Address
from ledger.types.transaction import decode_transaction
from ledger.types.transfer import Transfer
from node.client.errors import ClientFault, NodeUnavailable
from node.client.http import NodeClient
from node.client.parameters import NUMBER_MAX
from node.client.views import TransactionState, TransactionView

ANSWER_S: Final = 5.0
"""How long a node may take to say where it stands, before the next is asked."""
PAID_WAIT_MS: Final = 3_000
"""How long a payment that a node has not heard of yet is waited for."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Look:
    """One node's final state, as far as an account needs it; heights and nonces only grow."""

    height: int
    time_ms: int
    nonce: int
    units: int
    rules: Parameters


@dataclass(frozen=True, slots=True)
class SentEntry:
    """A transaction that the chain has of an account, and its block."""

    entry: JournalEntry
    height: int


class OwnNode:
    """One node, for as long as one look is worked on."""

    def __init__(self, client: NodeClient, look: Look) -> None:
        self._client = client
        self.look = look

    async def transaction(self, txid: bytes) -> TransactionView:
        """Ask what became of a transaction."""
        return await self._client.transaction(txid)

    async def paid(self, tx_hash: bytes, height: int) -> PaidFacts | None:
        """Say who paid what with a hash; None if no final transaction has it.

        Raise `NodeUnavailable` while the node is below `height`: nothing can be said then.
        """
        view = await self._client.transaction(tx_hash, PAID_WAIT_MS)
        if view.state is not TransactionState.FINAL:
            if view.state is TransactionState.UNKNOWN and self.look.height >= height:
                return None
            raise NodeUnavailable(f"the payment of block {height} is not final on the node yet")
        made = decode_transaction(view.raw)
        body = made.intent.body
        return PaidFacts(made.sender, body if isinstance(body, Transfer) else None, view.code)

    async def sent_by(
        self, account: Address, knows: Callable[[bytes], bool], lacking: int
    ) -> list[SentEntry]:
        """List what an account sent that nobody here knows of: as many as the chain counts more.

        Raise `HistoryLacking` if the node does not show so many.
        """
        found: list[SentEntry] = []
        before = (NUMBER_MAX, 0)
        while len(found) < lacking:
            page = await self._client.history_page(account, before)
            if not page:
                raise HistoryLacking(
                    f"the account has sent {lacking} transactions that are not in the journal, and "
                    f"the node shows {len(found)}: use a node that keeps all blocks"
                )
            for place in page:
                if not knows(place.txid):
                    found += await self._sent(account, place.txid)
            before = (page[-1].height, page[-1].index)
        return found

    async def _sent(self, account: Address, txid: Hash) -> list[SentEntry]:
        """Read one transaction as an entry; nothing if another sent it, or it is pruned."""
        view = await self._client.transaction(txid)
        if not view.raw:
            return []
        made = decode_transaction(view.raw)
        if made.sender != account or view.state is not TransactionState.FINAL:
            return []
        body = made.intent.body
        moved = body if isinstance(body, Transfer) else Transfer(account, Units(0), ZERO_HASH, ())
        entry = JournalEntry(
            request_id=None,
            fingerprint=b"",
            kind=FOREIGN,
            reference=moved.reference,
            payee=moved.to,
            units=moved.units,
            nonce=made.intent.nonce,
            txid=txid,
            raw=view.raw,
            valid_until_height=made.intent.valid_until_height,
            signed_ms=view.time_ms,
            state=EntryState.FAILED if view.code else EntryState.DONE,
            handed=True,
        )
        return [SentEntry(entry, view.height)]


class OwnNodes:
    """The signer's nodes: the first that answers and is not behind."""

    def __init__(self, clients: Sequence[NodeClient]) -> None:
        self._clients = list(clients)
        self._highest = 0

    async def chain_id(self) -> Hash:
        """Ask which chain this is: the hash of its genesis. Raise `NodeUnavailable`."""
        return parse_genesis(await self._first(lambda client: client.genesis())).chain_id

    async def look(self, account: Address, chain_id: Hash) -> OwnNode:
        """Look at an account; raise `NodeUnavailable` if no node can be believed now."""
        return await self._first(lambda client: self._look(client, account, chain_id))

    async def _look(self, client: NodeClient, account: Address, chain_id: Hash) -> OwnNode:
        status = await client.status()
        if status.chain_id != chain_id:
            raise NodeUnavailable("it is of another chain")
        if status.height < self._highest:
            raise NodeUnavailable(f"it is at block {status.height}, behind {self._highest}")
        self._highest = status.height
        held = await client.account(account)
        rules = (await client.parameters()).decoded()
        look = Look(status.height, status.block_time_ms, held.nonce, held.units, rules)
        return OwnNode(client, look)

    async def _first(self, ask: Callable[[NodeClient], Awaitable[T]]) -> T:
        faults = []
        for client in list(self._clients):
            try:
                async with asyncio.timeout(ANSWER_S):
                    return await ask(client)
            except (ClientFault, TimeoutError) as fault:
                faults.append(f"{client.base_url}: {fault or 'it is silent'}")
                self._clients.remove(client)  # It is asked last from now on.
                self._clients.append(client)
        raise NodeUnavailable("; ".join(faults))


@asynccontextmanager
async def own_nodes(urls: Sequence[str]) -> AsyncIterator[OwnNodes]:
    """Open a way to each node while the block runs."""
    async with AsyncExitStack() as stack:
        yield OwnNodes([await stack.enter_async_context(NodeClient(url)) for url in urls])
