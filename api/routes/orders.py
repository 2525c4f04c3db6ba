"""Orders and their payment: what a till and a wallet do.

`POST /api/v1/orders` wants an Idempotency-Key; a posted transaction is its own. Who knows an
order's ULID may read its offer and pay it, as who holds a bill may; reading it as an order takes
its merchant's key.
"""

from hashlib import sha256
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from ulid import ULID

from api.auth.keys import Scope
from api.errors import KeyMissing, MalformedRequest, NotFound, Pointer, Unprocessable
from api.problems import json_response
from api.routes.requests import read_body, seller_of, service_of
from api.services.orders import KEY_CHARS_MAX, QUANTITY_MAX, NewOrder, order_json
from api.services.payments import read_json
from api.services.submission import SignedPayment
from ledger.primitives.errors import BadHex, CodecFault
from ledger.primitives.hexadecimal import parse_hex
from ledger.primitives.strict_json import NumberText
from ledger.types.transaction import decode_transaction

ORDER_BYTES_MAX: Final = 4_096
PAYMENT_BYTES_MAX: Final = 16_384
"""A transfer of a 16-key account fits, in hex; a mint does not and is not wanted here."""


async def create_order(request: Request) -> Response:
    """Open an order: price locked, reference drawn, milk reserved."""
    service = service_of(request)
    seller = await seller_of(request, Scope.ORDERS_WRITE)
    raw = await read_body(request, ORDER_BYTES_MAX)
    key = request.headers.get("idempotency-key", "")
    if not 1 <= len(key) <= KEY_CHARS_MAX or not key.isascii() or not key.isprintable():
        raise KeyMissing(
            f"send an Idempotency-Key of 1 to {KEY_CHARS_MAX} visible characters, a new one for "
            f"each order and the same one when you try again"
        )
    members = read_json(raw)
    product_id, quantity_text = members.get("productId"), members.get("quantity", NumberText("1"))
    if isinstance(product_id, NumberText) or not isinstance(product_id, str):
        raise MalformedRequest("productId is missing", errors=(Pointer("/productId", "MISSING"),))
    quantity = _quantity(quantity_text)
    if product_id not in service.products:
        raise Unprocessable(
            f"{product_id[:40]!r} is not sold here: see GET /api/v1/products",
            code="UNKNOWN_PRODUCT",
            errors=(Pointer("/productId", "UNKNOWN_PRODUCT"),),
        )
    row = await service.open_order(
        NewOrder(
            merchant_id=seller.merchant_id,
            payout=seller.payout,
            product=service.products[product_id],
            quantity=quantity,
            key=key,
            fingerprint=sha256(f"{product_id}\n{quantity}".encode()).digest(),
        )
    )
    location = {"Location": f"/api/v1/orders/{row['id']}"}
    return json_response(order_json(row, service.config), 201, location)


def _quantity(value: object) -> int:
    if isinstance(value, NumberText) and value.isdecimal() and len(value) <= 3:
        quantity = int(value)
        if 1 <= quantity <= QUANTITY_MAX:
            return quantity
    raise MalformedRequest(
        f"quantity is a whole number from 1 to {QUANTITY_MAX}",
        errors=(Pointer("/quantity", "OUT_OF_RANGE"),),
    )


def parse_ulid(text: str) -> str:
    """Read an order's id in either case; raise `NotFound` for what can't be one."""
    try:
        return str(ULID.from_str(text.upper()))
    except ValueError:
        raise NotFound("there is no such order") from None


async def submit_payment(request: Request) -> Response:
    """Take a signed transaction for an order to the node."""
    service, order_id = service_of(request), parse_ulid(request.path_params["order_id"])
    members = read_json(await read_body(request, PAYMENT_BYTES_MAX))
    text = members.get("transaction")
    if isinstance(text, NumberText) or not isinstance(text, str):
        raise MalformedRequest(
            "transaction is missing: the signed bytes in hex",
            errors=(Pointer("/transaction", "MISSING"),),
        )
    try:
        raw = parse_hex(text)
        transaction = decode_transaction(raw)
    except (BadHex, CodecFault) as fault:
        raise MalformedRequest(
            f"transaction is not a signed transaction in hex: {fault}",
            errors=(Pointer("/transaction", "NOT_A_TRANSACTION"),),
        ) from fault
    tx_hash = await service.submit_payment(
        SignedPayment(order_id, raw, transaction, transaction.id)
    )
    body = {"txHash": tx_hash.hex(), "orderId": order_id, "state": "seen"}
    return json_response(body, 202)
