"""THE table: who may call what. One row a route; a route without a row is not served.

Read it as a sentence: an order is opened by a key with `orders:write`. A row opens the door and no
more: that a thing belongs to who asks is the route's own check, and another merchant's thing is
answered as one that isn't there.
"""

from collections.abc import Mapping
from typing import Final

from api.access.roles import Role, Scope
from api.access.rules import Access

ANYONE: Final = Access(anyone=True)
EVERYBODY: Final = Access(people=True)
"""Whoever has logged in."""
ADMINS: Final = frozenset({Role.ADMIN})
OFFICE: Final = frozenset({Role.UNION_OFFICER, Role.ADMIN})
MANAGERS: Final = frozenset({Role.MANAGER})
STUDENTS: Final = frozenset({Role.STUDENT})
BOOKS: Final = frozenset({Role.MANAGER, Role.FINANCE})
SELLERS: Final = frozenset({Role.FARMER, Role.MANAGER})
"""Who earns BILL, and may want cash for it."""
DECIDERS: Final = OFFICE | {Role.MANAGER, Role.FINANCE}
AT_THE_TILL: Final = frozenset({Role.CASHIER})
CASH_DESK: Final = OFFICE | {Role.FINANCE}
IN_THE_SHOP: Final = frozenset({Role.CASHIER, Role.MANAGER})
HOOKS: Final = Access(scope=Scope.WEBHOOKS_WRITE, roles=MANAGERS)

