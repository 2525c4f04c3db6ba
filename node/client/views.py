"""What a node shows of itself and its chain: the answers of its RPC, as frozen structs.

One set of shapes for the unix socket, for MessagePack over HTTP and for the client. JSON for people
is made from them by `present`: hex for hashes, bech32m for addresses, decimal BILL for
amounts. Amounts inside are whole units, always.
"""

from enum import StrEnum
from typing import Final

from msgspec import Struct

from ledger.params import Parameters
from ledger.primitives.amounts import Units, format_bill
from ledger.primitives.codec import decode
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address, format_address
from ledger.types.block import Receipt
from ledger.types.trace import Trace


class NodeStatus(Struct, frozen=True):
    """Where a node stands. `finalized_ms` is the time at which it last saw a block become final."""

    name: str
    network: str
    prefix: str
    chain_id: Hash
    height: int
    block_hash: Hash
    block_time_ms: int
    view: int
    epoch: int
    finalized_ms: int
    peers: int
    validators: int
    pending: int
    minted_units: Units
    redeemed_units: Units
    supply_units: Units
    supply_ok: bool
    finality_p50_ms: float
    finality_p95_ms: float
    finality_p99_ms: float
    version: str
    clock_ahead_ms: int = 0
    """How far the last final block's time is ahead of this node's clock; 0 if it isn't.

    More than 2,000: a quorum's clocks were wrong once, or this node's is slow now.
    """
    kept_from: int = 1
    """The least height above 0 whose block is kept whole here; 1 unless old ones were pruned."""


class Submission(Struct, frozen=True):
    """What became of one submitted transaction: `code` is empty if it was taken in."""

    txid: Hash | None
    code: str
    detail: str


class AccountView(Struct, frozen=True):
    """An account's balance, and the nonce its next transaction bears. Unknown accounts are empty.

    `pending_nonce` also counts the transactions that wait in this node's pool;
    `attestor_bond_units` is what an attestor of this account's key has at stake.
    """

    address: Address
    units: Units
    nonce: int
    pending_nonce: int
    attestor_bond_units: Units = Units(0)


class TransactionState(StrEnum):
    """How far a transaction has come, as this node knows."""

    UNKNOWN = "unknown"
    PENDING = "pending"
    FINAL = "final"
    PRUNED = "pruned"
    """Final once, but what became of it must be asked of a node that keeps older blocks."""


class TransactionView(Struct, frozen=True):
    """One transaction. Past `state`, the fields tell of its block and are empty until final.

    `code` is empty if it took effect; else it failed, paid its fee and did nothing more.
    """

    txid: Hash
    state: TransactionState
    height: int = 0
    index: int = 0
    block_hash: Hash | None = None
    time_ms: int = 0
    code: str = ""
    fee_units: Units = Units(0)
    raw: bytes = b""


class HistoryView(Struct, frozen=True):
    """One transaction of an account's history; (height, index) is the cursor to go on from."""

    txid: Hash
    height: int
    index: int


class TraceAnswer(Struct, frozen=True):
    """A trace, or the code of the fault that there is none, and its sentence."""

    trace: Trace | None
    code: str = ""
    detail: str = ""


class FinalBlock(Struct, frozen=True):
    """A block that can never be undone; receipts stand in the order of the transactions."""

    height: int
    hash: Hash
    parent_hash: Hash
    view: int
    epoch: int
    time_ms: int
    proposer: Address
    transactions: tuple[bytes, ...]
    receipts: tuple[Receipt, ...]


class LotView(Struct, frozen=True):
    """A lot of milk: what was minted on it, and what of it can still be sold, loose or in packs.

    remaining = loose + packed and unsold. Loose milk is redeemed by the lot's id, packs by their
    product lot's.
    """

    id: Hash
    kind: str
    plant: str
    line: str
    height: int
    """The block that minted it."""
    minted_units: Units
    remaining_units: Units
    loose_units: Units
    packed_unsold_units: Units
    reserved_units: Units
    """Of the loose: what payments redeem that wait in this node's pool, and may yet fail."""
    expires_ms: int
    status: str
    """Sound, frozen or recalled: only a sound lot in date is sold."""


