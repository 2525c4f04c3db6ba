"""The transition: one block on one state. Read this as the table of contents of the law.

    for each transaction:   envelope holds -> fee charged, nonce used -> body, or rolled back
    at the end:             fees to the proposer -> what is due -> books agree -> state root

A transaction whose envelope does not hold can't stand in a block: a proposer leaves it out, and
a block that has it is invalid. One whose body is refused pays, uses its nonce, and is recorded
as failed under the fault's code.

Signatures are not checked here: `signature_claims` says what must hold, and who executes a block
has verified it before (in other threads, each transaction once).

Alice pays a shop, in the first block of a chain:

>>> from ledger.genesis import (
...     Genesis, GenesisAccount, GenesisStock, GenesisValidator, genesis_state
... )
>>> from ledger.params import default_parameters
>>> from ledger.primitives.keys import Policy, Seed, SigningKey
>>> from ledger.types.evidence import MilkKind
>>> from ledger.types.transaction import sign
>>> from ledger.types.transfer import Transfer
>>> key = SigningKey(Seed(bytes(32)))
>>> alice = Policy.single(key.public)
>>> shop = Policy.single(SigningKey(Seed(bytes([1] * 32))).public).address()
>>> genesis = Genesis(
...     "example", "dbill", 1_000, default_parameters(development=True),
...     validators=(GenesisValidator(key.public, key.public, 5_000, shop),),
...     accounts=(GenesisAccount(alice.address(), 1_000),),
...     stock=(GenesisStock("milk", MilkKind.UHT, "plant", 6_000, expires_ms=10**13),),
...     roles=(), devices=(),
... )
>>> pay = Transfer(shop, 700, reference=bytes(32), redeem=())
>>> payment = sign(Intent(genesis.chain_id, alice, 0, 200, 10, pay), key)
>>> context = BlockContext(genesis.chain_id, height=1, time_ms=2_000, proposer=shop)
>>> outcome = apply_block(genesis_state(genesis), context, [payment])
>>> outcome.receipts[0].code, outcome.fees_units
('', 200)
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ledger.errors.base import (
    BadPlaces,
    BadPolicy,
    LedgerFault,
    Refused,
    TransactionExpired,
    WrongChain,
)
from ledger.invariants import check_block
from ledger.primitives.amounts import Units
from ledger.primitives.codec import encode
from ledger.primitives.errors import BadKey
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address
from ledger.primitives.merkle import merkle_root
from ledger.rules import (
    BlockContext,
    Call,
    apply_body,
    body_claims,
    check_body,
    end_block,
    returns_fee,
)
from ledger.rules.claims import Claim
from ledger.rules.fees import charge_fee, check_fee, pay_fees, return_fee
from ledger.state.overlay import Overlay, Reader
from ledger.state.parties import parties_of
from ledger.state.tables import chain_id
from ledger.types.block import BLOCK_TRANSACTIONS_MAX, Receipt
from ledger.types.transaction import Intent, Transaction

__all__ = [
    "BlockContext",
    "BlockOutcome",
    "Execution",
    "Selection",
    "apply_block",
    "check_transaction",
    "receipts_root",
    "select_transactions",
    "signature_claims",
    "transactions_root",
]

_RAW_HEAD_BYTES = 5
"""What MessagePack puts before a raw transaction, at most."""


@dataclass(frozen=True, slots=True)
class BlockOutcome:
    """What a block did. The changes themselves are on the overlay that it ran on.

    `parties` are those whose records each transaction changed, by the transactions' order.
    """

    receipts: tuple[Receipt, ...]
    parties: tuple[tuple[Address, ...], ...]
    receipts_root: Hash
    state_root: Hash
    fees_units: int


@dataclass(frozen=True, slots=True)
class Selection:
    """What a proposer took into its block, and what it left out and why.

    `included` and the numbers in `refused` are in the candidates' order.
    """

    included: tuple[bytes, ...]
    refused: tuple[tuple[int, LedgerFault], ...]


def check_transaction(
    reader: Reader,
    transaction: Transaction,
    next_height: int,
    expected_nonce: int | None = None,
) -> None:
    """Raise the fault that a transaction would meet in the next block, as far as can be known.

    For a mempool. `expected_nonce` overrides the account's, for a sender with transactions on
    their way. Signatures are not checked.
    """
    intent, sender = transaction.intent, transaction.sender
    _check_envelope(transaction, chain_id(reader), next_height)
    check_fee(reader, sender, intent, expected_nonce)
    check_body(reader, Call(sender, intent.nonce, intent.fee_units), intent.body)


def signature_claims(transaction: Transaction, chain: Hash) -> list[Claim]:
    """List every signature that must hold: the sender's, and those that its body shows."""
    intent = transaction.intent
    if any(place >= len(intent.sender.keys) for place, _ in transaction.signatures):
        raise BadPlaces(got=len(transaction.signatures), expected=intent.sender.threshold)
    claims = transaction.signature_claims()
    return claims + body_claims(intent.body, transaction.sender, chain)


