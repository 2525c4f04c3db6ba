"""A node of one process in memory: the real ledger's rules, blocks made when a test says so.

`FakeNode` has the surface of `NodeClient`. Submitted transactions are checked by the ledger and
wait; `make_block` executes them. With `automatic` set, every submission makes a block. `silence`
makes it unreachable, as a node that is killed is; `mute` lets it take transactions and not say so.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from hashlib import blake2b

from ledger.errors.base import LedgerFault
from ledger.errors.store import StoreFault, UnknownSubject
from ledger.genesis import (
    Genesis,
    GenesisAccount,
    GenesisRole,
    GenesisStock,
    GenesisValidator,
    format_genesis,
    genesis_hash,
    genesis_state,
)
from ledger.params import default_parameters
from ledger.primitives.amounts import UNITS_PER_BILL, Units
from ledger.primitives.codec import encode
from ledger.primitives.hashing import ZERO_HASH, Hash
from ledger.primitives.keys import (
    Address,
    Policy,
    Seed,
    SigningKey,
    address_of,
    verify_many,
)
from ledger.rules.vouchers import attestor_bond
from ledger.state.records import ATTESTORS_LEAST, Role
from ledger.state.tables import LOTS, account, parameters, supply
from ledger.store.answers import LotEntry
from ledger.transition import BlockContext, apply_block, check_transaction, signature_claims
from ledger.types.block import Receipt
from ledger.types.evidence import MilkKind
from ledger.types.trace import Trace
from ledger.types.transaction import Intent, Transaction, decode_transaction, sign
from ledger.types.transfer import Redemption, Transfer
from node.client.errors import NodeUnavailable, Rejected, Unanswered
from node.client.parameters import NUMBER_MAX
from node.client.queries import HISTORY_PAGE, LOTS_PAGE
from node.client.views import (
    AccountView,
    FinalBlock,
    LotView,
    NodeStatus,
    ParametersView,
    PriceView,
    ProductLotView,
    Submission,
    SupplyView,
    TransactionState,
    TransactionView,
)
from node.shell.rpc.lots import lot_view
from node.shell.rpc.price import price_view

DAY_MS = 86_400_000
FEE_UNITS = 100
FOREVER = 2**40


def seed_of(name: str) -> Seed:
    """Make the seed that a name always gives."""
    return Seed(blake2b(name.encode(), digest_size=32, person=b"api-test").digest())


def signing_key(name: str) -> SigningKey:
    """Make the key that a name always gives."""
    return SigningKey(seed_of(name))


CUSTOMER = signing_key("customer")
MERCHANT = signing_key("merchant")
OTHER_MERCHANT = signing_key("other merchant")


def small_genesis(stock_units: int = 10_000 * UNITS_PER_BILL) -> Genesis:
    """Make a chain with one validator, one customer and one lot of whole milk."""
    validator, now_ms = signing_key("validator"), time.time_ns() // 1_000_000
    stake = stock_units // 10
    genesis = Genesis(
        name="api-test",
        prefix="dbill",
        time_ms=now_ms,
        parameters=default_parameters(development=True),
        validators=(
            GenesisValidator(
                validator.public,
                signing_key("vrf").public,
                Units(stake),
                address_of(validator.public),
            ),
        ),
        accounts=(GenesisAccount(address_of(CUSTOMER.public), Units(stock_units - stake)),),
        stock=(
            GenesisStock(
                "stock-1", MilkKind.WHOLE, "plant-1", Units(stock_units), now_ms + 5 * DAY_MS
            ),
        ),
        roles=tuple(
            GenesisRole(Role.ATTESTOR, signing_key(f"attestor-{index}").public)
            for index in range(ATTESTORS_LEAST)
        ),
        devices=(),
    )
    genesis.check()
    return genesis


def _untraced(subject: Hash) -> Trace:
    raise UnknownSubject(subject=subject.hex())


class FakeNode:
    """A ledger in memory behind the client's surface."""

    def __init__(self, genesis: Genesis | None = None, *, automatic: bool = True) -> None:
        self.chain = genesis or small_genesis()
        self.automatic = automatic
        self._state = genesis_state(self.chain)
        self._tip_hash: bytes = genesis_hash(self.chain)
        self._blocks: list[FinalBlock] = []
        self._waiting: dict[bytes, bytes] = {}
        self._final: dict[bytes, TransactionView] = {}
        self._grown = asyncio.Event()
        self._silent = False
        self.mute = False
        self.packed: list[ProductLotView] = []
        self.walk: Callable[[Hash], Trace] = _untraced
        self.finalized_ms = time.time_ns() // 1_000_000
        self.submissions = 0

    def silence(self, silent: bool = True) -> None:
        """Stop answering, or answer again."""
        self._silent = silent
        self._grow()

    def _speak(self) -> None:
        if self._silent:
            raise NodeUnavailable("the node is silent")

    def _grow(self) -> None:
        self._grown.set()
        self._grown = asyncio.Event()

    @property
    def height(self) -> int:
        """Give the height of the last block."""
        return len(self._blocks)

    def make_block(self, time_ms: int | None = None) -> FinalBlock:
        """Execute what waits, as one final block."""
        raws = tuple(self._waiting.values())
        self._waiting.clear()
        block_ms = time.time_ns() // 1_000_000 if time_ms is None else time_ms
        transactions = [decode_transaction(raw) for raw in raws]
        proposer = self.chain.validators[0].owner
        context = BlockContext(self.chain.chain_id, self.height + 1, block_ms, proposer)
        outcome = apply_block(self._state, context, transactions)
        body = encode([self.height + 1, block_ms, [t.id for t in transactions]])
        block_hash = Hash(blake2b(body, digest_size=32).digest())
        block = FinalBlock(
            height=self.height + 1,
            hash=block_hash,
            parent_hash=Hash(self._tip_hash),
            view=self.height + 1,
            epoch=0,
            time_ms=block_ms,
            proposer=proposer,
            transactions=raws,
            receipts=outcome.receipts,
        )
        self._tip_hash = block_hash
        self.finalized_ms = time.time_ns() // 1_000_000
        self._blocks.append(block)
        for place, (transaction, receipt) in enumerate(
            zip(transactions, outcome.receipts, strict=True)
        ):
            self._final[transaction.id] = _final_view(block, place, transaction, receipt)
        self._grow()
        return block

    async def status(self) -> NodeStatus:
        """Say where the chain stands."""
        self._speak()
        books = supply(self._state)
        return NodeStatus(
            name="fake",
            network=self.chain.name,
            prefix=self.chain.prefix,
            chain_id=self.chain.chain_id,
            height=self.height,
            block_hash=Hash(self._tip_hash),
            block_time_ms=self._head_ms(),
            view=self.height,
            epoch=0,
            finalized_ms=self.finalized_ms,
            peers=3,
            validators=4,
            pending=len(self._waiting),
            minted_units=books.minted_units,
            redeemed_units=books.redeemed_units,
            supply_units=books.remaining_units,
            supply_ok=True,
            finality_p50_ms=21.0,
            finality_p95_ms=48.0,
            finality_p99_ms=77.0,
            version="test",
        )

    async def genesis(self) -> bytes:
        """Give the genesis file."""
        self._speak()
        return format_genesis(self.chain).encode()

    async def parameters(self) -> ParametersView:
        """Give the numbers of the law."""
        self._speak()
        rules = parameters(self._state)
        return ParametersView(
            as_of_height=self.height, fee_least_units=rules.fee_least_units, record=encode(rules)
        )

    async def submit(self, raws: Sequence[bytes]) -> list[Submission]:
        """Check transactions and let them wait."""
        self._speak()
        self.submissions += len(raws)
        answers = [self.take(raw) for raw in raws]
        if self.automatic and self._waiting:
            self.make_block()
        if self.mute:
            raise Unanswered("the node did not say")
        return answers

    def take(self, raw: bytes) -> Submission:
        transaction = decode_transaction(raw)
        if transaction.id in self._waiting:
            return Submission(transaction.id, "already_known", "it waits already")
        try:
            mine = sum(
                decode_transaction(r).sender == transaction.sender for r in self._waiting.values()
            )
            nonce = account(self._state, transaction.sender).nonce + mine
            check_transaction(self._state, transaction, self.height + 1, nonce)
        except LedgerFault as fault:
            return Submission(transaction.id, fault.code, str(fault))
        if not all(verify_many(signature_claims(transaction, self.chain.chain_id))):
            return Submission(transaction.id, "bad_signature", "a signature does not hold")
        self._waiting[transaction.id] = raw
        return Submission(transaction.id, "", "")

    async def account(self, address: Address) -> AccountView:
        """Look an account up."""
        self._speak()
        held = account(self._state, address)
        mine = sum(decode_transaction(raw).sender == address for raw in self._waiting.values())
        bond_units = attestor_bond(self._state, address)
        return AccountView(address, held.units, held.nonce, held.nonce + mine, bond_units)

    async def transaction(self, txid: bytes, wait_ms: int = 0) -> TransactionView:
        """Look a transaction up."""
        self._speak()
        if txid in self._final:
            return self._final[txid]
        if txid in self._waiting:
            return TransactionView(Hash(txid), TransactionState.PENDING, raw=self._waiting[txid])
        return TransactionView(Hash(txid), TransactionState.UNKNOWN)

    async def proof(self, txid: bytes, from_epoch: int = 0) -> bytes:
        """Give bytes that stand for a proof; what a real one holds, tests of the node tell."""
        self._speak()
        if txid not in self._final:
            raise Rejected("not_final", "no final block has it", 404)
        return b"proof of " + txid

    async def history(
        self, address: Address, *, before: int = NUMBER_MAX, limit: int = HISTORY_PAGE
    ) -> list[Hash]:
        """List an account's final transactions below a height, newest first."""
        self._speak()
        return [
            view.txid
            for view in reversed(self._final.values())
            if view.height < before and decode_transaction(view.raw).sender == address
        ][:limit]

    async def lot_products(
        self,
        lot: bytes,
        before: tuple[int, Hash] = (NUMBER_MAX, ZERO_HASH),
        limit: int = LOTS_PAGE,
    ) -> list[ProductLotView]:
        """List what was packed from a lot."""
        self._speak()
        return [view for view in self.packed if view.lot == lot][:limit]

    async def lots(self, limit: int = LOTS_PAGE) -> list[LotView]:
        """List the lots."""
        self._speak()
        entries = [(s.lot_id(), LOTS.get(self._state, s.lot_id())) for s in self.chain.stock]
        return [
            lot_view(LotEntry(lot_id, lot), lambda _: 0) for lot_id, lot in entries[:limit] if lot
        ]

    async def lot(self, lot: bytes) -> LotView:
        """Show a lot."""
        self._speak()
        record = LOTS.get(self._state, Hash(lot))
        if record is None:
            raise Rejected("unknown_lot", "there is no such lot", 404)
        return lot_view(LotEntry(Hash(lot), record), lambda _: 0)

    async def trace(self, subject: bytes) -> Trace:
        """Walk back from an id, over the chain that a test lends."""
        self._speak()
        try:
            return self.walk(Hash(subject))
        except StoreFault as fault:
            raise Rejected(fault.code, str(fault), 404) from fault

    async def supply(self) -> SupplyView:
        """Count the tokens."""
        self._speak()
        books = supply(self._state)
        return SupplyView(books.minted_units, books.redeemed_units, books.remaining_units, True)

    async def price(self) -> PriceView:
        """Tell what a litre costs."""
        self._speak()
        return price_view(self._state, self.height, self._head_ms())

    def _head_ms(self) -> int:
        return self._blocks[-1].time_ms if self._blocks else self.chain.time_ms

    def forget_waiting(self) -> None:
        """Lose what waits, as a node does that dies."""
        self._waiting.clear()

    def pending(self) -> int:
        """Count the transactions that wait for a block."""
        return len(self._waiting)

    def chain_blocks(self) -> tuple[FinalBlock, ...]:
        """Give every block that was made."""
        return tuple(self._blocks)

    async def blocks(self, start_height: int) -> AsyncIterator[FinalBlock]:
        """Stream blocks for ever."""
        height = start_height
        while True:
            grown = self._grown
            while not self._silent and height <= self.height:
                yield self._blocks[height - 1]
                height += 1
            await grown.wait()

    def next_nonce(self, key: SigningKey) -> int:
        """Give the nonce that comes after an account's final and waiting transactions."""
        sender = address_of(key.public)
        waiting = sum(decode_transaction(raw).sender == sender for raw in self._waiting.values())
        return account(self._state, sender).nonce + waiting

    def units_of(self, key: SigningKey) -> int:
        """Give what an account holds now."""
        return account(self._state, address_of(key.public)).units


