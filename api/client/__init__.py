"""A partner's program against the payments service: orders, validation, refunds, events, webhooks.

    from api.client import PaymentsClient, PaymentsProblem

    with PaymentsClient("https://pay.example", key) as payments:
        order = payments.open_order([("whole-200", 1)])
        ...
        verdict = payments.validate(tx_hash, "1.80", wait_s=3)
        if verdict.valid:
            payments.fulfill(order.id)

It loads nothing of the service: httpx, msgspec and PyNaCl are all that it stands on. Requests that
got no answer are sent again under the same Idempotency-Key, so each counts once.
"""

from api.client.calls import PaymentsClient
from api.client.faults import BadWebhook, NobodyAnswered, PartnerFault, PaymentsProblem
from api.client.schemas import (
    Event,
    MilkTrace,
    OrderOffer,
    ProblemPointer,
    Product,
    RefundTold,
    ShopOrder,
    ValidationTold,
)
from api.client.verifying import verify_webhook

__all__ = [
    "BadWebhook",
    "Event",
    "MilkTrace",
    "NobodyAnswered",
    "OrderOffer",
    "PartnerFault",
    "PaymentsClient",
    "PaymentsProblem",
    "ProblemPointer",
    "Product",
    "RefundTold",
    "ShopOrder",
    "ValidationTold",
    "verify_webhook",
]
