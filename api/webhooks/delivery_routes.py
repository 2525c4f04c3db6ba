"""The log of deliveries: what was sent where, what came back, and once more, please."""

import re
from typing import Final

from api.db.session import in_transaction
from api.errors import NotFound
from api.http.pages import Listing
from api.http.replies import Reply
from api.http.routes import ApiCall, Idempotency, Route
from api.webhooks import delivery_log
from api.webhooks.schemas import (
    DeliveriesQuery,
    DeliveryView,
    TriedDeliveryView,
    delivery_view,
    tried_delivery_view,
)

PATH: Final = "/api/v1/webhook-deliveries"
LIST: Final = "listWebhookDeliveries"
_ID: Final = re.compile(r"([0-9A-HJKMNP-TV-Z]{26})-([1-9][0-9]{0,17})", re.ASCII)


def _place(call: ApiCall) -> tuple[str, int]:
    """Read a delivery's name: its endpoint and its event's number."""
    match = _ID.fullmatch(call.path["deliveryId"].upper())
    if match is None:
        raise NotFound("there is no such delivery")
    return match[1], int(match[2])


async def list_deliveries(call: ApiCall) -> Listing[DeliveryView]:
    """List the merchant's deliveries, those of the newest events first."""
    service, query, state = call.service, call.query, call.query.state or ""
    owner = f"{call.merchant_id}/{query.endpoint_id}/{state}"
    after = service.cursors.read(query.cursor, LIST, owner)
    async with service.engine.connect() as connection:
        found = await delivery_log.list_deliveries(
            connection,
            call.merchant_id,
            query.endpoint_id,
            state,
            (int(after[0]), str(after[1])) if after else None,
            query.limit + 1,
        )
    return service.cursors.page(
        found,
        query.limit,
        lambda delivery: (delivery.seq, delivery.endpoint_id),
        delivery_view,
        LIST,
        owner,
    )


async def read_delivery(call: ApiCall) -> TriedDeliveryView:
    """Give a delivery with its tries; another merchant's is not found."""
    service, (endpoint_id, seq) = call.service, _place(call)
    async with service.engine.connect() as connection:
        found = await delivery_log.find_delivery(connection, call.merchant_id, endpoint_id, seq)
        if found is None:
            raise NotFound("there is no such delivery")
        return tried_delivery_view(found, await delivery_log.attempts_of(connection, found))


async def replay_delivery(call: ApiCall) -> Reply:
    """Send one delivery anew."""
    service, (endpoint_id, seq) = call.service, _place(call)
    delivery = await in_transaction(
        service.engine,
        lambda connection: service.webhooks.desk.replay_one(
            connection, call.merchant_id, endpoint_id, seq
        ),
    )
    return Reply(delivery_view(delivery), 202)


ROUTES: Final = (
    Route(
        method="GET",
        path=PATH,
        operation=LIST,
        summary="List deliveries, those of the newest events first, for 30 days",
        tag="webhooks",
        handler=list_deliveries,
        query=DeliveriesQuery,
        answer=Listing[DeliveryView],
    ),
    Route(
        method="GET",
        path=f"{PATH}/{{deliveryId}}",
        operation="readWebhookDelivery",
        summary="Read a delivery with each of its tries",
        tag="webhooks",
        handler=read_delivery,
        answer=TriedDeliveryView,
        codes=("NOT_FOUND",),
    ),
    Route(
        method="POST",
        path=f"{PATH}/{{deliveryId}}/replay",
        operation="replayWebhookDelivery",
        summary="Send one delivery anew, under the name that it had",
        tag="webhooks",
        handler=replay_delivery,
        answer=DeliveryView,
        status=202,
        idempotency=Idempotency.NATURAL,
        codes=("NOT_FOUND", "ENDPOINT_DISABLED"),
    ),
)