class ProductLotView(Struct, frozen=True):
    """A product lot: packs of one size, filled from one lot. `sold_units` are redeemed."""

    id: Hash
    lot: Hash
    height: int
    """The block that packed it."""
    packs: int
    pack_units: Units
    sold_units: Units
    left_units: Units
    """What can still be sold: less than was not sold yet where the lot has lost milk since."""
    reserved_units: Units
    """Of what is left: what payments redeem that wait in this node's pool, and may yet fail."""


class SupplyView(Struct, frozen=True):
    """The tokens there are: minted minus redeemed equals supply, or `ok` is False."""

    minted_units: Units
    redeemed_units: Units
    supply_units: Units
    ok: bool


class FeedView(Struct, frozen=True):
    """What a feeder said in the open round, and when."""

    feeder: Address
    litre_micro_myr: int
    fed_ms: int


class ParametersView(Struct, frozen=True, kw_only=True):
    """The numbers of the law in force after the last final block."""

    as_of_height: int
    fee_least_units: Units
    """The least fee of a transaction of up to a kilobyte."""
    record: bytes
    """The `Parameters`, as the state holds them (docs/spec/encoding.md, §7)."""

    def decoded(self) -> Parameters:
        """Read the record."""
        return decode(self.record, Parameters, len(self.record))


class PriceView(Struct, frozen=True, kw_only=True):
    """What a litre costs as of the last final block, in millionths of a ringgit, and who says so.

    The price is 0 before the first. What the open round makes it lies from `low` to `high`.
    """

    round: int
    """The round that is open: the one that a feed names."""
    litre_micro_myr: int
    updated_ms: int
    """When the last round closed."""
    height: int
    time_ms: int
    """The time of the last final block, by which the law tells the price's age."""
    fresh_ms: int
    """How old the price, and a feed, may be."""
    low_micro_myr: int
    high_micro_myr: int
    floor_micro_myr: int
    ceiling_micro_myr: int
    quorum: int
    """How many feeds close a round."""
    feeders_least: int
    """With fewer feeders none is listened to."""
    feeders: tuple[Address, ...]
    feeds: tuple[FeedView, ...]
    """Those that count: of feeders, and fresh."""
    fee_units: Units
    """What a feed costs at least."""


ADDRESS_NAMES: Final = frozenset(
    {
        "address",
        "collector",
        "farm",
        "feeder",
        "feeders",
        "mmu",
        "operator",
        "proposer",
        "sender",
    }
)
"""Fields whose bytes are an address; all other bytes are shown in hex."""

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


def present(value: object, prefix: str, name: str = "") -> Json:
    """Make JSON for people of a view: `*_units` become decimal `*_bill`, bytes become hex."""
    match value:
        case None | bool() | float() | str():
            return value
        case int():
            return value
        case bytes():
            if name in ADDRESS_NAMES:
                return format_address(Address(value), prefix)
            return value.hex()
        case list() | tuple():
            return [present(item, prefix, name) for item in value]
        case Struct():
            fields = {key: getattr(value, key) for key in value.__struct_fields__}
            return dict(_present_field(key, field, prefix) for key, field in fields.items())
    raise AssertionError(f"no view holds a {type(value).__name__}")


def _present_field(name: str, value: object, prefix: str) -> tuple[str, Json]:
    """Present one field; amounts change their name with their unit."""
    shown = bill_name(name)
    if isinstance(value, int) and shown:
        return shown, format_bill(Units(value))
    return name, present(value, prefix, name)


def bill_name(name: str) -> str:
    """Name the field that shows an amount in BILL; empty for a field that holds none."""
    if name == "units" or name.endswith("_units"):
        return name.removesuffix("units") + "bill"
    return ""
