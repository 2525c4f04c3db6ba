"""The OpenAPI description of the hot routes, which FastAPI doesn't see."""

from typing import Any, Final

_PROBLEM: Final = {
    "description": "A problem (RFC 9457)",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _header(name: str, description: str, *, required: bool) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": description,
        "schema": {"type": "string"},
    }


def _problems(*statuses: int) -> dict[str, Any]:
    return {str(status): _PROBLEM for status in statuses}


_HASH: Final = {"type": "string", "pattern": "^[0-9a-fA-F]{64}$"}
_KEYED: Final[list[dict[str, list[str]]]] = [{"apiKey": []}]

SCHEMAS: Final[dict[str, Any]] = {
    "Problem": {
        "type": "object",
        "required": ["type", "title", "status", "detail", "code", "requestId"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "code": {"type": "string"},
            "requestId": {"type": "string"},
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"pointer": {"type": "string"}, "code": {"type": "string"}},
                },
            },
        },
    },
    "Question": {
        "type": "object",
        "required": ["txHash", "expectedAmount"],
        "properties": {
            "txHash": _HASH,
            "expectedAmount": {
                "type": "string",
                "pattern": r"^(0|[1-9]\d{0,8})(\.\d{1,6})?$",
                "description": "RM with at most two decimals, as in 1.80; six with BILL",
            },
            "currency": {"type": "string", "enum": ["MYR", "BILL"], "default": "MYR"},
        },
    },
    "Answer": {
        "type": "object",
        "required": ["valid", "confirmedAt", "error"],
        "properties": {
            "valid": {"type": "boolean"},
            "confirmedAt": {"type": ["string", "null"], "format": "date-time"},
            "error": {
                "type": ["string", "null"],
                "enum": [
                    "TX_NOT_FOUND",
                    "TX_UNCONFIRMED",
                    "AMOUNT_MISMATCH",
                    "TX_FAILED",
                    "TX_REFUNDED",
                    "TX_ALREADY_USED",
                    None,
                ],
            },
        },
    },
    "NewOrder": {
        "type": "object",
        "required": ["productId"],
        "properties": {
            "productId": {"type": "string"},
            "quantity": {"type": "integer", "minimum": 1, "maximum": 100, "default": 1},
        },
    },
    "SignedPayment": {
        "type": "object",
        "required": ["transaction"],
        "properties": {
            "transaction": {"type": "string", "description": "The signed transaction in hex"}
        },
    },
}


def _body(schema: str) -> dict[str, Any]:
    reference = {"$ref": f"#/components/schemas/{schema}"}
    return {"required": True, "content": {"application/json": {"schema": reference}}}


PATHS: Final[dict[str, Any]] = {
    "/api/v1/payments/validate": {
        "post": {
            "tags": ["partner"],
            "summary": "Say whether a transaction paid the caller's merchant exactly this much",
            "operationId": "validate",
            "security": _KEYED,
            "parameters": [
                _header("Prefer", "`wait=3` holds the answer until finality", required=False)
            ],
            "requestBody": _body("Question"),
            "responses": {
                "200": _json("Answered", {"$ref": "#/components/schemas/Answer"}),
                **_problems(400, 401, 403, 413, 415, 429, 503),
            },
        }
    },
    "/api/v1/orders": {
        "post": {
            "tags": ["shop"],
            "summary": "Open an order: price locked, reference drawn, milk reserved",
            "operationId": "create_order",
            "security": _KEYED,
            "parameters": [_header("Idempotency-Key", "New for each order", required=True)],
            "requestBody": _body("NewOrder"),
            "responses": {
                "201": _json("Opened", {"type": "object"}),
                **_problems(400, 401, 403, 409, 413, 415, 422, 503),
            },
        }
    },
    "/api/v1/orders/{order_id}/payment": {
        "post": {
            "tags": ["wallet"],
            "summary": "Take a signed transaction for an order to the ledger",
            "operationId": "submit_payment",
            "parameters": [
                {
                    "name": "order_id",
                    "in": "path",
                    "required": True,
                    "schema": {"type": "string"},
                }
            ],
            "requestBody": _body("SignedPayment"),
            "responses": {
                "202": _json("On its way", {"type": "object"}),
                **_problems(400, 404, 409, 413, 415, 422, 503),
            },
        }
    },
}


def complete(schema: dict[str, Any]) -> dict[str, Any]:
    """Add the hot routes to what FastAPI has described."""
    schema["paths"] = {**PATHS, **schema.get("paths", {})}
    components = schema.setdefault("components", {})
    components["schemas"] = {**SCHEMAS, **components.get("schemas", {})}
    components["securitySchemes"] = {"apiKey": {"type": "http", "scheme": "bearer"}}
    return schema
