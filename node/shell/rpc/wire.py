"""What the RPC process asks of the node over the unix socket (docs/spec/wire.md §6).

Frames of MessagePack, as in `framing`. A request bears an id of the asker's choosing; the answer
repeats it. A subscription takes a connection for itself: after `Subscribe` the node sends one
frame a finalized block, in order, from the height on. The socket stands in HOME, mode 0600: who can
open it is the node's own user.
"""

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Raw, Struct

from ledger.primitives.hashing import WireHash
from ledger.primitives.keys import WireAddress
from ledger.primitives.scalars import Height
from ledger.types.block import RawTransaction

REQUEST_BYTES_MAX: Final = 16 * 1024 * 1024
ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024
IN_FLIGHT_MAX: Final = 256
"""Requests of one connection that the node works on at once; more wait in the socket."""
SUBMIT_MAX: Final = 5_000
LOTS_MAX: Final = 1_000
HISTORY_MAX: Final = 1_000


class GetStatus(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=True):
    """Ask for `NodeStatus`."""


class GetGenesis(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=True):
    """Ask for the genesis file's bytes."""


class SubmitTransactions(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=True
):
    """Hand in transactions; answered by one `Submission` each."""

    raws: Annotated[tuple[RawTransaction, ...], Meta(max_length=SUBMIT_MAX)]


class GetTransaction(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=True):
    """Ask for a `TransactionView`."""

    txid: WireHash


class GetAccount(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=True):
    """Ask for an `AccountView`."""

    address: WireAddress


class GetHistory(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=True):
    """Ask for the ids of an account's transactions below a height, newest first."""

    address: WireAddress
    before: Height
    limit: Annotated[int, Meta(ge=1, le=HISTORY_MAX)]


class GetHistoryPage(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=True):
    """Ask for the `HistoryView`s of an account below a height and index, newest first."""

    address: WireAddress
    before: Height
    index: Annotated[int, Meta(ge=0, lt=2**32)]
    limit: Annotated[int, Meta(ge=1, le=HISTORY_MAX)]


class GetHeightAt(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=True):
    """Ask for the height of the last block that is not after a time, or null."""

    time_ms: Height


class GetFarmLots(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=True):
    """Ask for the `LotView`s with a farm's milk below a height and lot, newest first."""

    farm: WireAddress
    before: Height
    lot: WireHash
    limit: Annotated[int, Meta(ge=1, le=LOTS_MAX)]


class GetTrace(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=True):
    """Ask for a `TraceAnswer`: where the milk of a payment, pack, lot or run came from."""

    subject: WireHash


class GetBlock(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=True):
    """Ask for a `FinalBlock`, or null above the head."""

    height: Height


class GetLots(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=True):
    """Ask for the newest `LotView`s."""

    limit: Annotated[int, Meta(ge=1, le=LOTS_MAX)]


class GetSupply(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=True):
    """Ask for `SupplyView`."""


class GetMetrics(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=True):
    """Ask for the node's metrics in Prometheus' text format."""


class GetProof(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=True):
    """Ask for a `ProofAnswer`: the material of a transaction's proof, from an epoch on."""

    txid: WireHash
    from_epoch: Height


class Subscribe(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=True):
    """Ask for every finalized block from a height on; nothing else follows on this connection."""

    start: Height


Request = (
    GetStatus
    | GetGenesis
    | SubmitTransactions
    | GetTransaction
    | GetAccount
    | GetHistory
    | GetHistoryPage
    | GetHeightAt
    | GetFarmLots
    | GetTrace
    | GetBlock
    | GetLots
    | GetSupply
    | GetMetrics
    | GetProof
    | Subscribe
)


class Ask(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A request under its id."""

    id: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    request: Request


class Answer(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The answer to the request of this id: a value, or why there is none."""

    id: int
    fault: str
    value: Raw = Raw(b"\xc0")


encoder: Final = msgspec.msgpack.Encoder()
ask_decoder: Final = msgspec.msgpack.Decoder(Ask)
answer_decoder: Final = msgspec.msgpack.Decoder(Answer)
