"""All routes of the service, resource by resource."""

from typing import Final

from api.alerts.routes import ROUTES as ALERTS
from api.approvals.routes import ROUTES as APPROVALS
from api.budgets.routes import ROUTES as BUDGETS
from api.cash_book.routes import ROUTES as CASH_BOOK
from api.cash_outs.routes import ROUTES as CASH_OUTS
from api.catalogue.routes import ROUTES as CATALOGUE
from api.chain.routes import ROUTES as CHAIN
from api.coupons.campaign_routes import ROUTES as CAMPAIGNS
from api.coupons.routes import ROUTES as COUPONS
from api.events.list_routes import ROUTES as EVENTS
from api.events.routes import ROUTES as STREAM
from api.flags.routes import ROUTES as FLAGS
from api.http.routes import Route
from api.keys.routes import ROUTES as KEYS
from api.loyalty.routes import ROUTES as LOYALTY
from api.operations.routes import ROUTES as OPERATIONS
from api.orders.routes import ROUTES as ORDERS
from api.orders.wallet_routes import ROUTES as WALLETS
from api.payments.routes import ROUTES as PAYMENTS
from api.people.auth_routes import ROUTES as AUTH
from api.people.me_routes import ROUTES as ME
from api.people.office_routes import ROUTES as OFFICE
from api.people.recovery_routes import ROUTES as RECOVERY
from api.refunds.resolving_routes import ROUTES as RESOLVING
from api.refunds.routes import ROUTES as REFUNDS
from api.request_log.routes import ROUTES as REQUEST_LOG
from api.signing.routes import ROUTES as SIGNING
from api.status.routes import ROUTES as STATUS
from api.tenants.routes import ROUTES as TENANTS
from api.terminals.routes import ROUTES as TERMINALS
from api.testing.clock_routes import ROUTES as TEST_CLOCK
from api.testing.routes import ROUTES as TESTING
from api.testing.wallet_routes import ROUTES as TEST_WALLETS
from api.top_ups.routes import ROUTES as TOP_UPS
from api.trace.routes import ROUTES as TRACE
from api.webhooks.delivery_routes import ROUTES as DELIVERIES
from api.webhooks.public_keys import ROUTES as WEBHOOK_KEYS
from api.webhooks.routes import ROUTES as WEBHOOKS

ROUTES: Final[tuple[Route, ...]] = (
    *CATALOGUE,
    *ORDERS,
    *WALLETS,
    *PAYMENTS,
    *REFUNDS,
    *RESOLVING,
    *SIGNING,
    *LOYALTY,
    *COUPONS,
    *CAMPAIGNS,
    *BUDGETS,
    *TOP_UPS,
    *CASH_OUTS,
    *CASH_BOOK,
    *CHAIN,
    *TRACE,
    *STREAM,
    *EVENTS,
    *WEBHOOKS,
    *DELIVERIES,
    *WEBHOOK_KEYS,
    *KEYS,
    *TENANTS,
    *AUTH,
    *ME,
    *OFFICE,
    *RECOVERY,
    *TERMINALS,
    *APPROVALS,
    *FLAGS,
    *ALERTS,
    *REQUEST_LOG,
    *TESTING,
    *TEST_WALLETS,
    *TEST_CLOCK,
    *STATUS,
    *OPERATIONS,
)
