"""Where milk comes from, for everyone: asked of a node, which walks its own blocks.

The service adds what a customer has in hand, an order or its code, and where each step's proof of
finality is read. Who trusts no node asks for those proofs and knows a committee.
"""

from collections.abc import Awaitable
from typing import Final, TypeVar

from api.errors import ApiFault, MalformedRequest, NotFound, Pointer, Unavailable
from api.http.pages import Listing, asked_for
from api.http.routes import ApiCall, Route
from api.http.scalars import HASH_TEXT
from api.orders.model import Order
from api.orders.wallet_routes import CODE_TEXT, parse_ulid
from api.trace.schemas import LotCard, LotsQuery, MilkLotView, TraceView
from api.trace.store import redeeming_payments
from api.trace.views import lot_card, lot_members, packs_view, trace_view
from ledger.errors.store import NoMilkBehind, PrunedBlock
from ledger.types.trace import Trace
from node.client.errors import ClientFault, Rejected
from node.client.requests import LOTS_MAX
from node.client.views import LotView

LIST: Final = "listLots"
PRODUCTS_MAX: Final = 200

T = TypeVar("T")


async def list_lots(call: ApiCall) -> Listing[LotCard]:
    """List the newest lots that there are, newest first."""
    query, cursors = call.query, call.service.cursors
    owner = asked_for(query, "")
    below = cursors.read(query.cursor, LIST, owner)
    lots = await _asked(call.service.node.lots(LOTS_MAX))
    shown = [
        lot
        for lot in sorted(lots, key=_place, reverse=True)
        if (query.kind is None or lot.kind == query.kind)
        and (query.status is None or lot.status == query.status)
        and (below is None or _place(lot) < below)
    ]
    return cursors.page(shown[: query.limit + 1], query.limit, _place, lot_card, LIST, owner)


def _place(lot: LotView) -> tuple[int, str]:
    return lot.height, lot.id.hex()


async def read_lot(call: ApiCall) -> MilkLotView:
    """Give a lot, with what was packed from it."""
    lot_id, node = _hash_of(call.path["lotId"], "/lotId"), call.service.node
    lot = await _asked(node.lot(lot_id))
    products = await _asked(node.lot_products(lot_id, limit=PRODUCTS_MAX + 1))
    return MilkLotView(
        **lot_members(lot),  # type: ignore[arg-type]  # the members' types are there
        products=[packs_view(one) for one in products[:PRODUCTS_MAX]],
        more_products=len(products) > PRODUCTS_MAX,
    )


async def read_trace(call: ApiCall) -> TraceView:
    """Walk from a payment, pack, lot or order back to the farms."""
    subject, service = call.path["subject"], call.service
    order = None if HASH_TEXT.fullmatch(subject) else await _order_of(call, subject.upper())
    if order is None:
        begun, whole = [bytes.fromhex(subject)], True
    else:
        async with service.engine.connect() as connection:
            begun, whole = await redeeming_payments(connection, order)
        # Packs that came back tell of their own lot: their payment burned nothing.
        lots = [part.lot for part in order.basket] + [part.lot for part in order.returned]
        begun = begun or [bytes.fromhex(lot) for lot in lots]
    traces: list[Trace] = [await _asked(service.node.trace(one)) for one in begun]
    order_id = None if order is None else order.id
    return trace_view(traces, service.config.prefix, order_id, whole=whole)


async def _order_of(call: ApiCall, name: str) -> Order:
    """Find the order of an id or a typed code."""
    service = call.service
    found = await service.find_code(name) if CODE_TEXT.fullmatch(name) else parse_ulid(name)
    order = None if found is None else await service.find_order(found)
    if order is None:
        raise NotFound("there is no such order")
    return order


def _hash_of(text: str, pointer: str) -> bytes:
    if HASH_TEXT.fullmatch(text) is None:
        fault = Pointer(pointer, "NOT_A_HASH")
        raise MalformedRequest("a lot's id is 64 hex digits", errors=(fault,))
    return bytes.fromhex(text)


async def _asked(answer: Awaitable[T]) -> T:
    """Give a node's answer; raise `NotFound`, or `Unavailable` if none answers."""
    try:
        return await answer
    except Rejected as fault:
        raise _told(fault) from fault
    except ClientFault as fault:
        raise Unavailable(f"no node answers: {fault}", retry_after_s=1) from fault


def _told(fault: Rejected) -> ApiFault:
    match fault.code:
        case NoMilkBehind.code:
            return NotFound(fault.detail, code="NO_MILK_BEHIND")
        case PrunedBlock.code:
            return NotFound(fault.detail, code="HISTORY_PRUNED")
    return NotFound("the chain knows nothing of this id")


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/v1/lots",
        operation=LIST,
        summary="List the newest lots of milk, newest first: at most the newest 1,000",
        tag="trace",
        handler=list_lots,
        query=LotsQuery,
        answer=Listing[LotCard],
        codes=("LEDGER_UNAVAILABLE",),
    ),
    Route(
        method="GET",
        path="/api/v1/lots/{lotId}",
        operation="readLot",
        summary="Read a lot of milk, with what was packed from it",
        tag="trace",
        handler=read_lot,
        answer=MilkLotView,
        codes=("MALFORMED_REQUEST", "NOT_FOUND", "LEDGER_UNAVAILABLE"),
    ),
    Route(
        method="GET",
        path="/api/v1/trace/{subject}",
        operation="readTrace",
        summary="Walk from a pack, lot, payment or order to the farms, with the proof of each step",
        tag="trace",
        handler=read_trace,
        answer=TraceView,
        codes=("NOT_FOUND", "NO_MILK_BEHIND", "HISTORY_PRUNED", "LEDGER_UNAVAILABLE"),
    ),
)
