"""Every kind of event that a merchant is told of, and what it means.

A kind never changes its meaning; new ones are added, so a reader ignores what it doesn't know.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class EventKind(StrEnum):
    """What happened."""

    ORDER_CREATED = "order.created"
    ORDER_OFFERED = "order.offered"
    ORDER_RECEIVED = "order.received"
    ORDER_PAID = "order.paid"
    ORDER_EXPIRED = "order.expired"
    ORDER_CANCELLED = "order.cancelled"
    ORDER_FULFILLED = "order.fulfilled"
    ORDER_REOPENED = "order.reopened"
    ORDER_RESOLVED = "order.resolved"
    ORDER_EXCESS_RETURNED = "order.excess_returned"
    ORDER_REFUNDED = "order.refunded"
    ORDER_COUPON_USED = "order.coupon_used"
    ORDER_COUPON_RELEASED = "order.coupon_released"
    PAYMENT_SUBMITTED = "payment.submitted"
    PAYMENT_REFUSED = "payment.refused"
    PAYMENT_FAILED = "payment.failed"
    PAYMENT_UNMATCHED = "payment.unmatched"
    REFUND_CREATED = "refund.created"
    REFUND_PENDING = "refund.pending"
    REFUND_SUBMITTED = "refund.submitted"
    REFUND_SUCCEEDED = "refund.succeeded"
    REFUND_FAILED = "refund.failed"
    REFUND_CANCELLED = "refund.cancelled"
    COUPON_ISSUED = "coupon.issued"
    COUPON_RESERVED = "coupon.reserved"
    COUPON_RELEASED = "coupon.released"
    COUPON_REDEEMED = "coupon.redeemed"
    COUPON_EXPIRED = "coupon.expired"
    COUPON_REVOKED = "coupon.revoked"
    TOP_UP_CREATED = "top_up.created"
    TOP_UP_PENDING = "top_up.pending"
    TOP_UP_SUBMITTED = "top_up.submitted"
    TOP_UP_SUCCEEDED = "top_up.succeeded"
    TOP_UP_FAILED = "top_up.failed"
    TOP_UP_REVERSED = "top_up.reversed"
    CASH_OUT_RECEIVED = "cash_out.received"
    CASH_OUT_PAID = "cash_out.paid"
    FLAG_RAISED = "flag.raised"
    TERMINAL_PAIRED = "terminal.paired"
    TERMINAL_LOCKED = "terminal.locked"
    TERMINAL_UNLOCKED = "terminal.unlocked"
    TERMINAL_REVOKED = "terminal.revoked"
    APPROVAL_REQUESTED = "approval.requested"
    APPROVAL_APPROVED = "approval.approved"
    APPROVAL_REJECTED = "approval.rejected"
    APPROVAL_APPLIED = "approval.applied"
    APPROVAL_FAILED = "approval.failed"
    WEBHOOK_TEST = "webhook.test"
    WEBHOOK_DISABLED = "webhook.disabled"


MEANINGS: Final[Mapping[EventKind, str]] = {
    EventKind.ORDER_CREATED: "A till opened an order.",
    EventKind.ORDER_OFFERED: "The milk of an order was drawn from other lots; its price stands.",
    EventKind.ORDER_RECEIVED: "Something came in, or did not go back, and no order turned paid.",
    EventKind.ORDER_PAID: "An order is paid. Look at `exception` before milk is handed over.",
    EventKind.ORDER_EXPIRED: "Nobody paid an order in its time.",
    EventKind.ORDER_CANCELLED: "An order was cancelled before it was paid.",
    EventKind.ORDER_FULFILLED: "The milk was handed over.",
    EventKind.ORDER_REOPENED: "A hand-over was taken back.",
    EventKind.ORDER_RESOLVED: "What was odd about an order was settled between people.",
    EventKind.ORDER_EXCESS_RETURNED: "What came in beyond an order's due went back.",
    EventKind.ORDER_REFUNDED: "An order was refunded, in part or whole: see its `state`.",
    EventKind.ORDER_COUPON_USED: "A coupon is to pay an order.",
    EventKind.ORDER_COUPON_RELEASED: "The coupon of an order was not used after all.",
    EventKind.PAYMENT_SUBMITTED: "A signed payment is on its way; it is not final.",
    EventKind.PAYMENT_REFUSED: "The ledger refused a payment: the order can be paid again.",
    EventKind.PAYMENT_FAILED: "A payment failed: the order can be paid again.",
    EventKind.PAYMENT_UNMATCHED: "A transfer came in for no order that is known.",
    EventKind.REFUND_CREATED: "A refund was asked for.",
    EventKind.REFUND_PENDING: "A refund's transaction came into no block: it is signed anew.",
    EventKind.REFUND_SUBMITTED: "A refund is signed and on its way.",
    EventKind.REFUND_SUCCEEDED: "A refund is final.",
    EventKind.REFUND_FAILED: "A refund failed: see its `code`.",
    EventKind.REFUND_CANCELLED: "A refund was cancelled before it was signed.",
    EventKind.COUPON_ISSUED: "Somebody was given a coupon.",
    EventKind.COUPON_RESERVED: "A coupon is held for an order.",
    EventKind.COUPON_RELEASED: "A coupon that was held, or used in vain, is good again.",
    EventKind.COUPON_REDEEMED: "A coupon paid an order.",
    EventKind.COUPON_EXPIRED: "A coupon's time is over.",
    EventKind.COUPON_REVOKED: "A coupon was taken back.",
    EventKind.TOP_UP_CREATED: "Cash was taken for BILL.",
    EventKind.TOP_UP_PENDING: "A top-up's transaction came into no block: it is signed anew.",
    EventKind.TOP_UP_SUBMITTED: "A top-up is signed and on its way.",
    EventKind.TOP_UP_SUCCEEDED: "A top-up is final.",
    EventKind.TOP_UP_FAILED: "A top-up failed: the cash goes back.",
    EventKind.TOP_UP_REVERSED: "The cash of a top-up went back.",
    EventKind.CASH_OUT_RECEIVED: "BILL came in for which cash is owed.",
    EventKind.CASH_OUT_PAID: "Cash was paid for BILL that came in.",
    EventKind.FLAG_RAISED: "Something looks odd: a manager reads it at /api/v1/flags.",
    EventKind.TERMINAL_PAIRED: "A till is paired: cashiers may sign in at it.",
    EventKind.TERMINAL_LOCKED: "A till is locked, by its manager or by too many wrong PINs.",
    EventKind.TERMINAL_UNLOCKED: "A till that was locked works again.",
    EventKind.TERMINAL_REVOKED: "A till is no till any more.",
    EventKind.APPROVAL_REQUESTED: "Something waits for a second person.",
    EventKind.APPROVAL_APPROVED: "A second person lets something happen; it waits for its hour.",
    EventKind.APPROVAL_REJECTED: "A second person, or whom it is about, said no.",
    EventKind.APPROVAL_APPLIED: "What a second person let happen is done.",
    EventKind.APPROVAL_FAILED: "What a second person let happen could not be done any more.",
    EventKind.WEBHOOK_TEST: "Somebody asked for it, to try an endpoint.",
    EventKind.WEBHOOK_DISABLED: "An endpoint gets nothing more, until it is enabled again.",
}
