"""The AsyncAPI document: every event that is sent, made from what sends them.

`python -m api.events.asyncapi > docs/spec/payments.asyncapi.json` writes it anew; a test compares.
"""

import json
import sys
from typing import Any, Final

from api.events.bodies import body_of
from api.events.kinds import MEANINGS, EventKind
from api.events.schemas import EventView
from api.http.json_schemas import describe_types

Object = dict[str, Any]
SCHEMAS: Final = "#/components/schemas/{name}"
MESSAGES: Final = "#/components/messages/{name}"


def make_document() -> Object:
    """Describe every event in AsyncAPI 3.0."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "BillCoin events",
            "version": "1",
            "description": "What happens to a merchant's orders, payments, refunds and coupons, "
            "posted to the addresses that it names (Standard Webhooks 1.0.0). Members are added "
            "and never taken away: ignore what you don't know.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            "webhook": {
                "title": "A webhook endpoint",
                "description": "The URL that was given to `POST /api/v1/webhook-endpoints`.",
                "messages": {kind: _reference(MESSAGES, kind) for kind in EventKind},
            }
        },
        "operations": {
            "sendEvent": {
                "action": "send",
                "channel": {"$ref": "#/channels/webhook"},
                "summary": "An event is posted; any 2xx takes it.",
            }
        },
        "components": {
            "messages": {kind: _message(kind) for kind in EventKind},
            "schemas": {**_schemas(), "WebhookHeaders": _HEADERS},
        },
    }


def format_document() -> str:
    """Write the document as its file."""
    return json.dumps(make_document(), indent=2, ensure_ascii=False) + "\n"


def _reference(template: str, name: str) -> Object:
    return {"$ref": template.format(name=name)}


def _message(kind: EventKind) -> Object:
    own: Object = {
        "type": "object",
        "properties": {
            "type": {"const": str(kind)},
            "data": _reference(SCHEMAS, body_of(kind).__name__),
        },
    }
    return {
        "name": str(kind),
        "title": str(kind),
        "summary": MEANINGS[kind],
        "headers": _reference(SCHEMAS, "WebhookHeaders"),
        "payload": {"allOf": [_reference(SCHEMAS, EventView.__name__), own]},
    }


def _schemas() -> Object:
    kinds = [EventView, *dict.fromkeys(body_of(kind) for kind in EventKind)]
    _, found = describe_types(kinds, SCHEMAS)
    return dict(sorted(found.items()))


_HEADERS: Final[Object] = {
    "type": "object",
    "required": ["webhook-id", "webhook-timestamp", "webhook-signature"],
    "properties": {
        "webhook-id": {"type": "string", "description": "The event's `id`: the same each time."},
        "webhook-timestamp": {
            "type": "string",
            "pattern": "^[0-9]+$",
            "description": "When it was signed, in seconds since 1970.",
        },
        "webhook-signature": {
            "type": "string",
            "description": "Signatures of `id.timestamp.body`, with blanks between: `v1,` "
            "(HMAC-SHA256) and `v1a,` (Ed25519), in base64.",
        },
    },
}

if __name__ == "__main__":
    sys.stdout.write(format_document())
