"""What a wallet does with an order: it scans the QR, reads the offer, and hands in what it signed.

Who knows an order's ULID, or its code, may read its offer and pay it, as who holds a bill may. A
posted transaction is its own idempotency key.
"""

import io
import re
from html import escape
from typing import Final

import segno
from starlette.responses import HTMLResponse, Response
from ulid import ULID

from api.amounts import format_sen, format_time
from api.errors import NotFound, Unavailable
from api.http.catalogue import TRANSFER_CODES
from api.http.headers import likes_better
from api.http.replies import Answer, Reply
from api.http.routes import ApiCall, Idempotency, Route
from api.limits.doorkeeper import address_group
from api.operations.assets import PAGE_POLICY, asset
from api.orders.drawing import CODE_CHARS, CODE_LETTERS, SALE
from api.orders.model import Order, OrderState
from api.orders.schemas import (
    OfferView,
    SignedPaymentBody,
    TakenPayment,
    items_of,
    price_of,
    redeem_of,
)
from api.payments.intake import SignedPayment
from ledger.primitives.amounts import Units, format_bill
from ledger.primitives.keys import format_address

PAYMENT_BYTES_MAX: Final = 16_384
"""A transfer of a 16-key account fits, in hex; a mint does not and is not wanted here."""
QR_QUIET_MODULES: Final = 4
QR_SCALE: Final = 8
CODE_TEXT: Final = re.compile(f"[{CODE_LETTERS}]{{{CODE_CHARS}}}")
VARY: Final = {"Vary": "Accept"}


def parse_ulid(text: str) -> str:
    """Read an order's id in either case; raise `NotFound` for what can't be one."""
    try:
        return str(ULID.from_str(text.upper()))
    except ValueError:
        raise NotFound("there is no such order") from None


async def _find(call: ApiCall) -> Order:
    order = await call.service.find_order(parse_ulid(call.path["orderId"]))
    if order is None:
        raise NotFound("there is no such order")
    return order


async def submit_payment(call: ApiCall) -> TakenPayment:
    """Take a signed transaction for an order to the node."""
    order_id, signed = parse_ulid(call.path["orderId"]), call.body.transaction
    network = address_group(call.request)
    taken = await call.service.submit_payment(
        SignedPayment(order_id, signed.raw, signed.transaction, signed.transaction.id, network)
    )
    return TakenPayment(taken.tx_hash.hex(), order_id, taken.state)


async def _qr(call: ApiCall, kind: str) -> bytes:
    order = await _find(call)
    # Level M and capitals keep it at version 3 or 4 for a host's name of ordinary length.
    url = call.service.config.pay_url(order.id)
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
    order = await _offered(call)
    if likes_better(call.request.headers.getlist("accept"), "text/html", "application/json"):
        return _offer_page(order.merchant, format_sen(order.amount_sen), order.state)
    if not call.service.tip.cursor.chain_id:
        raise Unavailable("no node has answered yet", retry_after_s=1)
    fee = format_bill(Units(await call.service.law.fee_units()))
    return Reply(_offer(call, order, fee), headers=VARY)


async def _offered(call: ApiCall) -> Order:
    """Find the order that a QR or a typed code leads to."""
    name = call.path["orderId"].upper()
    found = await call.service.find_code(name) if CODE_TEXT.fullmatch(name) else parse_ulid(name)
    order = None if found is None else await call.service.offer(found)
    if order is None:
        raise NotFound("there is no such order")
    return order


def _offer(call: ApiCall, order: Order, fee: str) -> OfferView:
    cursor, config = call.service.tip.cursor, call.service.config
    return OfferView(
        order_id=order.id,
        state=order.state,
        in_flight=order.paying_tx is not None or _coupon_pays(order),
        merchant=order.merchant,
        ticket=order.ticket,
        items=items_of(order),
        amount=price_of(order),
        address=format_address(order.payout, config.prefix),
        prefix=config.prefix,
        reference=order.reference.hex(),
        redeem=redeem_of(order),
        chain_id=cursor.chain_id.hex(),
        fee=fee,
        valid_until=format_time(order.expires_ms),
        valid_until_height=cursor.height + config.transaction_ttl_blocks,
        livemode=config.livemode,
    )


def _coupon_pays(order: Order) -> bool:
    """Tell whether a coupon is paying an order right now: no wallet is to sign for it."""
    return order.kind != SALE and order.state is OrderState.AWAITING_PAYMENT


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
        codes=("NOT_FOUND", "OUT_OF_STOCK", "LEDGER_UNAVAILABLE"),
        described=described,
    )


ROUTES: Final = (
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
            "PAYMENT_IN_FLIGHT",
            "NOT_A_TRANSFER",
            "WRONG_REFERENCE",
            "WRONG_PAYEE",
            "WRONG_REDEMPTION",
            "AMOUNT_MISMATCH",
            "LEDGER_UNAVAILABLE",
            "LEDGER_BUSY",
            *TRANSFER_CODES,
        ),
        body_bytes_max=PAYMENT_BYTES_MAX,
    ),
)
