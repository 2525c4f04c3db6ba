"""The application: a service's routes, behind one coat of headers and one shape of faults."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.methods import HeadAsGet
from api.problems import Dress, add_handlers
from api.routes import contract, orders, public, validate
from api.service import Service


def create_app(service: Service) -> FastAPI:
    """Make the application over a service that is open; running it is the caller's."""
    app = FastAPI(
        title="BillCoin payments",
        version="1",
        summary="Orders, payments and their validation on a ledger of milk",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.service = service
    app.add_route("/api/v1/payments/validate", validate.validate, ["POST"])
    app.add_route("/api/v1/orders", orders.create_order, ["POST"])
    app.add_route("/api/v1/orders/{order_id}/payment", orders.submit_payment, ["POST"])
    app.include_router(public.router)
    add_handlers(app)
    app.add_middleware(HeadAsGet)
    app.add_middleware(Dress, metrics=service.metrics)

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            plain = get_openapi(
                title=app.title, version=app.version, summary=app.summary, routes=app.routes
            )
            app.openapi_schema = contract.complete(plain)
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]  # FastAPI's documented way
    return app
