"""The tables of the payments service.

Amounts are integers: `_sen` for money, `_units` for tokens; times are milliseconds since 1970,
UTC. Ids are ULIDs as text, hashes and references raw bytes. The allowed states stand in CHECKs,
so that no code path can write another.

Transitions are compare-and-set (`WHERE state = ...`), in one transaction with the outbox event
that tells of them. The unique indexes decide what may happen once: one intent a reference, one
observed payment a transaction hash, one answer an idempotency key.
"""

from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class OrderState(StrEnum):
    """Where an order stands."""

    DRAFT = "draft"
    AWAITING_PAYMENT = "awaiting_payment"
    PAID = "paid"
    FULFILLED = "fulfilled"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"


class IntentState(StrEnum):
    """Where a payment intent stands."""

    REQUIRES_PAYMENT = "requires_payment"
    SUBMITTED = "submitted"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class PaymentState(StrEnum):
    """How far an observed transaction has come on the chain."""

    SEEN = "seen"
    INCLUDED = "included"
    FINALISED = "finalised"


class Outcome(StrEnum):
    """What a finalized payment is by itself; but for the first two, also an order's exception."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNDERPAID = "underpaid"
    OVERPAID = "overpaid"
    PAID_LATE = "paid_late"
    DUPLICATE = "duplicate"
    WRONG_REDEMPTION = "wrong_redemption"
    """The right amount, but not the order's milk redeemed with it."""


def _one_of(column: str, states: type[StrEnum]) -> CheckConstraint:
    listed = ", ".join(f"'{state}'" for state in states)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


class Base(DeclarativeBase):
    """The root of all tables."""


ULIDText = String(26)


class Merchant(Base):
    """Who sells, and the account that is paid."""

    __tablename__ = "merchants"

    id: Mapped[str] = mapped_column(ULIDText, primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    union_id: Mapped[str] = mapped_column(ULIDText)
    payout: Mapped[bytes] = mapped_column(LargeBinary)
    operating: Mapped[bytes | None] = mapped_column(LargeBinary)
    time_zone: Mapped[str] = mapped_column(String(40), server_default="Asia/Kuala_Lumpur")
    created_ms: Mapped[int] = mapped_column(BigInteger)


class MilkPrice(Base):
    """A price of milk that orders were locked to: sen a litre."""

    __tablename__ = "prices"

    id: Mapped[str] = mapped_column(ULIDText, primary_key=True)
    litre_sen: Mapped[int] = mapped_column(BigInteger)
    from_ms: Mapped[int] = mapped_column(BigInteger)


class Product(Base):
    """A pack that is or was sold."""

    __tablename__ = "products"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name_en: Mapped[str] = mapped_column(String(80))
    name_ms: Mapped[str] = mapped_column(String(80))
    kind: Mapped[str] = mapped_column(String(32))
    price_sen: Mapped[int] = mapped_column(BigInteger)
    redeem_units: Mapped[int] = mapped_column(BigInteger)
    active: Mapped[bool]


class Order(Base):
    """A sale at a till; `exception` says what a person has to mend.

    `delta_units` is then all that came in for the order less what was due.
    """

    __tablename__ = "orders"
    __table_args__ = (
        _one_of("state", OrderState),
        Index("orders_open", "expires_ms", postgresql_where=text("state = 'awaiting_payment'")),
        Index("orders_of_merchant", "merchant_id", "id"),
    )

    id: Mapped[str] = mapped_column(ULIDText, primary_key=True)
    merchant_id: Mapped[str] = mapped_column(ForeignKey("merchants.id"))
    product_id: Mapped[str] = mapped_column(ForeignKey("products.id"))
    price_id: Mapped[str] = mapped_column(ForeignKey("prices.id"))
    quantity: Mapped[int]
    amount_sen: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(24))
    exception: Mapped[str | None] = mapped_column(String(16))
    delta_units: Mapped[int | None] = mapped_column(BigInteger)
    created_ms: Mapped[int] = mapped_column(BigInteger)
    expires_ms: Mapped[int] = mapped_column(BigInteger)
    paid_ms: Mapped[int | None] = mapped_column(BigInteger)


