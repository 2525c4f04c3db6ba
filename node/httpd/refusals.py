"""What is wrong with a request before any route has seen it, and the answer that says so."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

import msgspec

from node.httpd.limits import HttpLimits

FIELD_OVERHEAD_BYTES: Final = 4
"""A colon, a blank and the end of the line."""


class HttpRefusal(Exception):
    """What is wrong with a request before any route has seen it."""

    def __init__(self, status: HTTPStatus, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.reason, self.detail = status, reason, detail

    def encode(self) -> bytes:
        """Write the whole answer: a problem (RFC 9457), and the end of the connection."""
        status = self.status
        body = msgspec.json.encode(
            {
                "type": "about:blank",
                "title": status.phrase,
                "status": int(status),
                "detail": self.detail,
            }
        )
        head = (
            f"HTTP/1.1 {int(status)} {status.phrase}\r\n"
            f"content-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\n"
            f"connection: close\r\n\r\n"
        )
        return head.encode("ascii") + body


NOT_HTTP: Final = HttpRefusal(HTTPStatus.BAD_REQUEST, "not HTTP", "this is not HTTP/1.1")
NO_PLACE: Final = HttpRefusal(
    HTTPStatus.SERVICE_UNAVAILABLE, "no place", "too many connections: try again in a second"
)


def large_head(limits: HttpLimits) -> HttpRefusal:
    """Refuse a head past its bounds."""
    return HttpRefusal(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        "large head",
        f"a head has at most {limits.head_bytes_max} bytes and {limits.headers_max} fields",
    )


def large_body(limits: HttpLimits) -> HttpRefusal:
    """Refuse a body past its bound."""
    detail = f"a body has at most {limits.body_bytes_max} bytes"
    return HttpRefusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "large body", detail)


def check_fields(fields: Sequence[tuple[bytes, bytes]], version: str, limits: HttpLimits) -> None:
    """Judge a whole head by its fields, named in lower case; raise `HttpRefusal`."""
    if len(fields) > limits.headers_max:
        raise large_head(limits)
    hosts = 0
    for name, value in fields:
        if name == b"host":
            hosts += 1
        elif name == b"transfer-encoding" and value.lower() != b"chunked":
            detail = "the one transfer coding that is read here is chunked"
            raise HttpRefusal(HTTPStatus.NOT_IMPLEMENTED, "transfer coding", detail)
        elif name == b"content-length" and int(value) > limits.body_bytes_max:
            raise large_body(limits)
    if hosts != 1 and (hosts or version == "1.1"):
        raise HttpRefusal(HTTPStatus.BAD_REQUEST, "host", "a request names one Host")


def head_bytes(url: bytes, fields: Sequence[tuple[bytes, bytes]]) -> int:
    """Measure a head that perhaps came in one read with what stood before or behind it."""
    return len(url) + sum(len(name) + len(value) + FIELD_OVERHEAD_BYTES for name, value in fields)
