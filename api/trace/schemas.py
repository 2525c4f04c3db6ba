"""Lots and traces in JSON. Every step names its transaction, and where the proof of it is read."""

from typing import Annotated

import msgspec
from msgspec import Meta

from api.http.pages import PageQuery
from api.http.scalars import AddressText, BillText, HashText, TimeText, UlidText
from ledger.state.records import LotStatus
from ledger.types.evidence import MilkKind

PublicKeyText = Annotated[
    str, Meta(pattern="^[0-9a-f]{64}$", description="A device's or attestor's public key in hex.")
]


class LotsQuery(PageQuery, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Which lots are asked for: of the newest that there are."""

    kind: MilkKind | None = None
    status: LotStatus | None = None


class LotCard(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A lot of milk, and what of it can still be sold."""

    id: HashText
    kind: str
    plant: str
    line: str
    height: Annotated[int, Meta(description="The block that minted it.")]
    minted: BillText
    remaining: BillText
    loose: Annotated[BillText, Meta(description="What remains and is in no pack.")]
    packed: Annotated[BillText, Meta(description="What remains and is in packs.")]
    expires_at: TimeText
    status: Annotated[str, Meta(description="`sound`, or not sold: `frozen`, `recalled`.")]


class PacksView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Packs of one size, filled from a lot: what a pack's print leads to."""

    id: HashText
    height: Annotated[int, Meta(description="The block that packed it.")]
    packs: int
    pack: BillText
    sold: BillText
    left: BillText


class MilkLotView(LotCard, frozen=True, rename="camel", kw_only=True):
    """A lot with what was packed from it."""

    products: Annotated[list[PacksView], Meta(description="Its product lots, newest first.")]
    more_products: Annotated[
        bool, Meta(description="Whether there are older product lots than these 200.")
    ]


class StepView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Where on the chain something happened."""

    height: int
    block_hash: HashText
    at: TimeText
    tx_hash: Annotated[
        HashText | None,
        Meta(description="Null in the genesis, and where the node no longer keeps the body."),
    ]
    proof: Annotated[
        str | None,
        Meta(description="Where on this service the proof of finality is read."),
    ]


class MeterSpanView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What a farm's meter counted from one reading to another, and where the chain took it in."""

    device: PublicKeyText
    boot: int
    first_sequence: int
    last_sequence: int
    step: StepView


class FarmView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """How much of a farm's milk is in the lot, and the collections that it can have come from."""

    farm: AddressText
    meter: PublicKeyText
    milk: BillText
    spans: list[MeterSpanView]


class TankView(msgspec.Struct, frozen=True, rename="camel"):
    """The tank that the line was fed from."""

    id: HashText
    name: str


class IntervalView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """When milk counted, and how much."""

    begins_at: TimeText = msgspec.field(name="from")
    ends_at: TimeText = msgspec.field(name="to")
    milk: BillText
    void: Annotated[bool, Meta(description="Whether it was found false since.")]


class InstrumentView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The readings of one instrument behind a window: those after one, up to another."""

    device: PublicKeyText
    instrument: str
    after_boot: int | None
    after_sequence: int | None
    last_boot: int
    last_sequence: int


class WindowView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What proved the lot: a window of a line, every reading in it, and who signed for that."""

    line: HashText
    begins_at: TimeText = msgspec.field(name="from")
    ends_at: TimeText = msgspec.field(name="to")
    intervals: list[IntervalView]
    instruments: list[InstrumentView]
    readings_root: HashText
    readings_count: int
    attestors: list[PublicKeyText]
    contestable_until: TimeText


class TracedLot(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The lot that a window made."""

    id: HashText
    kind: str
    plant: str
    line: str
    mmu: AddressText
    minted: BillText
    remaining: BillText
    expires_at: TimeText
    status: str
    stock: Annotated[bool, Meta(description="On record at genesis: no readings are behind it.")]
    readings_root: HashText
    step: StepView


class TracedPack(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The product lot: packs of one size that were filled from the lot."""

    id: HashText
    packs: int
    pack: BillText
    sold: BillText
    step: StepView


class SaleView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The payment that redeemed the milk. Who paid is nobody's business here."""

    redeemed: BillText
    step: StepView


class WayView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One lot's way from its pack to its farms; what does not apply is null."""

    redeemed: Annotated[BillText, Meta(description="What the sale redeemed of it.")]
    pack: TracedPack | None
    lot: TracedLot
    window: WindowView | None
    tank: TankView | None
    farms: list[FarmView]
    complete: Annotated[bool, Meta(description="Whether it was walked to its end.")]


class TraceView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Everything behind an id: sales, if it is one or an order, and the ways of their milk."""

    order_id: UlidText | None
    sales: Annotated[
        list[SaleView],
        Meta(description="Empty for a pack or lot, and for an order that nobody has paid yet."),
    ]
    milk: list[WayView]
    complete: bool