class PaymentIntent(Base):
    """The quote that an order is paid by. Written once: a later price changes nothing here."""

    __tablename__ = "payment_intents"
    __table_args__ = (
        _one_of("state", IntentState),
        CheckConstraint("amount_units >= redeem_units AND redeem_units > 0", name="quote_sound"),
    )

    id: Mapped[str] = mapped_column(ULIDText, primary_key=True)
    order_id: Mapped[str] = mapped_column(ForeignKey("orders.id"), unique=True)
    reference: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    state: Mapped[str] = mapped_column(String(24))
    amount_sen: Mapped[int] = mapped_column(BigInteger)
    amount_units: Mapped[int] = mapped_column(BigInteger)
    redeem_lot: Mapped[bytes] = mapped_column(LargeBinary)
    redeem_units: Mapped[int] = mapped_column(BigInteger)
    payout: Mapped[bytes] = mapped_column(LargeBinary)


class Payment(Base):
    """A transaction that was seen for an order. One transaction belongs to one order for ever."""

    __tablename__ = "payments"
    __table_args__ = (
        _one_of("state", PaymentState),
        CheckConstraint("(state = 'finalised') = (outcome IS NOT NULL)", name="outcome_when_final"),
        Index("payments_of_order", "order_id"),
    )

    tx_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    order_id: Mapped[str] = mapped_column(ForeignKey("orders.id"))
    merchant_id: Mapped[str] = mapped_column(ForeignKey("merchants.id"))
    payer: Mapped[bytes] = mapped_column(LargeBinary)
    units: Mapped[int] = mapped_column(BigInteger)
    redeem_units: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(16))
    outcome: Mapped[str | None] = mapped_column(String(16))
    code: Mapped[str] = mapped_column(String(64), server_default="")
    delta_units: Mapped[int] = mapped_column(BigInteger, server_default="0")
    settlement: Mapped[str] = mapped_column(String(16), server_default="unsettled")
    refunded_units: Mapped[int] = mapped_column(BigInteger, server_default="0")
    height: Mapped[int | None] = mapped_column(BigInteger)
    block_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    seen_ms: Mapped[int] = mapped_column(BigInteger)
    confirmed_ms: Mapped[int | None] = mapped_column(BigInteger)


class LotStock(Base):
    """A lot of milk as the ledger knows it, and what open orders have set their eye on.

    `reserved_units` is soft: it steers orders to lots with milk left and promises nothing, since
    the ledger alone decides what can be redeemed.
    """

    __tablename__ = "lots"

    id: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    plant: Mapped[str] = mapped_column(String(64))
    minted_units: Mapped[int] = mapped_column(BigInteger)
    remaining_units: Mapped[int] = mapped_column(BigInteger)
    reserved_units: Mapped[int] = mapped_column(BigInteger, server_default="0")
    expires_ms: Mapped[int] = mapped_column(BigInteger)
    seen_ms: Mapped[int] = mapped_column(BigInteger)


class IdempotencyKey(Base):
    """The answer that was given to a key, kept for seven days."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("idempotency_by_age", "created_ms"),)

    merchant_id: Mapped[str] = mapped_column(ForeignKey("merchants.id"), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    order_id: Mapped[str] = mapped_column(ULIDText)
    created_ms: Mapped[int] = mapped_column(BigInteger)


class Event(Base):
    """The outbox: what happened, numbered in the order in which it became visible."""

    __tablename__ = "events"

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=True)
    kind: Mapped[str] = mapped_column(String(32))
    merchant_id: Mapped[str] = mapped_column(ULIDText)
    order_id: Mapped[str] = mapped_column(ULIDText)
    body: Mapped[dict[str, object]] = mapped_column(JSONB)
    at_ms: Mapped[int] = mapped_column(BigInteger)


class FollowerCursor(Base):
    """The last finalized block that has been settled here; one row, ever."""

    __tablename__ = "follower_cursor"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    chain_id: Mapped[bytes] = mapped_column(LargeBinary)
    height: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    time_ms: Mapped[int] = mapped_column(BigInteger)


class RateWindow(Base):
    """Requests of one subject that passed in one minute; two of them make a sliding window.

    `granted` is what the last statement let pass: it is written there to be given back.
    """

    __tablename__ = "rate_windows"

    subject: Mapped[str] = mapped_column(String(80), primary_key=True)
    minute: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)
    granted: Mapped[int] = mapped_column(BigInteger, server_default="0")
