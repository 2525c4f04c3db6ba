"""Endpoints of webhooks: made, listed, changed, tried and deleted by their merchant."""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.db.session import in_transaction
from api.events.schemas import EventView, event_view
from api.http.pages import Listing
from api.http.replies import Reply
from api.http.routes import ApiCall, Idempotency, Route
from api.people.callers import id_of
from api.webhooks import store
from api.webhooks.schemas import (
    EndpointChangesBody,
    EndpointsQuery,
    EndpointView,
    IssuedEndpoint,
    NewEndpointBody,
    ReplayBody,
    ReplayView,
    endpoint_view,
)

PATH: Final = "/api/v1/webhook-endpoints"
ONE: Final = f"{PATH}/{{endpointId}}"
LIST: Final = "listWebhookEndpoints"


async def create_endpoint(call: ApiCall) -> Reply:
    """Make an endpoint; its secret stands in this answer alone."""
    service, livemode = call.service, call.service.config.livemode

    async def work(connection: AsyncConnection) -> Reply:
        endpoint, secret = await service.webhooks.desk.make(connection, call.merchant_id, call.body)
        issued = IssuedEndpoint(endpoint_view(endpoint, livemode=livemode), secret.text)
        return Reply(issued, 201, {"Location": f"{PATH}/{endpoint.id}"})

    return await service.answers.once(call.once, work)


async def list_endpoints(call: ApiCall) -> Listing[EndpointView]:
    """List the merchant's endpoints, newest first."""
    service, query, livemode = call.service, call.query, call.service.config.livemode
    after = service.cursors.read(query.cursor, LIST, call.merchant_id)
    async with service.engine.connect() as connection:
        found = await store.list_endpoints(
            connection,
            call.merchant_id,
            str(after[0]) if after else "",
            query.limit + 1,
            service.webhooks.now_ms(),
        )
    return service.cursors.page(
        found,
        query.limit,
        lambda endpoint: (endpoint.id,),
        lambda endpoint: endpoint_view(endpoint, livemode=livemode),
        LIST,
        call.merchant_id,
    )


async def read_endpoint(call: ApiCall) -> EndpointView:
    """Give an endpoint; another merchant's is not found."""
    service, endpoint_id = call.service, id_of(call, "endpointId")
    async with service.engine.connect() as connection:
        endpoint = await service.webhooks.desk.find(connection, call.merchant_id, endpoint_id)
    return endpoint_view(endpoint, livemode=service.config.livemode)


async def change_endpoint(call: ApiCall) -> EndpointView:
    """Write members of an endpoint anew."""
    service, endpoint_id = call.service, id_of(call, "endpointId")
    endpoint = await in_transaction(
        service.engine,
        lambda connection: service.webhooks.desk.change(
            connection, call.merchant_id, endpoint_id, call.body
        ),
    )
    return endpoint_view(endpoint, livemode=service.config.livemode)


async def delete_endpoint(call: ApiCall) -> EndpointView:
    """Delete an endpoint, and all that is known of its deliveries."""
    service, endpoint_id = call.service, id_of(call, "endpointId")
    endpoint = await in_transaction(
        service.engine,
        lambda connection: service.webhooks.desk.delete(connection, call.merchant_id, endpoint_id),
    )
    return endpoint_view(endpoint, livemode=service.config.livemode)


async def rotate_secret(call: ApiCall) -> Reply:
    """Exchange an endpoint's secret; for a day, both sign."""
    service, endpoint_id = call.service, id_of(call, "endpointId")
    livemode = service.config.livemode

    async def work(connection: AsyncConnection) -> Reply:
        endpoint, secret = await service.webhooks.desk.rotate(
            connection, call.merchant_id, endpoint_id
        )
        view = endpoint_view(endpoint, livemode=livemode)
        return Reply(IssuedEndpoint(view, secret.text), 200)

    return await service.answers.once(call.once, work)


