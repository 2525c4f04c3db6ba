"""The application: a service's routes, behind one coat of headers and one shape of faults."""

from fastapi import FastAPI

from api.access.table import TABLE
from api.http.methods import HeadAsGet
from api.http.middleware import Dress
from api.http.problems import add_handlers
from api.http.resources import ROUTES
from api.http.switchboard import Switchboard
from api.service import Service


def create_app(service: Service) -> FastAPI:
    """Make the application over a service that is open; running it is the caller's."""
    # The document is ours: it tells what the access table and the catalogue say, too.
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.public_url = service.config.public_url
    served = [route for route in ROUTES if not (route.development and service.config.livemode)]
    app.router.routes.append(Switchboard(served, TABLE, service))
    add_handlers(app)
    app.add_middleware(HeadAsGet)
    app.add_middleware(Dress, metrics=service.metrics)
    return app
