"""Orders, their QR, their offer and their payment: what a till and a wallet do.

`POST /api/v1/orders` wants an Idempotency-Key; a posted transaction is its own. Who knows an
order's ULID may read its offer and pay it, as who holds a bill may; reading it as an order takes
its merchant's key.
"""

import io
from collections.abc import Mapping
from html import escape
from typing import Any, Final

import segno
from starlette.responses import HTMLResponse, Response
from ulid import ULID

from api.amounts import format_sen, format_time
from api.errors import NotFound, Pointer, Unavailable, Unprocessable
from api.http.catalogue import LEDGER_CODES
from api.http.headers import likes_better
from api.http.replies import Answer, Reply
from api.http.routes import ApiCall, Idempotency, Route
from api.operations.assets import PAGE_POLICY, asset
from api.orders.schemas import (
    NewOrderBody,
    OfferView,
    OrderView,
    SignedPaymentBody,
    TakenPayment,
)
from api.services.orders import NewOrder, order_json
from api.services.submission import SignedPayment
from ledger.primitives.amounts import Units, format_bill

PAYMENT_BYTES_MAX: Final = 16_384
"""A transfer of a 16-key account fits, in hex; a mint does not and is not wanted here."""
QR_QUIET_MODULES: Final = 4
QR_SCALE: Final = 8
VARY: Final = {"Vary": "Accept"}


def parse_ulid(text: str) -> str:
    """Read an order's id in either case; raise `NotFound` for what can't be one."""
    try:
        return str(ULID.from_str(text.upper()))
    except ValueError:
        raise NotFound("there is no such order") from None


async def create_order(call: ApiCall) -> Reply:
    """Open an order: price locked, reference drawn, milk reserved."""
    service, body, once = call.service, call.body, call.once
    assert once is not None, "the route wants a key"
    if body.product_id not in service.products:
        raise Unprocessable(
            f"{body.product_id[:40]!r} is not sold here: see GET /api/v1/products",
            code="UNKNOWN_PRODUCT",
            errors=(Pointer("/productId", "UNKNOWN_PRODUCT"),),
        )
    row = await service.open_order(
        NewOrder(
            merchant_id=call.merchant_id,
            product=service.products[body.product_id],
            quantity=body.quantity,
            key=once.key,
            fingerprint=once.fingerprint,
        )
    )
    location = {"Location": f"/api/v1/orders/{row['id']}"}
    return Reply(order_json(row, service.config), headers=location)


async def read_order(call: ApiCall) -> Reply:
    """Give an order; another merchant's is not found."""
    row = await _find(call)
    if row["merchant_id"] != call.merchant_id:
        raise NotFound("there is no such order")
    return Reply(order_json(row, call.service.config))


async def _find(call: ApiCall) -> dict[str, Any]:
    row = await call.service.find_order(parse_ulid(call.path["orderId"]))
    if row is None:
        raise NotFound("there is no such order")
    return row


async def submit_payment(call: ApiCall) -> TakenPayment:
    """Take a signed transaction for an order to the node."""
    order_id, signed = parse_ulid(call.path["orderId"]), call.body.transaction
    tx_hash = await call.service.submit_payment(
        SignedPayment(order_id, signed.raw, signed.transaction, signed.transaction.id)
    )
    return TakenPayment(tx_hash.hex(), order_id, "seen")


async def _qr(call: ApiCall, kind: str) -> bytes:
    row = await _find(call)
    # Level M and capitals keep it at version 3 or 4 for a host's name of ordinary length.
    url = call.service.config.pay_url(row["id"])
    code = segno.make(url, error="m", boost_error=False, micro=False)
    out = io.BytesIO()
    code.save(out, kind=kind, scale=QR_SCALE, border=QR_QUIET_MODULES, light="#fff")
    return out.getvalue()


async def qr_svg(call: ApiCall) -> Response:
    """Draw the QR as SVG."""
    return Response(await _qr(call, "svg"), media_type="image/svg+xml")


async def qr_png(call: ApiCall) -> Response:
    """Draw the QR as PNG."""
    return Response(await _qr(call, "png"), media_type="image/png")


