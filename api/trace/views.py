"""How a node's lots and traces are shown. Pure."""

from collections.abc import Sequence
from typing import Final

from api.amounts import format_time
from api.trace.schemas import (
    FarmView,
    InstrumentView,
    IntervalView,
    LotCard,
    MeterSpanView,
    PacksView,
    SaleView,
    StepView,
    TankView,
    TracedLot,
    TracedPack,
    TraceView,
    WayView,
    WindowView,
)
from ledger.primitives.amounts import format_bill
from ledger.primitives.keys import format_address
from ledger.types.trace import (
    Farm,
    InstrumentSpan,
    LineWindow,
    LotStep,
    Pack,
    Provenance,
    Sale,
    Trace,
    TraceStep,
)
from node.client.views import LotView, ProductLotView

PROOFS: Final = "/api/v1/proofs/"


def lot_members(lot: LotView) -> dict[str, object]:
    """Give what is shown of a lot wherever it is shown."""
    return {
        "id": lot.id.hex(),
        "kind": lot.kind,
        "plant": lot.plant,
        "line": lot.line,
        "height": lot.height,
        "minted": format_bill(lot.minted_units),
        "remaining": format_bill(lot.remaining_units),
        "loose": format_bill(lot.loose_units),
        "packed": format_bill(lot.packed_unsold_units),
        "expires_at": format_time(lot.expires_ms),
        "status": lot.status,
    }


def lot_card(lot: LotView) -> LotCard:
    """Present a lot in a list."""
    return LotCard(**lot_members(lot))  # type: ignore[arg-type]  # the members' types are above


def packs_view(product: ProductLotView) -> PacksView:
    """Present a product lot."""
    return PacksView(
        id=product.id.hex(),
        height=product.height,
        packs=product.packs,
        pack=format_bill(product.pack_units),
        sold=format_bill(product.sold_units),
        left=format_bill(product.left_units),
    )


def trace_view(
    traces: Sequence[Trace], prefix: str, order_id: str | None, *, whole: bool
) -> TraceView:
    """Present what is behind an id; `whole` if these are all the traces that it has."""
    return TraceView(
        order_id=order_id,
        sales=[_sale(trace.sale) for trace in traces if trace.sale is not None],
        milk=[_way(way, prefix) for trace in traces for way in trace.milk],
        complete=whole and all(trace.complete for trace in traces),
    )


def _step(step: TraceStep) -> StepView:
    tx_hash = None if step.txid is None else step.txid.hex()
    return StepView(
        height=step.height,
        block_hash=step.block_hash.hex(),
        at=format_time(step.time_ms),
        tx_hash=tx_hash,
        proof=None if tx_hash is None else PROOFS + tx_hash,
    )


def _sale(sale: Sale) -> SaleView:
    return SaleView(redeemed=format_bill(sale.redeemed_units), step=_step(sale.step))


def _way(way: Provenance, prefix: str) -> WayView:
    return WayView(
        redeemed=format_bill(way.redeemed_units),
        pack=None if way.pack is None else _pack(way.pack),
        lot=_lot(way.lot, prefix),
        window=None if way.window is None else _window(way.window),
        tank=None if way.tank is None else TankView(way.tank.tank.hex(), way.tank.name),
        farms=[_farm(farm, prefix) for farm in way.farms],
        complete=way.complete,
    )


def _pack(pack: Pack) -> TracedPack:
    return TracedPack(
        id=pack.pack.hex(),
        packs=pack.packs,
        pack=format_bill(pack.pack_units),
        sold=format_bill(pack.sold_units),
        step=_step(pack.packed),
    )


def _lot(lot: LotStep, prefix: str) -> TracedLot:
    return TracedLot(
        id=lot.lot.hex(),
        kind=lot.kind,
        plant=lot.plant,
        line=lot.line,
        mmu=format_address(lot.mmu, prefix),
        minted=format_bill(lot.minted_units),
        remaining=format_bill(lot.remaining_units),
        expires_at=format_time(lot.expires_ms),
        status=lot.status,
        stock=lot.stock,
        readings_root=lot.readings_root.hex(),
        step=_step(lot.minted),
    )


def _window(window: LineWindow) -> WindowView:
    return WindowView(
        line=window.line.hex(),
        begins_at=format_time(window.from_ms),
        ends_at=format_time(window.to_ms),
        intervals=[
            IntervalView(
                begins_at=format_time(one.from_ms),
                ends_at=format_time(one.to_ms),
                milk=format_bill(one.units),
                void=one.void,
            )
            for one in window.intervals
        ],
        instruments=[_instrument(one) for one in window.instruments],
        readings_root=window.readings_root.hex(),
        readings_count=window.readings_count,
        attestors=[key.hex() for key in window.attestors],
        contestable_until=format_time(window.contestable_until_ms),
    )


def _instrument(span: InstrumentSpan) -> InstrumentView:
    return InstrumentView(
        device=span.device.hex(),
        instrument=span.instrument,
        after_boot=None if span.after is None else span.after.boot,
        after_sequence=None if span.after is None else span.after.seq,
        last_boot=span.last.boot,
        last_sequence=span.last.seq,
    )


def _farm(farm: Farm, prefix: str) -> FarmView:
    return FarmView(
        farm=format_address(farm.farm, prefix),
        meter=farm.meter.hex(),
        milk=format_bill(farm.units),
        spans=[
            MeterSpanView(
                device=span.device.hex(),
                boot=span.boot,
                first_sequence=span.first_seq,
                last_sequence=span.last_seq,
                step=_step(span.step),
            )
            for span in farm.spans
        ],
    )
