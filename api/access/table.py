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
MANAGER: Final = Access(roles=frozenset({Role.MANAGER}))

TABLE: Final[Mapping[tuple[str, str], Access]] = {
    # What is sold, and to whom it is shown.
    ("GET", "/api/v1/products"): ANYONE,
    # Orders. Who knows an order's ULID may read its offer and pay it, as who holds a bill may.
    ("POST", "/api/v1/orders"): Access(scope=Scope.ORDERS_WRITE),
    ("GET", "/api/v1/orders/{orderId}"): Access(scope=Scope.ORDERS_READ),
    ("GET", "/api/v1/orders/{orderId}/qr.svg"): ANYONE,
    ("GET", "/api/v1/orders/{orderId}/qr.png"): ANYONE,
    ("GET", "/p/{orderId}"): ANYONE,
    ("GET", "/P/{orderId}"): ANYONE,
    ("POST", "/api/v1/orders/{orderId}/payment"): ANYONE,
    # Payments.
    ("GET", "/api/v1/payments/{txHash}"): Access(scope=Scope.PAYMENTS_READ),
    ("POST", "/api/v1/payments/validate"): Access(scope=Scope.PAYMENTS_VALIDATE),
    # The chain is public.
    ("GET", "/api/v1/accounts/{address}"): ANYONE,
    # Live.
    ("GET", "/api/v1/stream"): Access(board=True, scope=Scope.ORDERS_READ),
    # API keys: whoever could make one, could do whatever it may, so no key makes keys.
    ("POST", "/api/v1/api-keys"): MANAGER,
    ("GET", "/api/v1/api-keys"): MANAGER,
    ("GET", "/api/v1/api-keys/{keyId}"): MANAGER,
    ("POST", "/api/v1/api-keys/{keyId}/rotate"): MANAGER,
    ("DELETE", "/api/v1/api-keys/{keyId}"): MANAGER,
    # The service itself.
    ("GET", "/healthz"): ANYONE,
    ("GET", "/readyz"): ANYONE,
    ("GET", "/metrics"): ANYONE,
    ("GET", "/errors"): ANYONE,
    ("GET", "/errors/{code}"): ANYONE,
    ("GET", "/openapi.json"): ANYONE,
    ("GET", "/docs"): ANYONE,
    ("GET", "/"): ANYONE,
}