def _check_envelope(transaction: Transaction, chain: Hash, height: int) -> None:
    """Raise unless chain, policy, places and validity hold."""
    intent: Intent = transaction.intent
    if intent.chain_id != chain:
        raise WrongChain(got=intent.chain_id.hex(), expected=chain.hex())
    try:
        intent.sender.check()
    except BadKey as fault:
        raise BadPolicy(why=str(fault)) from fault
    places = [place for place, _ in transaction.signatures]
    threshold, keys = intent.sender.threshold, len(intent.sender.keys)
    ascending = all(a < b for a, b in itertools.pairwise(places))
    # Exactly the threshold: with more, anyone could strip one and change the raw bytes.
    if len(places) != threshold or not ascending or places[-1] >= keys:
        raise BadPlaces(got=len(places), expected=threshold)
    if intent.valid_until_height < height:
        raise TransactionExpired(valid_until=intent.valid_until_height, height=height)


class Execution:
    """A block under way: transactions go in one by one, then it is finished, once."""

    __slots__ = ("_fees_units", "_parties", "_receipts", "context", "overlay")

    def __init__(self, overlay: Overlay, context: BlockContext) -> None:
        self.overlay = overlay
        self.context = context
        self._receipts: list[Receipt] = []
        self._parties: list[tuple[Address, ...]] = []
        self._fees_units = 0

    def include(self, transaction: Transaction) -> Receipt:
        """Execute a transaction; raise an `Unincludable` fault and leave no trace if it can't be.

        A body that is refused leaves its fee, its nonce and a receipt with the fault's code. The
        receipt tells the fee that was kept: 0 where the law gives it back.
        """
        intent, sender, context = transaction.intent, transaction.sender, self.context
        _check_envelope(transaction, context.chain_id, context.height)
        savepoint = self.overlay.savepoint()
        charge_fee(self.overlay, sender, intent)
        comes_back = returns_fee(self.overlay, intent.body)
        code, fee_units = self._try_body(sender, intent), intent.fee_units
        if comes_back and not code:
            return_fee(self.overlay, sender, intent)
            fee_units = Units(0)
        receipt = Receipt(transaction.id, code, fee_units)
        self._fees_units += fee_units
        self._receipts.append(receipt)
        self._parties.append(parties_of(self.overlay.touched(savepoint)))
        return receipt

    def _try_body(self, sender: Address, intent: Intent) -> str:
        savepoint = self.overlay.savepoint()
        try:
            call = Call(sender, intent.nonce, 0)
            apply_body(self.overlay, self.context, call, intent.body)
        except Refused as fault:
            self.overlay.rollback(savepoint)
            return fault.code
        return ""

    def finish(self) -> BlockOutcome:
        """Pay the proposer, check the books, and give receipts and roots."""
        pay_fees(self.overlay, self.context.proposer, self._fees_units)
        end_block(self.overlay, self.context)
        check_block(self.overlay)
        receipts = tuple(self._receipts)
        roots = receipts_root(receipts), self.overlay.root()
        return BlockOutcome(receipts, tuple(self._parties), *roots, self._fees_units)


def apply_block(
    overlay: Overlay, context: BlockContext, transactions: Sequence[Transaction]
) -> BlockOutcome:
    """Execute a block; raise an `Unincludable` fault if it holds what no block may hold.

    - `overlay`: the state after the parent; the changes are left on it, also half of them when it
      raises, so give it one to throw away.
    - `context`: chain, height, the block's own time in milliseconds, whom its fees are paid to.
    - `transactions`: in the block's order, their signatures verified before (`signature_claims`).

    A transaction whose body is refused is no error: it pays, and its receipt has the fault's code.
    An `AssertionError` says that the books do not agree, a bug here: stop. See the module's head.
    """
    execution = Execution(overlay, context)
    for transaction in transactions:
        execution.include(transaction)
    return execution.finish()


def select_transactions(
    execution: Execution,
    candidates: Iterable[tuple[bytes, Transaction]],
    *,
    bytes_max: int,
    count_max: int = BLOCK_TRANSACTIONS_MAX,
) -> Selection:
    """Fill a block under way from candidates, each as raw bytes and decoded, in their order.

    What can't be included is left out with its fault; what no longer fits waits for another
    block without one.
    """
    included: list[bytes] = []
    refused: list[tuple[int, LedgerFault]] = []
    room = bytes_max
    for number, (raw, transaction) in enumerate(candidates):
        if len(included) >= count_max:
            break
        if len(raw) + _RAW_HEAD_BYTES > room:
            continue
        try:
            execution.include(transaction)
        except LedgerFault as fault:
            refused.append((number, fault))
            continue
        included.append(raw)
        room -= len(raw) + _RAW_HEAD_BYTES
    return Selection(tuple(included), tuple(refused))


def transactions_root(transactions: Sequence[bytes]) -> Hash:
    """Commit to a block's transactions: a Merkle root over their raw bytes."""
    return merkle_root(transactions)


def receipts_root(receipts: Sequence[Receipt]) -> Hash:
    """Commit to a block's receipts: a Merkle root over their encodings."""
    return merkle_root([encode(receipt) for receipt in receipts])
