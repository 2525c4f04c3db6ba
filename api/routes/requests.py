"""Reading a request: its body within a limit, its kind, its headers, its key."""

from typing import Final

from starlette.requests import Request

from api.auth.keys import Scope
from api.errors import TooLarge, UnsupportedCoding, UnsupportedType
from api.routes.headers import preference
from api.service import Service
from api.services.catalogue import Seller

DIGITS_MAX: Final = 9
"""A longer wait than this many digits of seconds is as long as we wait at all."""


def service_of(request: Request) -> Service:
    """Give the service behind a request."""
    service = request.app.state.service
    assert isinstance(service, Service), "the app was made with a service"
    return service


async def seller_of(request: Request, scope: Scope) -> Seller:
    """Give whom a request acts for; raise `Unauthorized` or `Forbidden`."""
    authorization = request.headers.get("authorization", "")
    return await service_of(request).authenticate(authorization, scope)


async def read_body(request: Request, limit: int) -> bytes:
    """Read a JSON body of at most `limit` bytes; raise `UnsupportedType` or `TooLarge`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise UnsupportedType(f"this route reads application/json, not {kind[:60] or 'nothing'}")
    coding = ",".join(request.headers.getlist("content-encoding")).strip().lower()
    if coding not in ("", "identity"):
        raise UnsupportedCoding(f"a body in {coding[:60]!r} is not read: send it as it is")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:12]) > limit:
        raise TooLarge(f"at most {limit} bytes are read here")
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise TooLarge(f"at most {limit} bytes are read here")
        parts.append(part)
    return b"".join(parts)


def wait_asked_s(request: Request, limit_s: int) -> int:
    """Read `Prefer: wait=N` (RFC 7240), cut to the limit; 0 when there is none."""
    text = preference(request.headers.getlist("prefer"), "wait") or ""
    if not (text.isascii() and text.isdigit()):
        return 0
    return min(int(text[:DIGITS_MAX]), limit_s) if len(text) <= DIGITS_MAX else limit_s