def _final_view(
    block: FinalBlock, place: int, transaction: Transaction, receipt: Receipt
) -> TransactionView:
    return TransactionView(
        transaction.id,
        TransactionState.FINAL,
        height=block.height,
        index=place,
        block_hash=block.hash,
        time_ms=block.time_ms,
        code=receipt.code,
        fee_units=receipt.fee_units,
        raw=block.transactions[place],
    )


def make_transfer(
    node: FakeNode,
    offer: dict[str, object],
    *,
    key: SigningKey = CUSTOMER,
    nonce: int | None = None,
    **changes: object,
) -> Transaction:
    """Sign what an offer asks for, with members changed: units, reference, to, redeem, chain_id."""
    from ledger.primitives.amounts import parse_bill
    from ledger.primitives.keys import parse_address

    amount, redeem = offer["amount"], offer["redeem"]
    assert isinstance(amount, dict)
    assert isinstance(redeem, list)
    body = Transfer(
        to=changes.get("to", parse_address(str(offer["address"]), "dbill")),
        units=changes.get("units", parse_bill(amount["bill"])),
        reference=changes.get("reference", bytes.fromhex(str(offer["reference"]))),
        redeem=changes.get(
            "redeem",
            tuple(Redemption(Hash(bytes.fromhex(r["lot"])), parse_bill(r["bill"])) for r in redeem),
        ),
    )
    intent = Intent(
        chain_id=changes.get("chain_id", node.chain.chain_id),
        sender=Policy.single(key.public),
        nonce=node.next_nonce(key) if nonce is None else nonce,
        fee_units=Units(FEE_UNITS),
        valid_until_height=changes.get("valid_until_height", FOREVER),
        body=body,
    )
    return sign(intent, key)
