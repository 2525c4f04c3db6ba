"""All routes of the service, resource by resource."""

from typing import Final

from api.catalogue.routes import ROUTES as CATALOGUE
from api.chain.routes import ROUTES as CHAIN
from api.events.routes import ROUTES as EVENTS
from api.http.routes import Route
from api.keys.routes import ROUTES as KEYS
from api.operations.routes import ROUTES as OPERATIONS
from api.orders.routes import ROUTES as ORDERS
from api.payments.routes import ROUTES as PAYMENTS

ROUTES: Final[tuple[Route, ...]] = (
    *CATALOGUE,
    *ORDERS,
    *PAYMENTS,
    *CHAIN,
    *EVENTS,
    *KEYS,
    *OPERATIONS,
)
