"""Routes for everyone: what is sold, what a wallet reads, QR, accounts, the live page's stream.

Nothing here needs a key but reading an order or a payment whole, which is its merchant's.
"""

import contextlib
import io
from html import escape
from importlib.resources import files
from typing import Final

import msgspec
import segno
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

from api.amounts import format_sen, format_time, units_for
from api.auth.keys import Scope
from api.db.faults import DATABASE_FAULTS
from api.errors import MalformedRequest, NotFound, Pointer, Throttled, Unavailable
from api.problems import json_response
from api.routes.headers import likes_better
from api.routes.orders import parse_ulid
from api.routes.requests import seller_of, service_of
from api.service import Service
from api.services.catalogue import product_json
from api.services.orders import order_json
from api.services.payments import HASH_TEXT, payment_json
from ledger.primitives.amounts import Units, format_bill
from ledger.primitives.errors import BadAddress
from ledger.primitives.keys import Address, format_address, parse_address
from node.client.errors import ClientFault

router: Final = APIRouter()

QR_QUIET_MODULES: Final = 4
VARY: Final = {"Vary": "Accept"}
QR_SCALE: Final = 8
PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@router.get("/api/v1/products", tags=["shop"])
async def list_products(request: Request) -> Response:
    """List what is sold, with its price in RM and in BILL."""
    config = service_of(request).config
    data = [
        {
            **product_json(
                product,
                format_bill(units_for(product.price_sen, config.litre_price_sen)),
                format_sen(product.price_sen),
            ),
            "redeem": {"bill": format_bill(Units(product.redeem_units))},
        }
        for product in config.products
    ]
    return json_response({"data": data, "hasMore": False, "nextCursor": None})


@router.get("/api/v1/orders/{order_id}", tags=["shop"])
async def read_order(request: Request, order_id: str) -> Response:
    """Read an order. Needs its merchant's key; another merchant's is not found."""
    service = service_of(request)
    seller = await seller_of(request, Scope.ORDERS_READ)
    row = await service.find_order(parse_ulid(order_id))
    if row is None or row["merchant_id"] != seller.merchant_id:
        raise NotFound("there is no such order")
    return json_response(order_json(row, service.config))


async def _qr(request: Request, order_id: str, kind: str) -> bytes:
    service, order_id = service_of(request), parse_ulid(order_id)
    if await service.find_order(order_id) is None:
        raise NotFound("there is no such order")
    # Level M and capitals keep it at version 3 or 4 for a host's name of ordinary length.
    code = segno.make(service.config.pay_url(order_id), error="m", boost_error=False, micro=False)
    out = io.BytesIO()
    code.save(out, kind=kind, scale=QR_SCALE, border=QR_QUIET_MODULES, light="#fff")
    return out.getvalue()


@router.get("/api/v1/orders/{order_id}/qr.svg", tags=["shop"])
async def qr_svg(request: Request, order_id: str) -> Response:
    """Draw the QR that a wallet scans, as SVG."""
    return Response(await _qr(request, order_id, "svg"), media_type="image/svg+xml")


@router.get("/api/v1/orders/{order_id}/qr.png", tags=["shop"])
async def qr_png(request: Request, order_id: str) -> Response:
    """Draw the QR that a wallet scans, as PNG."""
    return Response(await _qr(request, order_id, "png"), media_type="image/png")


@router.get("/p/{order_id}", tags=["wallet"])
@router.get("/P/{order_id}", include_in_schema=False)
async def read_offer(request: Request, order_id: str) -> Response:
    """Read what a wallet signs: amount, reference, address, lot, chain, fee, validity."""
    service = service_of(request)
    row = await service.find_order(parse_ulid(order_id))
    if row is None:
        raise NotFound("there is no such order")
    if likes_better(request.headers.getlist("accept"), "text/html", "application/json"):
        return _offer_page(row["merchant"], format_sen(row["amount_sen"]), row["state"])
    cursor, config = service.follower.cursor, service.config
    if not cursor.chain_id:
        raise Unavailable("no node has answered yet", retry_after_s=1)
    order = order_json(row, config)
    return json_response(
        {
            "orderId": row["id"],
            "state": row["state"],
            "merchant": row["merchant"],
            "productId": row["product_id"],
            "quantity": row["quantity"],
            "amount": order["amount"],
            "address": order["payTo"],
            "prefix": config.prefix,
            "reference": order["reference"],
            "redeem": order["redeem"],
            "chainId": cursor.chain_id.hex(),
            "fee": format_bill(Units(await service.fee_units())),
            "validUntil": format_time(row["expires_ms"]),
            "validUntilHeight": cursor.height + config.transaction_ttl_blocks,
        },
        headers=VARY,
    )


