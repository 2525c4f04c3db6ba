"""Faults of the payments service, as RFC 9457 problems.

ApiFault                    a refusal with a status, a stable code and a detail
+-- MalformedRequest   400  the body is not what the route reads
+-- KeyMissing         400  a money POST without an Idempotency-Key
+-- Unauthorized       401  no key, or none that is known
+-- Forbidden          403  a key without the scope
+-- NotFound           404
+-- Conflict           409  the thing is in another state, or the same request is in progress
+-- TooLarge           413
+-- UnsupportedType    415
+-- UnsupportedCoding  415
+-- Unprocessable      422  understood and not accepted: `code` says why
+-- Locked             423  too many wrong tries: for a while, or until a person helps
+-- Throttled          429  with `Retry-After`
+-- Unavailable        503  the ledger or the database is out of reach, or behind
ConfigFault                 a configuration that can't be used; for the command line
DatabaseFault               an embedded PostgreSQL that can't be started
FollowerFault               a chain that is not the one this database has followed
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar


class ConfigFault(ValueError):
    """A configuration that can't be used."""


class DatabaseFault(RuntimeError):
    """An embedded PostgreSQL that can't be started."""


class FollowerFault(RuntimeError):
    """A chain that is not the one this database has followed."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """Where in the body a fault is (a JSON pointer), and what it is."""

    pointer: str
    code: str


class ApiFault(Exception):
    """A refusal that a caller can act on. `api.http.catalogue` tells what each code means."""

    status: int = 500
    default_code: ClassVar[str] = "INTERNAL"
    headers: Mapping[str, str] = {}

    def __init__(
        self,
        detail: str,
        *,
        code: str = "",
        errors: tuple[Pointer, ...] = (),
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.default_code
        self.errors = errors
        self.retry_after_s = retry_after_s


class MalformedRequest(ApiFault):
    """The body is not what the route reads."""

    status, default_code = 400, "MALFORMED_REQUEST"


class KeyMissing(ApiFault):
    """A money POST without an Idempotency-Key."""

    status, default_code = 400, "IDEMPOTENCY_KEY_REQUIRED"


class Unauthorized(ApiFault):
    """No credential, or none that is known."""

    status, default_code = 401, "UNAUTHORIZED"
    headers: Mapping[str, str] = {"WWW-Authenticate": 'Bearer realm="billcoin"'}


class Forbidden(ApiFault):
    """A credential that may not do that."""

    status, default_code = 403, "FORBIDDEN"


class NotFound(ApiFault):
    """There is no such thing, or it is another merchant's."""

    status, default_code = 404, "NOT_FOUND"


class Conflict(ApiFault):
    """The thing is in another state, or the same request is in progress."""

    status, default_code = 409, "CONFLICT"


class TooLarge(ApiFault):
    """A body over the limit."""

    status, default_code = 413, "BODY_TOO_LARGE"


class UnsupportedType(ApiFault):
    """A body that is not JSON."""

    status, default_code = 415, "UNSUPPORTED_MEDIA_TYPE"
    headers: Mapping[str, str] = {"Accept": "application/json"}


class UnsupportedCoding(ApiFault):
    """A body that is compressed, or coded in another way."""

    status, default_code = 415, "UNSUPPORTED_CONTENT_CODING"
    headers: Mapping[str, str] = {"Accept-Encoding": "identity"}


class Unprocessable(ApiFault):
    """Understood and not accepted: the code says why."""

    status, default_code = 422, "REFUSED"


class Locked(ApiFault):
    """Shut out for a while, or until a person helps."""

    status, default_code = 423, "LOCKED"


class Throttled(ApiFault):
    """Too many requests in the window."""

    status, default_code = 429, "RATE_LIMITED"


class Unavailable(ApiFault):
    """The ledger or the database is out of reach, or behind."""

    status, default_code = 503, "LEDGER_UNAVAILABLE"
