"""What can be asked of a node, as it goes over its unix socket (docs/spec/wire.md §6).

Requests are tagged by their class' name, in MessagePack. Ids and bounds are checked when a request
is decoded. How each is asked over HTTP, and what it is answered with: `node.client.queries`.
"""

from typing import Annotated, Final

from msgspec import Meta, Struct

from ledger.primitives.hashing import WireHash
from ledger.primitives.keys import WireAddress, WirePublicKey
from ledger.primitives.scalars import Height
from ledger.types.block import RawTransaction

SUBMIT_MAX: Final = 5_000
LOTS_MAX: Final = 1_000
HISTORY_MAX: Final = 1_000
LINES_MAX: Final = 1_000
PORTIONS_SHOWN_MAX: Final = 20_000


class Request(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=True):
    """Something that is asked of a node, in the order of its fields."""


class GetStatus(Request, frozen=True):
    """Ask for `NodeStatus`."""


class GetGenesis(Request, frozen=True):
    """Ask for the genesis file's bytes."""


class SubmitTransactions(Request, frozen=True):
    """Hand in transactions; answered by one `Submission` each."""

    raws: Annotated[tuple[RawTransaction, ...], Meta(max_length=SUBMIT_MAX)]


class GetTransaction(Request, frozen=True):
    """Ask for a `TransactionView`."""

    txid: WireHash


class GetAccount(Request, frozen=True):
    """Ask for an `AccountView`."""

    address: WireAddress


class GetHistory(Request, frozen=True):
    """Ask for the ids of an account's transactions below a height, newest first."""

    address: WireAddress
    before: Height
    limit: Annotated[int, Meta(ge=1, le=HISTORY_MAX)]


class GetHistoryPage(Request, frozen=True):
    """Ask for the `HistoryView`s of an account below a height and index, newest first."""

    address: WireAddress
    before: Height
    index: Annotated[int, Meta(ge=0, lt=2**32)]
    limit: Annotated[int, Meta(ge=1, le=HISTORY_MAX)]


class GetHeightAt(Request, frozen=True):
    """Ask for the height of the last block that is not after a time, or null."""

    time_ms: Height


class GetFarmLots(Request, frozen=True):
    """Ask for the `LotView`s with a farm's milk below a height and lot, newest first."""

    farm: WireAddress
    before: Height
    lot: WireHash
    limit: Annotated[int, Meta(ge=1, le=LOTS_MAX)]


class GetTrace(Request, frozen=True):
    """Ask for a `TraceAnswer`: where the milk of a payment, pack, lot or run came from."""

    subject: WireHash


class GetBlock(Request, frozen=True):
    """Ask for a `FinalBlock`, or null above the head."""

    height: Height


class GetLots(Request, frozen=True):
    """Ask for the newest `LotView`s."""

    limit: Annotated[int, Meta(ge=1, le=LOTS_MAX)]


class GetLot(Request, frozen=True):
    """Ask for the `LotView` of a lot, or null if there is none."""

    lot: WireHash


class GetLotProducts(Request, frozen=True):
    """Ask for the `ProductLotView`s of a lot below a height and product lot, newest first."""

    lot: WireHash
    before: Height
    product: WireHash
    limit: Annotated[int, Meta(ge=1, le=LOTS_MAX)]


class GetLine(Request, frozen=True):
    """Ask for the `LineView` of a line, or null if there is none."""

    line: WireHash


class GetLines(Request, frozen=True):
    """Ask for `LineSummary`s after an id, ascending."""

    after: WireHash
    limit: Annotated[int, Meta(ge=1, le=LINES_MAX)]


class GetProven(Request, frozen=True):
    """Ask for the `ProvenView` of a lot, or null if no window proved it."""

    lot: WireHash


class GetDevice(Request, frozen=True):
    """Ask for the `DeviceView` of a device, or null if there is none."""

    device: WirePublicKey


class GetPermits(Request, frozen=True):
    """Ask for a farm's `PermitView`s by ascending meter."""

    farm: WireAddress
    limit: Annotated[int, Meta(ge=1, le=LINES_MAX)]


class GetMilkTank(Request, frozen=True):
    """Ask for the `MilkTankView` of a tank with its oldest portions, or null if there is none."""

    tank: WireHash
    limit: Annotated[int, Meta(ge=1, le=PORTIONS_SHOWN_MAX)]


class GetSupply(Request, frozen=True):
    """Ask for `SupplyView`."""


class GetPrice(Request, frozen=True):
    """Ask for `PriceView`."""


class GetParameters(Request, frozen=True):
    """Ask for `ParametersView`."""


class GetMetrics(Request, frozen=True):
    """Ask for the node's metrics in Prometheus' text format."""


class GetProof(Request, frozen=True):
    """Ask for the material of a transaction's proof, from an epoch on."""

    txid: WireHash
    from_epoch: Height


class Subscribe(Request, frozen=True):
    """Ask for every finalized block from a height on; nothing else follows on this connection."""

    start: Height