TABLE: Final[Mapping[tuple[str, str], Access]] = {
    # What is sold, and to whom it is shown.
    ("GET", "/api/v1/products"): ANYONE,
    ("GET", "/api/v1/products/{productId}"): ANYONE,
    ("GET", "/api/v1/milk-kinds"): ANYONE,
    ("POST", "/api/v1/products"): Access(roles=MANAGERS),
    ("PATCH", "/api/v1/products/{productId}"): Access(roles=MANAGERS),
    # Orders. Who knows an order's ULID may read its offer and pay it, as who holds a bill may.
    ("POST", "/api/v1/orders"): Access(scope=Scope.ORDERS_WRITE, roles=AT_THE_TILL),
    ("GET", "/api/v1/orders"): Access(scope=Scope.ORDERS_READ, roles=IN_THE_SHOP),
    ("GET", "/api/v1/orders/{orderId}"): Access(scope=Scope.ORDERS_READ, roles=IN_THE_SHOP),
    ("POST", "/api/v1/orders/{orderId}/cancel"): Access(
        scope=Scope.ORDERS_WRITE, roles=AT_THE_TILL
    ),
    ("POST", "/api/v1/orders/{orderId}/fulfill"): Access(
        scope=Scope.ORDERS_WRITE, roles=AT_THE_TILL
    ),
    ("POST", "/api/v1/orders/{orderId}/reopen"): Access(
        scope=Scope.ORDERS_WRITE, roles=AT_THE_TILL
    ),
    ("POST", "/api/v1/orders/{orderId}/resolve"): Access(roles=frozenset({Role.MANAGER})),
    ("GET", "/api/v1/orders/{orderId}/qr.svg"): ANYONE,
    ("GET", "/api/v1/orders/{orderId}/qr.png"): ANYONE,
    ("GET", "/p/{orderId}"): ANYONE,
    ("GET", "/P/{orderId}"): ANYONE,
    ("POST", "/api/v1/orders/{orderId}/payment"): ANYONE,
    ("GET", "/api/v1/orders/{orderId}/stream"): ANYONE,
    # Payments.
    ("GET", "/api/v1/payments"): Access(scope=Scope.PAYMENTS_READ, roles=IN_THE_SHOP | BOOKS),
    ("GET", "/api/v1/payments/{txHash}"): Access(
        scope=Scope.PAYMENTS_READ, roles=IN_THE_SHOP | BOOKS
    ),
    ("POST", "/api/v1/payments/{txHash}/assign"): Access(roles=MANAGERS),
    ("POST", "/api/v1/payments/validate"): Access(scope=Scope.PAYMENTS_VALIDATE),
    # Refunds, and what signers ask for and bring.
    ("POST", "/api/v1/refunds"): Access(
        scope=Scope.REFUNDS_WRITE, roles=MANAGERS, cashier=True, step_up=AT_THE_TILL
    ),
    ("POST", "/api/v1/refunds/approvals"): Access(roles=MANAGERS),
    ("GET", "/api/v1/refunds"): Access(scope=Scope.PAYMENTS_READ, roles=BOOKS),
    ("GET", "/api/v1/refunds/{refundId}"): Access(scope=Scope.PAYMENTS_READ, roles=BOOKS),
    ("POST", "/api/v1/refunds/{refundId}/cancel"): Access(roles=MANAGERS),
    ("GET", "/api/v1/signing-requests"): Access(roles=BOOKS),
    ("POST", "/api/v1/signing-requests/lease"): Access(signer=True),
    ("POST", "/api/v1/signing-requests/{requestId}/signature"): Access(signer=True),
    ("POST", "/api/v1/signing-requests/{requestId}/refusal"): Access(signer=True),
    # Points and coupons. A coupon's code is as good as the coupon: only its holder reads it.
    ("GET", "/api/v1/loyalty"): Access(roles=STUDENTS),
    ("POST", "/api/v1/loyalty/adjustments"): Access(roles=MANAGERS),
    ("GET", "/api/v1/coupons"): Access(roles=STUDENTS | MANAGERS),
    ("GET", "/api/v1/coupons/{couponId}"): Access(roles=STUDENTS | MANAGERS),
    ("GET", "/api/v1/coupons/{couponId}/qr.svg"): Access(roles=STUDENTS),
    ("POST", "/api/v1/coupons/{couponId}/revoke"): Access(roles=MANAGERS),
    ("POST", "/api/v1/coupons/{couponId}/restore"): Access(roles=MANAGERS),
    ("POST", "/api/v1/coupons/{couponCode}/redeem"): Access(
        scope=Scope.ORDERS_WRITE, roles=AT_THE_TILL
    ),
    ("POST", "/api/v1/coupon-campaigns"): Access(roles=OFFICE),
    ("GET", "/api/v1/coupon-campaigns"): Access(roles=CASH_DESK),
    ("POST", "/api/v1/orders/{orderId}/coupon"): Access(roles=STUDENTS),
    ("GET", "/api/v1/budgets"): Access(roles=CASH_DESK),
    ("PUT", "/api/v1/budgets/{purpose}"): Access(roles=OFFICE),
    # Cash for BILL and back. A till takes cash while a cashier has signed in at it.
    ("POST", "/api/v1/top-ups"): Access(roles=OFFICE, cashier=True),
    ("POST", "/api/v1/top-ups/approvals"): Access(roles=OFFICE),
    ("GET", "/api/v1/top-ups"): Access(roles=CASH_DESK, cashier=True),
    ("GET", "/api/v1/top-ups/{topUpId}"): Access(roles=CASH_DESK, cashier=True),
    ("POST", "/api/v1/top-ups/{topUpId}/reverse"): Access(roles=OFFICE, cashier=True),
    ("POST", "/api/v1/cash-outs"): Access(roles=SELLERS),
    ("GET", "/api/v1/cash-outs"): Access(roles=SELLERS | CASH_DESK),
    ("GET", "/api/v1/cash-outs/{cashOutId}"): Access(roles=SELLERS | CASH_DESK),
    ("POST", "/api/v1/cash-outs/{cashOutId}/payment"): Access(roles=CASH_DESK),
    ("POST", "/api/v1/cash-outs/{cashOutId}/approvals"): Access(roles=CASH_DESK),
    ("GET", "/api/v1/cash-book"): Access(roles=CASH_DESK),
    # The chain is public.
    ("GET", "/api/v1/accounts/{address}"): ANYONE,
    ("POST", "/api/v1/transactions"): ANYONE,
    ("GET", "/api/v1/transactions/{txHash}"): ANYONE,
    ("GET", "/api/v1/proofs/{txHash}"): ANYONE,
    ("GET", "/api/v1/lots"): ANYONE,
    ("GET", "/api/v1/lots/{lotId}"): ANYONE,
    ("GET", "/api/v1/trace/{subject}"): ANYONE,
    # Unions and merchants: everyone may see whom to turn to, and who sells.
    ("GET", "/api/v1/unions"): ANYONE,
    ("GET", "/api/v1/unions/{unionId}"): ANYONE,
    ("POST", "/api/v1/unions"): Access(roles=ADMINS),
    ("PATCH", "/api/v1/unions/{unionId}"): Access(roles=OFFICE),
    ("GET", "/api/v1/merchants"): ANYONE,
    ("GET", "/api/v1/merchants/{merchantId}"): ANYONE,
    ("POST", "/api/v1/merchants"): Access(roles=OFFICE),
    ("PATCH", "/api/v1/merchants/{merchantId}"): Access(roles=OFFICE),
    # The ways in: what is sent is the credential.
    ("POST", "/api/v1/auth/activate"): ANYONE,
    ("POST", "/api/v1/auth/challenges"): ANYONE,
    ("POST", "/api/v1/auth/login"): ANYONE,
    ("POST", "/api/v1/auth/refresh"): ANYONE,
    ("POST", "/api/v1/auth/logout"): ANYONE,
    ("POST", "/api/v1/auth/recovery-requests"): ANYONE,
    # A manager's PIN, at a till at which a cashier has signed in.
    ("POST", "/api/v1/auth/step-up"): Access(cashier=True),
    # Oneself.
    ("GET", "/api/v1/me"): EVERYBODY,
    ("PUT", "/api/v1/me/password"): EVERYBODY,
    ("PUT", "/api/v1/me/pin"): EVERYBODY,
    ("POST", "/api/v1/me/wallet-links"): EVERYBODY,
    ("GET", "/api/v1/me/wallet-links"): EVERYBODY,
    ("GET", "/api/v1/me/wallet-links/{linkId}"): EVERYBODY,
    ("PUT", "/api/v1/me/wallet-links/{linkId}/proof"): ANYONE,
    ("POST", "/api/v1/me/wallet-links/{linkId}/confirm"): EVERYBODY,
    ("DELETE", "/api/v1/me/wallet-links/{linkId}"): EVERYBODY,
    # The office's people.
    ("POST", "/api/v1/users"): Access(roles=OFFICE),
    ("GET", "/api/v1/users"): Access(roles=OFFICE),
    ("GET", "/api/v1/users/{userId}"): Access(roles=OFFICE),
    ("PATCH", "/api/v1/users/{userId}"): Access(roles=OFFICE),
    ("POST", "/api/v1/users/{userId}/suspend"): Access(roles=OFFICE),
    ("POST", "/api/v1/users/{userId}/reactivate"): Access(roles=OFFICE),
    ("POST", "/api/v1/users/{userId}/reinvite"): Access(roles=OFFICE),
    ("POST", "/api/v1/users/{userId}/wallet-rebind"): Access(roles=OFFICE),
    ("POST", "/api/v1/users/{userId}/unblock"): Access(roles=OFFICE | MANAGERS),
    ("GET", "/api/v1/recovery-requests"): Access(roles=OFFICE),
    ("POST", "/api/v1/recovery-requests/{ticketId}/close"): Access(roles=OFFICE),
    # Tills: their manager's, their own with a code or a proof, and their cashiers'.
    ("POST", "/api/v1/terminals"): Access(roles=MANAGERS),
    ("GET", "/api/v1/terminals"): Access(roles=MANAGERS),
    ("GET", "/api/v1/terminals/{terminalId}"): Access(roles=MANAGERS),
    ("POST", "/api/v1/terminals/pair"): ANYONE,
    ("POST", "/api/v1/terminals/{terminalId}/key"): ANYONE,
    ("POST", "/api/v1/terminals/{terminalId}/confirm"): Access(roles=MANAGERS),
    ("POST", "/api/v1/terminals/{terminalId}/lock"): Access(roles=MANAGERS),
    ("POST", "/api/v1/terminals/{terminalId}/unlock"): Access(roles=MANAGERS),
    ("POST", "/api/v1/terminals/{terminalId}/revoke"): Access(roles=MANAGERS),
    ("POST", "/api/v1/terminals/{terminalId}/session"): ANYONE,
    ("POST", "/api/v1/cashier-sessions"): Access(terminal=True),
    ("DELETE", "/api/v1/cashier-sessions"): Access(terminal=True),
    # Four eyes; whom it is about may say no.
    ("GET", "/api/v1/approvals"): Access(roles=DECIDERS),
    ("POST", "/api/v1/approvals/{approvalId}/approve"): Access(roles=DECIDERS),
    ("POST", "/api/v1/approvals/{approvalId}/reject"): EVERYBODY,
    # What looks odd: the office's, and of each shop its manager's.
    ("GET", "/api/v1/flags"): Access(roles=OFFICE | MANAGERS),
    ("GET", "/api/v1/flags/{flagId}"): Access(roles=OFFICE | MANAGERS),
    ("POST", "/api/v1/flags/{flagId}/confirm"): Access(roles=OFFICE | MANAGERS),
    ("POST", "/api/v1/flags/{flagId}/release"): Access(roles=OFFICE | MANAGERS),
    # What has to be looked after.
    ("GET", "/api/v1/alerts"): Access(roles=OFFICE | MANAGERS),
    ("GET", "/api/v1/alerts/{alertId}"): Access(roles=OFFICE | MANAGERS),
    ("POST", "/api/v1/alerts/{alertId}/acknowledge"): Access(roles=OFFICE | MANAGERS),
    # Live.
    ("GET", "/api/v1/stream"): Access(board=True, scope=Scope.ORDERS_READ, roles=IN_THE_SHOP),
    # API keys: whoever could make one, could do whatever it may, so no key makes keys.
    ("POST", "/api/v1/api-keys"): Access(roles=MANAGERS),
    ("GET", "/api/v1/api-keys"): Access(roles=MANAGERS),
    ("GET", "/api/v1/api-keys/{keyId}"): Access(roles=MANAGERS),
    ("POST", "/api/v1/api-keys/{keyId}/rotate"): Access(roles=MANAGERS),
    ("DELETE", "/api/v1/api-keys/{keyId}"): Access(roles=MANAGERS),
    # What happened, asked for and sent. Who may say where events go may read them, too.
    ("GET", "/api/v1/events"): Access(scope=Scope.EVENTS_READ, roles=MANAGERS),
    ("GET", "/api/v1/events/{eventId}"): Access(scope=Scope.EVENTS_READ, roles=MANAGERS),
    ("POST", "/api/v1/webhook-endpoints"): HOOKS,
    ("GET", "/api/v1/webhook-endpoints"): HOOKS,
    ("GET", "/api/v1/webhook-endpoints/{endpointId}"): HOOKS,
    ("PATCH", "/api/v1/webhook-endpoints/{endpointId}"): HOOKS,
    ("DELETE", "/api/v1/webhook-endpoints/{endpointId}"): HOOKS,
    ("POST", "/api/v1/webhook-endpoints/{endpointId}/rotate-secret"): HOOKS,
    ("POST", "/api/v1/webhook-endpoints/{endpointId}/test"): HOOKS,
    ("POST", "/api/v1/webhook-endpoints/{endpointId}/replay"): HOOKS,
    ("GET", "/api/v1/webhook-deliveries"): HOOKS,
    ("GET", "/api/v1/webhook-deliveries/{deliveryId}"): HOOKS,
    ("POST", "/api/v1/webhook-deliveries/{deliveryId}/replay"): HOOKS,
    # A customer without a wallet, on chains of development.
    ("POST", "/api/v1/test/orders/{orderId}/pay"): Access(scope=Scope.ORDERS_WRITE),
    ("POST", "/api/v1/test/wallets"): Access(scope=Scope.ORDERS_WRITE),
    ("POST", "/api/v1/test/clock"): Access(scope=Scope.ORDERS_WRITE),
    # What a key has asked lately: its own, or one that a manager names.
    ("GET", "/api/v1/request-log"): Access(any_key=True, roles=MANAGERS),
    # The service itself.
    ("GET", "/api/v1/status"): ANYONE,
    ("GET", "/healthz"): ANYONE,
    ("GET", "/readyz"): ANYONE,
    ("GET", "/metrics"): ANYONE,
    ("GET", "/errors"): ANYONE,
    ("GET", "/errors/{code}"): ANYONE,
    ("GET", "/.well-known/jwks.json"): ANYONE,
    ("GET", "/.well-known/webhook-keys.json"): ANYONE,
    ("GET", "/openapi.json"): ANYONE,
    ("GET", "/asyncapi.json"): ANYONE,
    ("GET", "/docs"): ANYONE,
    ("GET", "/"): ANYONE,
}