async def send_test(call: ApiCall) -> Reply:
    """Write a test event, which goes to this endpoint alone."""
    service, endpoint_id = call.service, id_of(call, "endpointId")

    async def work(connection: AsyncConnection) -> Reply:
        event = await service.webhooks.desk.try_out(connection, call.merchant_id, endpoint_id)
        return Reply(event_view(event, livemode=service.config.livemode), 202)

    return await service.answers.once(call.once, work)


async def replay_events(call: ApiCall) -> Reply:
    """Send anew what happened since a time."""
    service, endpoint_id = call.service, id_of(call, "endpointId")
    since_ms = call.body.since.time_ms
    queued, last = await in_transaction(
        service.engine,
        lambda connection: service.webhooks.desk.replay_since(
            connection, call.merchant_id, endpoint_id, since_ms
        ),
    )
    return Reply(ReplayView(queued, last), 202)


ROUTES: Final = (
    Route(
        method="POST",
        path=PATH,
        operation="createWebhookEndpoint",
        summary="Have events sent to an address; its secret stands in this answer alone",
        tag="webhooks",
        handler=create_endpoint,
        body=NewEndpointBody,
        answer=IssuedEndpoint,
        status=201,
        idempotency=Idempotency.KEY,
        codes=("BAD_WEBHOOK_URL", "TOO_MANY_ENDPOINTS"),
    ),
    Route(
        method="GET",
        path=PATH,
        operation=LIST,
        summary="List the merchant's endpoints, newest first",
        tag="webhooks",
        handler=list_endpoints,
        query=EndpointsQuery,
        answer=Listing[EndpointView],
    ),
    Route(
        method="GET",
        path=ONE,
        operation="readWebhookEndpoint",
        summary="Read an endpoint; another merchant's is not found",
        tag="webhooks",
        handler=read_endpoint,
        answer=EndpointView,
        codes=("NOT_FOUND",),
    ),
    Route(
        method="PATCH",
        path=ONE,
        operation="changeWebhookEndpoint",
        summary="Change an endpoint; enabled again, it gets what happens from then on",
        tag="webhooks",
        handler=change_endpoint,
        body=EndpointChangesBody,
        answer=EndpointView,
        idempotency=Idempotency.NATURAL,
        codes=("NOT_FOUND", "BAD_WEBHOOK_URL"),
    ),
    Route(
        method="DELETE",
        path=ONE,
        operation="deleteWebhookEndpoint",
        summary="Delete an endpoint, and all that is known of its deliveries",
        tag="webhooks",
        handler=delete_endpoint,
        answer=EndpointView,
        idempotency=Idempotency.NATURAL,
        codes=("NOT_FOUND",),
    ),
    Route(
        method="POST",
        path=f"{ONE}/rotate-secret",
        operation="rotateWebhookSecret",
        summary="Exchange an endpoint's secret; for a day, deliveries bear signatures of both",
        tag="webhooks",
        handler=rotate_secret,
        answer=IssuedEndpoint,
        idempotency=Idempotency.KEY,
        codes=("NOT_FOUND",),
    ),
    Route(
        method="POST",
        path=f"{ONE}/test",
        operation="testWebhookEndpoint",
        summary="Send a `webhook.test` event to this endpoint alone",
        tag="webhooks",
        handler=send_test,
        answer=EventView,
        status=202,
        idempotency=Idempotency.KEY,
        codes=("NOT_FOUND", "ENDPOINT_DISABLED"),
    ),
    Route(
        method="POST",
        path=f"{ONE}/replay",
        operation="replayWebhookEvents",
        summary="Send anew what happened since a time, under the names that it had",
        tag="webhooks",
        handler=replay_events,
        body=ReplayBody,
        answer=ReplayView,
        status=202,
        idempotency=Idempotency.NATURAL,
        codes=("NOT_FOUND", "ENDPOINT_DISABLED"),
    ),
)
