"""The application: a service's routes, behind one coat of headers and one shape of faults."""

from collections.abc import Sequence
from typing import Any, Final

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from api.access.table import TABLE
from api.http.methods import HeadAsGet
from api.http.middleware import Dress
from api.http.problems import add_handlers
from api.http.resources import ROUTES
from api.http.switchboard import Switchboard
from api.service import Service

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
SENT: Final = (
    "Accept-Language", "Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID",
    "Prefer", "traceparent", "X-Request-Id",
)  # fmt: skip
"""What another site's script may send."""
SHOWN: Final = (
    "Idempotent-Replayed", "Location", "Preference-Applied", "RateLimit", "RateLimit-Policy",
    "Retry-After", "X-Request-Id",
)  # fmt: skip
"""What it may read beside the body."""


def cors(origins: Sequence[str]) -> dict[str, Any]:
    """Say what scripts of other sites may do: what a program may, and never with our cookies."""
    return {
        "allow_origins": list(origins),
        "allow_methods": METHODS,
        "allow_headers": SENT,
        "expose_headers": SHOWN,
        "allow_credentials": False,
        "max_age": 600,
    }


def create_app(service: Service) -> FastAPI:
    """Make the application over a service that is open; running it is the caller's."""
    # The document is ours: it tells what the access table and the catalogue say, too.
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.public_url = service.config.public_url
    served = [route for route in ROUTES if not (route.development and service.config.livemode)]
    app.router.routes.append(Switchboard(served, TABLE, service))
    add_handlers(app)
    app.add_middleware(HeadAsGet)
    if service.config.cors_origins:
        app.add_middleware(CORSMiddleware, **cors(service.config.cors_origins))
    https = service.config.public_scheme == "https"
    app.add_middleware(Dress, metrics=service.metrics, https=https)
    return app
