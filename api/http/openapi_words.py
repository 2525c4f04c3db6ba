"""What OpenAPI says in words of its own: tags, names in paths, problems, credentials."""

from collections.abc import Mapping
from typing import Any, Final

Object = dict[str, Any]

TAGS: Final = {
    "orders": "What a till sells, at a locked price.",
    "payments": "What came in for orders, and the question whether a payment is good.",
    "refunds": "Money that goes back to whoever paid.",
    "loyalty": "Points for purchases.",
    "coupons": "Free milk: for points, or given by a union.",
    "cash": "Cash for BILL at an office or a till, and back.",
    "signing": "What signers sign for merchants and unions.",
    "flags": "What looks odd or has to be looked after, shown to a person who decides.",
    "catalogue": "What is sold.",
    "trace": "Lots of milk, and the way back to the farms.",
    "wallet": "What wallets read and hand in.",
    "keys": "Keys of a merchant's programs and partners.",
    "events": "What happened to a merchant, one by one.",
    "webhooks": "Where events are sent, signed as Standard Webhooks has it.",
    "test": "On chains of development alone.",
    "auth": "The ways in and out.",
    "people": "People of a union, their roles and wallets, and what takes two of them.",
    "tenants": "Unions and their merchants.",
    "terminals": "Tills, and the shifts at them.",
    "live": "What happens, as it happens.",
    "operations": "The service itself.",
}
PARAMETERS: Final[Mapping[str, Object]] = {
    "orderId": {"schema": {"type": "string"}, "description": "The order's ULID, in either case."},
    "txHash": {
        "schema": {"type": "string", "pattern": "^[0-9a-fA-F]{64}$"},
        "description": "A transaction's hash in hex.",
    },
    "address": {
        "schema": {"type": "string", "pattern": "^[a-z]{1,16}1[02-9ac-hj-np-z]{6,}$"},
        "description": "An account, in bech32m.",
    },
    "unionId": {"schema": {"type": "string"}, "description": "A union's ULID."},
    "merchantId": {"schema": {"type": "string"}, "description": "A merchant's ULID."},
    "userId": {"schema": {"type": "string"}, "description": "A person's ULID."},
    "ticketId": {"schema": {"type": "string"}, "description": "A ticket's ULID."},
    "linkId": {"schema": {"type": "string"}, "description": "A wallet link's ULID."},
    "terminalId": {"schema": {"type": "string"}, "description": "A till's ULID."},
    "approvalId": {"schema": {"type": "string"}, "description": "An approval's ULID."},
    "alertId": {"schema": {"type": "string"}, "description": "An alert's ULID."},
    "flagId": {"schema": {"type": "string"}, "description": "A flag's ULID."},
    "refundId": {"schema": {"type": "string"}, "description": "A refund's ULID."},
    "requestId": {"schema": {"type": "string"}, "description": "A signing request's ULID."},
    "purpose": {
        "schema": {"type": "string", "enum": ["welcomes", "coupons"]},
        "description": "What is given away.",
    },
    "couponId": {"schema": {"type": "string"}, "description": "A coupon's ULID."},
    "couponCode": {"schema": {"type": "string"}, "description": "What a coupon's QR holds."},
    "topUpId": {"schema": {"type": "string"}, "description": "A top-up's ULID."},
    "cashOutId": {"schema": {"type": "string"}, "description": "A cash-out's ULID."},
    "lotId": {
        "schema": {"type": "string", "pattern": "^[0-9a-fA-F]{64}$"},
        "description": "A lot's id in hex.",
    },
    "subject": {
        "schema": {"type": "string"},
        "description": "The id in hex of a pack (its product lot), lot, run or payment; an "
        "order's ULID or typed code.",
    },
    "productId": {"schema": {"type": "string"}, "description": "A product's id, as in whole-200."},
    "keyId": {"schema": {"type": "string"}, "description": "The key's ULID."},
    "eventId": {"schema": {"type": "string"}, "description": "An event's name, `evt_...`."},
    "endpointId": {"schema": {"type": "string"}, "description": "A webhook endpoint's ULID."},
    "deliveryId": {"schema": {"type": "string"}, "description": "A delivery's name."},
    "code": {"schema": {"type": "string"}, "description": "A problem's code."},
}
"""What a name in a path stands for, wherever it stands."""

PROBLEM_SCHEMA: Final[Object] = {
    "type": "object",
    "description": "A problem of RFC 9457.",
    "required": ["type", "title", "status", "detail", "code", "requestId"],
    "properties": {
        "type": {
            "type": "string",
            "format": "uri",
            "description": "Leads to what the code means and how to mend it.",
        },
        "title": {"type": "string", "description": "In English or Malay by `Accept-Language`."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "For people: what is wrong here."},
        "code": {"type": "string", "description": "For programs: it never changes its meaning."},
        "requestId": {"type": "string", "description": "Finds the request in our logs."},
        "help": {
            "type": "object",
            "description": "Whom to turn to: the union's office. With 401, 403 and 423.",
            "required": ["union", "office", "telephone", "email", "hours", "developerContact"],
            "properties": {
                name: {"type": "string"}
                for name in ("union", "office", "telephone", "email", "hours", "developerContact")
            },
        },
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code"],
                "properties": {
                    "pointer": {
                        "type": "string",
                        "description": "A JSON pointer into the body; `/query/...` into the query.",
                    },
                    "code": {"type": "string"},
                },
            },
        },
    },
}
SECURITY: Final[Object] = {
    "apiKey": {
        "type": "http",
        "scheme": "bearer",
        "description": "A merchant's key, `bck_...`.",
    },
    "accessToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A person's or a till's token of 15 minutes, EdDSA.",
    },
    "signerToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "What a signer signs with its account's key, good for a minute: `bcs_...`.",
    },
}

EARLY_PROBLEM_SCHEMA: Final[Object] = {
    "type": "object",
    "description": "A problem of a request that no route has seen: it has neither code nor id.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"const": "about:blank"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
}
HEADERS: Final[Mapping[str, Object]] = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "required": True,
        "description": "Names this request for seven days: new for each, the same when it is sent "
        "again.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    },
    "Prefer": {
        "name": "Prefer",
        "in": "header",
        "required": False,
        "description": "`wait=3` holds the answer until it is final, at most so many seconds "
        "(RFC 7240).",
        "schema": {"type": "string"},
    },
}
"""Headers of requests, by the name of their component."""