def _offer_page(merchant: str, myr: str, state: str) -> Response:
    """Tell a phone's camera, which opened the QR in a browser, what this is."""
    page = _asset("offer.html")
    for name, value in (("merchant", merchant), ("amount", myr), ("state", state)):
        page = page.replace("{{" + name + "}}", escape(value.replace("_", " ")))
    return HTMLResponse(page, headers={"Content-Security-Policy": PAGE_POLICY, **VARY})


@router.get("/api/v1/payments/{tx_hash}", tags=["shop"])
async def read_payment(request: Request, tx_hash: str) -> Response:
    """Read a payment by its transaction's hash. Needs its merchant's key."""
    seller = await seller_of(request, Scope.PAYMENTS_READ)
    if HASH_TEXT.fullmatch(tx_hash) is None:
        raise MalformedRequest(
            "a transaction's hash is 64 hex digits", errors=(Pointer("/txHash", "NOT_A_HASH"),)
        )
    row = await service_of(request).find_payment(bytes.fromhex(tx_hash))
    if row is None or row["merchant_id"] != seller.merchant_id:
        raise NotFound("there is no such payment")
    return json_response(payment_json(row))


@router.get("/api/v1/accounts/{address}", tags=["wallet"])
async def read_account(request: Request, address: str) -> Response:
    """Read an account's balance and the nonce that its next transaction bears."""
    service = service_of(request)
    try:
        account: Address = parse_address(address, service.config.prefix)
    except BadAddress as fault:
        raise MalformedRequest(
            str(fault), errors=(Pointer("/address", "NOT_AN_ADDRESS"),)
        ) from fault
    try:
        view = await service.node.account(account)
    except ClientFault as fault:
        raise Unavailable(f"no node answers: {fault}", retry_after_s=1) from fault
    return json_response(
        {
            "address": format_address(account, service.config.prefix),
            "bill": format_bill(view.units),
            "nonce": max(view.nonce, view.pending_nonce),
        }
    )


@router.get("/healthz", tags=["operations"])
async def healthz() -> Response:
    """Say that the process lives."""
    return json_response({"status": "ok"})


@router.get("/readyz", tags=["operations"])
async def readyz(request: Request) -> Response:
    """Say whether payments can be taken: 503 with the reasons, part by part, when not."""
    service: Service = service_of(request)
    readiness = await service.readiness()
    body = {
        **readiness.body(),
        "settledHeight": service.follower.cursor.height,
        "lagBlocks": service.follower.lag_blocks,
        "chainClockAheadMs": service.watch.clock_ahead_ms,
    }
    return json_response(body, 503 if readiness.reason else 200)


@router.get("/metrics", tags=["operations"])
async def read_metrics(request: Request) -> Response:
    """Give the counters in Prometheus' text format."""
    service = service_of(request)
    service.metrics.lag.set(service.follower.lag_blocks)
    service.metrics.streams.set(service.hub.count)
    await service.readiness()
    kind = "text/plain; version=0.0.4; charset=utf-8"
    return Response(service.metrics.render(), media_type=kind)


@router.get("/api/v1/stream", tags=["live"])
async def read_stream(request: Request) -> Response:
    """Stream orders and the chain's pulse: a snapshot, then deltas (Server-Sent Events)."""
    service = service_of(request)
    if not service.config.public_board:
        await seller_of(request, Scope.ORDERS_READ)
    host = request.client.host if request.client else ""
    if not service.hub.places.free(host):
        raise Throttled("too many live pages are open", code="TOO_MANY_STREAMS", retry_after_s=5)
    last = request.headers.get("last-event-id", "")
    since = int(last) if last.isascii() and last.isdecimal() and len(last) <= 18 else None
    return StreamingResponse(
        service.hub.listen(since, service.snapshot, host),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


def _asset(name: str) -> str:
    return files("api.web").joinpath(name).read_text("utf-8")


@router.get("/", include_in_schema=False)
async def live_page(request: Request) -> Response:
    """Show the live page, with what is known now already in it."""
    service, first = service_of(request), b"null"
    if service.config.public_board:
        with contextlib.suppress(*DATABASE_FAULTS):
            first = msgspec.json.encode(await service.snapshot())
    # No text of ours may end the script that holds it.
    data = first.decode().replace("<", "\\u003c")
    page = _asset("live.html").replace("{{first}}", data)
    return HTMLResponse(page, headers={"Content-Security-Policy": PAGE_POLICY})


@router.get("/docs", include_in_schema=False)
async def docs_page() -> Response:
    """Show the interface's description, drawn from /openapi.json by our own page."""
    return HTMLResponse(_asset("docs.html"), headers={"Content-Security-Policy": PAGE_POLICY})
