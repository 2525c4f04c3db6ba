"""What a merchant does with its endpoints. Each act is one transaction of the caller."""

from collections.abc import Callable
from dataclasses import replace

from msgspec import UNSET
from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from api.errors import Conflict, NotFound, Pointer, Unprocessable
from api.events.kinds import EventKind
from api.events.outbox import NewEvent, write_events
from api.events.store import KeptEvent, find_event
from api.vault.data_keys import Vault
from api.webhooks import deliveries, delivery_log, store
from api.webhooks.addresses import AddressFault, check_url
from api.webhooks.model import (
    ENDPOINTS_MAX,
    FARES_WELL,
    Delivery,
    DisabledWhy,
    Endpoint,
    EndpointState,
)
from api.webhooks.schemas import EndpointChangesBody, NewEndpointBody
from api.webhooks.signing import WebhookSecret, draw_secret


class WebhookDesk:
    """Makes, changes and tries endpoints."""

    def __init__(self, vault: Vault, now_ms: Callable[[], int], *, livemode: bool) -> None:
        self._vault = vault
        self._now_ms = now_ms
        self._livemode = livemode

    def _check_url(self, url: str) -> None:
        try:
            check_url(url, livemode=self._livemode)
        except AddressFault as fault:
            raise Unprocessable(
                str(fault), code="BAD_WEBHOOK_URL", errors=(Pointer("/url", fault.code),)
            ) from None

    async def make(
        self, connection: AsyncConnection, merchant_id: str, body: NewEndpointBody
    ) -> tuple[Endpoint, WebhookSecret]:
        """Make an endpoint; give its first secret, too."""
        self._check_url(body.url)
        if await store.count_endpoints(connection, merchant_id) >= ENDPOINTS_MAX:
            raise Conflict(
                f"a merchant has at most {ENDPOINTS_MAX} endpoints", code="TOO_MANY_ENDPOINTS"
            )
        now_ms = self._now_ms()
        endpoint = Endpoint(
            id=str(ULID.from_timestamp(now_ms / 1_000)),
            merchant_id=merchant_id,
            url=body.url,
            description=body.description,
            kinds=tuple(sorted(set(body.events))),
            state=EndpointState.ENABLED,
            disabled_why="",
            failing_since_ms=None,
            created_ms=now_ms,
        )
        await store.insert_endpoint(connection, endpoint)
        return await self._give_secret(connection, endpoint)

    async def _give_secret(
        self, connection: AsyncConnection, endpoint: Endpoint
    ) -> tuple[Endpoint, WebhookSecret]:
        secret, now_ms = draw_secret(), self._now_ms()
        secret_id = str(ULID.from_timestamp(now_ms / 1_000))
        await store.insert_secret(connection, self._vault, endpoint, secret_id, secret, now_ms)
        return await self.find(connection, endpoint.merchant_id, endpoint.id), secret

    async def find(
        self, connection: AsyncConnection, merchant_id: str, endpoint_id: str, *, lock: bool = False
    ) -> Endpoint:
        """Read an endpoint; raise `NotFound` for another merchant's."""
        now_ms = self._now_ms()
        found = await store.find_endpoint(connection, merchant_id, endpoint_id, now_ms, lock=lock)
        if found is None:
            raise NotFound("there is no such endpoint")
        return found

    async def rotate(
        self, connection: AsyncConnection, merchant_id: str, endpoint_id: str
    ) -> tuple[Endpoint, WebhookSecret]:
        """Exchange an endpoint's secret: for a day, both sign."""
        endpoint = await self.find(connection, merchant_id, endpoint_id, lock=True)
        return await self._give_secret(connection, endpoint)

    async def change(
        self,
        connection: AsyncConnection,
        merchant_id: str,
        endpoint_id: str,
        body: EndpointChangesBody,
    ) -> Endpoint:
        """Write members of an endpoint anew.

        One that is enabled again gets what happens from then on: what it missed, a replay brings.
        Another address begins well: what the one before did is not held against it.
        """
        endpoint = await self.find(connection, merchant_id, endpoint_id, lock=True)
        changes: dict[str, object] = {}
        if body.url is not UNSET and body.url != endpoint.url:
            self._check_url(str(body.url))
            changes |= {"url": body.url, **FARES_WELL}
        if body.description is not UNSET:
            changes["description"] = body.description
        if body.events is not UNSET:
            changes["kinds"] = sorted(set(body.events))
        if body.state is not UNSET and body.state is not endpoint.state:
            changes |= await self._switched(connection, endpoint, EndpointState(body.state))
        await store.change_endpoint(connection, endpoint, changes)
        return await self.find(connection, merchant_id, endpoint_id)

    async def _switched(
        self, connection: AsyncConnection, endpoint: Endpoint, state: EndpointState
    ) -> dict[str, object]:
        if state is EndpointState.DISABLED:
            now_ms = self._now_ms()
            await deliveries.fail_pending(connection, endpoint.merchant_id, endpoint.id, now_ms)
            return {"state": state, "disabled_why": DisabledWhy.MERCHANT}
        return {
            "state": state,
            "disabled_why": "",
            **FARES_WELL,
            "seen_seq": await store.newest_seq(connection, endpoint.merchant_id),
        }

    async def delete(
        self, connection: AsyncConnection, merchant_id: str, endpoint_id: str
    ) -> Endpoint:
        """Delete an endpoint; give it as it was."""
        endpoint = await self.find(connection, merchant_id, endpoint_id, lock=True)
        await store.delete_endpoint(connection, endpoint)
        return replace(endpoint, state=EndpointState.DISABLED, secrets=())

    async def try_out(
        self, connection: AsyncConnection, merchant_id: str, endpoint_id: str
    ) -> KeptEvent:
        """Write a test event, which goes to this endpoint alone; raise `Conflict` if disabled."""
        endpoint = await self._enabled(connection, merchant_id, endpoint_id)
        body = {"endpointId": endpoint.id}
        told = NewEvent(EventKind.WEBHOOK_TEST, merchant_id, endpoint.id, body, self._now_ms())
        await write_events(connection, [told])
        seq = await store.newest_seq(connection, merchant_id)  # Nobody writes until our commit.
        event = await find_event(connection, merchant_id, seq)
        assert event is not None, "it was just written"
        return event

    async def replay_since(
        self, connection: AsyncConnection, merchant_id: str, endpoint_id: str, since_ms: int
    ) -> tuple[int, int]:
        """Send anew what happened since a time; give how many, and the last one's number."""
        await self._enabled(connection, merchant_id, endpoint_id)
        now_ms = self._now_ms()
        return await delivery_log.replay_since(
            connection, merchant_id, endpoint_id, since_ms, now_ms
        )

    async def replay_one(
        self, connection: AsyncConnection, merchant_id: str, endpoint_id: str, seq: int
    ) -> Delivery:
        """Send one delivery anew."""
        await self._enabled(connection, merchant_id, endpoint_id)
        now_ms = self._now_ms()
        await delivery_log.replay_one(connection, merchant_id, endpoint_id, seq, now_ms)
        found = await delivery_log.find_delivery(connection, merchant_id, endpoint_id, seq)
        if found is None:
            raise NotFound("there is no such delivery")
        return found

    async def _enabled(
        self, connection: AsyncConnection, merchant_id: str, endpoint_id: str
    ) -> Endpoint:
        endpoint = await self.find(connection, merchant_id, endpoint_id, lock=True)
        if endpoint.state is not EndpointState.ENABLED:
            raise Conflict("the endpoint is disabled: enable it first", code="ENDPOINT_DISABLED")
        return endpoint
