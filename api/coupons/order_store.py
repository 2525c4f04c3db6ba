"""Orders that coupons pay, in the database: opened for nothing, or made so and back again."""

import secrets
from collections.abc import Mapping
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from api.coupons.model import RESERVED_MS
from api.db.statements import text
from api.orders.drawing import CODE_CHARS, CODE_LETTERS, SALE, offered_with
from api.orders.model import Basket, Item, Order, OrderState
from api.tenants.model import MerchantProfile
from ledger.primitives.keys import Address
from ledger.types.transfer import REFERENCE_BYTES

COUPON: Final = "coupon"
"""The kind of an order that a coupon pays."""


def drawn_order(
    order_id: str,
    merchant: MerchantProfile,
    item: Item,
    basket: Basket,
    metadata: Mapping[str, str],
    now_ms: int,
) -> Order:
    """Draw up the order of a coupon: its milk, and no ringgit."""
    return Order(
        id=order_id,
        merchant_id=merchant.id,
        merchant=merchant.name,
        kind=COUPON,
        items=(item,),
        amount_sen=0,
        amount_units=item.redeem_units,
        redeem_units=item.redeem_units,
        reference=secrets.token_bytes(REFERENCE_BYTES),
        payout=Address(merchant.payout),
        basket=basket,
        offered=offered_with(basket),
        code="".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_CHARS)),
        ticket="",
        metadata=metadata,
        state=OrderState.AWAITING_PAYMENT,
        created_ms=now_ms,
        expires_ms=now_ms + RESERVED_MS,
    )


async def insert_order(connection: AsyncConnection, order: Order, price_id: str) -> None:
    """Write an order that was opened for a coupon, and what it claims."""
    await connection.execute(
        text("""
            WITH claimed AS (
                INSERT INTO claims (kind, value, merchant_id, subject, ref_id) VALUES
                    ('reference', :reference, :merchant, 'order', :id),
                    ('code', convert_to(:code, 'UTF8'), :merchant, 'order', :id)
            )
            INSERT INTO orders (id, merchant_id, kind, price_id, items, amount_sen, amount_units,
                redeem_units, reference, payout, basket, offered, code, ticket, metadata, state,
                created_ms, expires_ms)
            VALUES (:id, :merchant, :kind, :price_id, CAST(:items AS jsonb), :sen, :units, :redeem,
                :reference, :payout, CAST(:basket AS jsonb), CAST(:offered AS jsonb), :code,
                :ticket, CAST(:metadata AS jsonb), :state, :created, :expires)
        """),
        {
            "id": order.id,
            "merchant": order.merchant_id,
            "kind": order.kind,
            "price_id": price_id,
            "items": msgspec.json.encode(order.items).decode(),
            "sen": order.amount_sen,
            "units": order.amount_units,
            "redeem": order.redeem_units,
            "reference": order.reference,
            "payout": order.payout,
            "basket": msgspec.json.encode(order.basket).decode(),
            "offered": msgspec.json.encode(order.offered).decode(),
            "code": order.code,
            "ticket": order.ticket,
            "metadata": msgspec.json.encode(order.metadata).decode(),
            "state": str(order.state),
            "created": order.created_ms,
            "expires": order.expires_ms,
        },
    )


def held_by_coupon(order: Order) -> Order:
    """Give an order that waits for a coupon's purchase: no wallet's money is taken for it."""
    return order.changed(kind=COUPON)


def made_free(order: Order) -> Order:
    """Give an order as a coupon has bought it: its milk's units and no ringgit."""
    return order.changed(amount_sen=0, amount_units=order.redeem_units)


def sold_again(order: Order) -> Order:
    """Give an order that was opened for money, and that its coupon did not buy."""
    return order.changed(kind=SALE, paying_tx=None)


async def write_price(connection: AsyncConnection, before: Order, after: Order) -> None:
    """Write an order's kind and price anew; both are otherwise written once."""
    done = await connection.execute(
        text("""
            UPDATE orders SET kind = :kind, amount_sen = :sen, amount_units = :units,
                paying_tx = CAST(:paying AS bytea), version = :version
            WHERE id = :id AND merchant_id = :merchant AND version = :before
        """),
        {
            "id": before.id,
            "merchant": before.merchant_id,
            "before": before.version,
            "version": after.version,
            "kind": after.kind,
            "sen": after.amount_sen,
            "units": after.amount_units,
            "paying": after.paying_tx,
        },
    )
    assert done.rowcount == 1, "it is locked by who changes it"
