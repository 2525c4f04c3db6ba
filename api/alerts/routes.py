"""Alerts: an office sees its union's, a manager those of the shop; either says that it knows."""

from typing import Final

from msgspec import UNSET
from sqlalchemy.ext.asyncio import AsyncConnection

from api.alerts.model import Alert
from api.alerts.schemas import AlertsQuery, AlertView, alert_view
from api.alerts.store import find_alert, list_alerts
from api.db.session import in_transaction
from api.errors import NotFound
from api.http.pages import Listing
from api.http.routes import ApiCall, Idempotency, Route
from api.people.callers import id_of, person_of, shop_of

LIST: Final = "listAlerts"


async def read_alerts(call: ApiCall) -> Listing[AlertView]:
    """List alerts, newest first."""
    query, cursors, shop = call.query, call.service.cursors, shop_of(call)
    union_id = person_of(call).union_id
    owner = f"{union_id}|{shop}"
    below = cursors.read(query.cursor, LIST, owner)
    async with call.service.engine.connect() as connection:
        rows = await list_alerts(
            connection,
            union_id,
            shop,
            None if below is None else str(below[0]),
            query.limit + 1,
            None if query.state is UNSET else query.state,
            None if query.kind is UNSET else query.kind,
        )
    return cursors.page(rows, query.limit, _place, alert_view, LIST, owner)


def _place(alert: Alert) -> tuple[str]:
    return (alert.id,)


async def read_alert(call: ApiCall) -> AlertView:
    """Give an alert; another shop's is not found."""
    shop, union_id = shop_of(call), person_of(call).union_id
    async with call.service.engine.connect() as connection:
        alert = await find_alert(connection, union_id, id_of(call, "alertId"))
    if alert is None or (shop and alert.merchant_id != shop):
        raise NotFound("there is no such alert")
    return alert_view(alert)


async def acknowledge_alert(call: ApiCall) -> AlertView:
    """Say that one looks after it."""
    person, shop, service = person_of(call), shop_of(call), call.service
    alert_id = id_of(call, "alertId")

    async def work(connection: AsyncConnection) -> Alert:
        return await service.lookout.alerts.acknowledge(
            connection, person.union_id, shop, alert_id, person.user_id
        )

    return alert_view(await in_transaction(service.engine, work))


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/v1/alerts",
        operation=LIST,
        summary="List what has to be looked after, newest first: of the union, or of one's shop",
        tag="flags",
        handler=read_alerts,
        query=AlertsQuery,
        answer=Listing[AlertView],
    ),
    Route(
        method="GET",
        path="/api/v1/alerts/{alertId}",
        operation="readAlert",
        summary="Read an alert; another shop's is not found",
        tag="flags",
        handler=read_alert,
        answer=AlertView,
        codes=("NOT_FOUND",),
    ),
    Route(
        method="POST",
        path="/api/v1/alerts/{alertId}/acknowledge",
        operation="acknowledgeAlert",
        summary="Say that one looks after it; done twice, it is done once",
        tag="flags",
        handler=acknowledge_alert,
        answer=AlertView,
        idempotency=Idempotency.NATURAL,
        codes=("NOT_FOUND", "CONFLICT"),
    ),
)