async def read_offer(call: ApiCall) -> Answer:
    """Tell a wallet what to sign, and a browser what this is."""
    row = await _find(call)
    if likes_better(call.request.headers.getlist("accept"), "text/html", "application/json"):
        return _offer_page(row["merchant"], format_sen(row["amount_sen"]), row["state"])
    service = call.service
    if not service.follower.cursor.chain_id:
        raise Unavailable("no node has answered yet", retry_after_s=1)
    fee = format_bill(Units(await service.fee_units()))
    return Reply(_offer(call, row, fee), headers=VARY)


def _offer(call: ApiCall, row: Mapping[str, Any], fee: str) -> dict[str, object]:
    cursor, config = call.service.follower.cursor, call.service.config
    order = order_json(row, config)
    return {
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
        "fee": fee,
        "validUntil": format_time(row["expires_ms"]),
        "validUntilHeight": cursor.height + config.transaction_ttl_blocks,
    }


def _offer_page(merchant: str, myr: str, state: str) -> Response:
    """Tell a phone's camera, which opened the QR in a browser, what this is."""
    page = asset("offer.html")
    for name, value in (("merchant", merchant), ("amount", myr), ("state", state)):
        page = page.replace("{{" + name + "}}", escape(value.replace("_", " ")))
    return HTMLResponse(page, headers={"Content-Security-Policy": PAGE_POLICY, **VARY})


def _offer_route(path: str, *, described: bool) -> Route:
    return Route(
        method="GET",
        path=path,
        operation="readOffer",
        summary="Read what a wallet signs: amount, reference, address, lot, chain, fee, validity",
        tag="wallet",
        handler=read_offer,
        answer=OfferView,
        media=("text/html",),
        codes=("NOT_FOUND", "LEDGER_UNAVAILABLE"),
        described=described,
    )


ROUTES: Final = (
    Route(
        method="POST",
        path="/api/v1/orders",
        operation="createOrder",
        summary="Open an order: price locked, reference drawn, milk reserved",
        tag="orders",
        handler=create_order,
        body=NewOrderBody,
        answer=OrderView,
        status=201,
        idempotency=Idempotency.KEY,
        codes=("UNKNOWN_PRODUCT", "OUT_OF_STOCK", "LEDGER_UNAVAILABLE"),
    ),
    Route(
        method="GET",
        path="/api/v1/orders/{orderId}",
        operation="readOrder",
        summary="Read an order; another merchant's is not found",
        tag="orders",
        handler=read_order,
        answer=OrderView,
        codes=("NOT_FOUND",),
    ),
    Route(
        method="GET",
        path="/api/v1/orders/{orderId}/qr.svg",
        operation="drawQrSvg",
        summary="Draw the QR that a wallet scans, as SVG",
        tag="orders",
        handler=qr_svg,
        media=("image/svg+xml",),
        codes=("NOT_FOUND",),
    ),
    Route(
        method="GET",
        path="/api/v1/orders/{orderId}/qr.png",
        operation="drawQrPng",
        summary="Draw the QR that a wallet scans, as PNG",
        tag="orders",
        handler=qr_png,
        media=("image/png",),
        codes=("NOT_FOUND",),
    ),
    _offer_route("/p/{orderId}", described=True),
    # A QR is in capitals, which makes it small.
    _offer_route("/P/{orderId}", described=False),
    Route(
        method="POST",
        path="/api/v1/orders/{orderId}/payment",
        operation="submitPayment",
        summary="Take a signed transaction for an order to the ledger",
        tag="wallet",
        handler=submit_payment,
        body=SignedPaymentBody,
        answer=TakenPayment,
        status=202,
        idempotency=Idempotency.NATURAL,
        codes=(
            "NOT_FOUND",
            "ORDER_NOT_PAYABLE",
            "ORDER_EXPIRED",
            "NOT_A_TRANSFER",
            "WRONG_REFERENCE",
            "WRONG_PAYEE",
            "WRONG_REDEMPTION",
            "AMOUNT_MISMATCH",
            "LEDGER_UNAVAILABLE",
            "LEDGER_BUSY",
            *LEDGER_CODES,
        ),
        body_bytes_max=PAYMENT_BYTES_MAX,
    ),
)
