"""Webhooks in JSON: what a merchant asks for, and what is shown of endpoints and deliveries."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from api.amounts import format_time
from api.events.kinds import EventKind
from api.events.schemas import EventIdText
from api.events.store import event_id
from api.http.pages import PageQuery
from api.http.scalars import LINE, Instant, TimeText, UlidText
from api.webhooks.model import Attempt, Delivery, DeliveryState, Endpoint, EndpointState

Url = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=500,
        pattern="^[!-~]+$",
        description="https, on port 443 of a public address; while developing, http and every "
        "port, too.",
        examples=["https://shop.example/billcoin"],
    ),
]
Description = Annotated[
    str, Meta(max_length=120, pattern=LINE, description="For people: what listens there.")
]
Kinds = Annotated[
    list[EventKind],
    Meta(max_length=len(EventKind), description="What it is told of; everything if none is named."),
]
DeliveryIdText = Annotated[
    str,
    Meta(
        pattern="^[0-9A-HJKMNP-TV-Z]{26}-[1-9][0-9]*$",
        description="The endpoint and the event's `sequence`.",
    ),
]


class NewEndpointBody(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """Where events are to go."""

    url: Url
    description: Description = ""
    events: Kinds = []


class EndpointChangesBody(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """What of an endpoint is to be written anew."""

    url: Url | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    events: Kinds | UnsetType = UNSET
    state: EndpointState | UnsetType = UNSET


class ReplayBody(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """From when on events are sent anew."""

    since: Instant


class EndpointsQuery(PageQuery, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How endpoints are listed."""


class DeliveriesQuery(
    PageQuery, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """Which deliveries are asked for; those of the newest events first."""

    endpoint_id: Annotated[str, Meta(max_length=26, description="Those of one endpoint.")] = ""
    state: DeliveryState | None = None


class WebhookSecretView(msgspec.Struct, frozen=True, rename="camel"):
    """A secret that signs."""

    public_key: Annotated[
        str,
        Meta(pattern="^whpk_[A-Za-z0-9+/=]+$", description="Verifies `v1a` signatures (Ed25519)."),
    ]
    created_at: TimeText
    expires_at: TimeText | None


class EndpointView(msgspec.Struct, frozen=True, rename="camel"):
    """An endpoint, without what it is signed with."""

    id: UlidText
    url: str
    description: str
    events: list[str]
    state: EndpointState
    disabled_reason: Annotated[
        str | None,
        Meta(description="`merchant`, `failing` for three days, or `gone`: it said 410."),
    ]
    failing_since: Annotated[
        TimeText | None, Meta(description="Since when it has taken nothing that was sent.")
    ]
    livemode: bool
    created_at: TimeText
    secrets: Annotated[
        list[WebhookSecretView], Meta(description="Two for a day after a rotation: both sign.")
    ]


class IssuedEndpoint(msgspec.Struct, frozen=True, rename="camel"):
    """An endpoint with the secret that was just drawn: it is shown in this answer alone."""

    webhook_endpoint: EndpointView
    secret: Annotated[
        str,
        Meta(pattern="^whsec_[A-Za-z0-9+/=]+$", description="Verifies `v1` signatures (HMAC)."),
    ]


class ReplayView(msgspec.Struct, frozen=True, rename="camel"):
    """What is sent anew."""

    queued: int
    through_sequence: Annotated[
        int,
        Meta(description="The last event that was looked at: at most 10,000 are begun at once."),
    ]


class AttemptView(msgspec.Struct, frozen=True, rename="camel"):
    """One try."""

    at: TimeText
    took_ms: int
    status: Annotated[int | None, Meta(description="What the receiver answered.")]
    code: Annotated[
        str | None,
        Meta(
            description="Why it didn't: NAME_NOT_RESOLVED, ADDRESS_REFUSED, NOT_CONNECTED, "
            "BAD_CERTIFICATE, TIMEOUT, CONNECTION_BROKEN."
        ),
    ]


class DeliveryView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """An event on its way to an endpoint."""

    id: DeliveryIdText
    endpoint_id: UlidText
    event_id: EventIdText
    type: str
    state: DeliveryState
    tries: int
    next_try_at: TimeText | None
    created_at: TimeText
    ended_at: TimeText | None


class TriedDeliveryView(DeliveryView, frozen=True, rename="camel", kw_only=True):
    """A delivery with each of its tries, the oldest first."""

    attempts: list[AttemptView]


class WebhookKeysQuery(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """Whose keys are asked for."""

    endpoint_id: (
        Annotated[
            str,
            Meta(
                pattern="^[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{26}$",
                description="Those of one endpoint.",
            ),
        ]
        | UnsetType
    ) = UNSET


class WebhookKey(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A key in force, as RFC 8037 writes it, and as Standard Webhooks does."""

    kid: UlidText
    kty: Literal["OKP"] = "OKP"
    crv: Literal["Ed25519"] = "Ed25519"
    alg: Literal["EdDSA"] = "EdDSA"
    use: Literal["sig"] = "sig"
    x: Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{43}$")]
    endpoint_id: UlidText
    public_key: Annotated[str, Meta(pattern="^whpk_[A-Za-z0-9+/]{43}=$")]
    created_at: TimeText
    expires_at: Annotated[
        TimeText | None, Meta(description="When it stops signing: it was exchanged.")
    ]


class WebhookKeySet(msgspec.Struct, frozen=True):
    """Keys in force, newest first."""

    keys: list[WebhookKey]


def _time(time_ms: int | None) -> str | None:
    return None if time_ms is None else format_time(time_ms)


def endpoint_view(endpoint: Endpoint, *, livemode: bool) -> EndpointView:
    """Show an endpoint."""
    return EndpointView(
        endpoint.id,
        endpoint.url,
        endpoint.description,
        list(endpoint.kinds),
        endpoint.state,
        endpoint.disabled_why or None,
        _time(endpoint.failing_since_ms),
        livemode,
        format_time(endpoint.created_ms),
        [
            WebhookSecretView(one.public_key, format_time(one.created_ms), _time(one.until_ms))
            for one in endpoint.secrets
        ],
    )


def _shown(delivery: Delivery) -> dict[str, object]:
    pending = delivery.state is DeliveryState.PENDING
    return {
        "id": delivery.id,
        "endpoint_id": delivery.endpoint_id,
        "event_id": event_id(delivery.merchant_id, delivery.seq),
        "type": delivery.kind,
        "state": delivery.state,
        "tries": delivery.tries,
        "next_try_at": format_time(delivery.next_ms) if pending else None,
        "created_at": format_time(delivery.created_ms),
        "ended_at": _time(delivery.ended_ms),
    }


def delivery_view(delivery: Delivery) -> DeliveryView:
    """Show a delivery."""
    return DeliveryView(**_shown(delivery))  # type: ignore[arg-type]  # their types are above


def tried_delivery_view(delivery: Delivery, attempts: list[Attempt]) -> TriedDeliveryView:
    """Show a delivery with its tries."""
    return TriedDeliveryView(
        **_shown(delivery),  # type: ignore[arg-type]  # as above
        attempts=[
            AttemptView(format_time(one.at_ms), one.took_ms, one.status, one.code or None)
            for one in attempts
        ],
    )
