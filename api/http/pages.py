"""Lists a page at a time, by keyset cursors that are signed.

A page is `{data, hasMore, nextCursor}`. A cursor is where the page ended: the values that rows are
ordered by. It bears the name of the list and of who asked, and a signature, so what comes back is
what was given: nobody can make a query of it. It names no page number, so rows that come and go
meanwhile are neither skipped nor told twice.

    class OrdersQuery(PageQuery, ...): state: OrderState | None = None

    after = call.service.cursors.read(query.cursor, "listOrders", call.merchant_id)
    rows = await store.list_orders(..., after=after, limit=query.limit + 1)
    return page(rows, query.limit, lambda row: (row.created_ms, row.id), ...)
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from hmac import compare_digest, digest
from typing import Annotated, Final, Generic, TypeVar

import msgspec
from msgspec import Meta

from api.errors import MalformedRequest, Pointer
from api.http.bodies import write_scalar
from api.http.scalars import Instant

LIMIT_MAX: Final = 200
LIMIT_DEFAULT: Final = 50
CURSOR_CHARS_MAX: Final = 512
SIGNATURE_BYTES: Final = 16

T = TypeVar("T")
Row = TypeVar("Row")
Keys = tuple[int | str, ...]
"""The values that a list is ordered by, in order."""


class PageQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every list is asked with."""

    limit: Annotated[
        int, Meta(ge=1, le=LIMIT_MAX, description="How many a page holds at most.")
    ] = LIMIT_DEFAULT
    cursor: Annotated[
        str, Meta(max_length=CURSOR_CHARS_MAX, description="The `nextCursor` of the page before.")
    ] = ""


class SpanQuery(PageQuery, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a list of things that happened is asked with: those of a span, its end left out."""

    since: Instant | None = msgspec.field(default=None, name="from")
    until: Instant | None = msgspec.field(default=None, name="to")

    @property
    def since_ms(self) -> int | None:
        """Give where the span begins."""
        return None if self.since is None else self.since.time_ms

    @property
    def until_ms(self) -> int | None:
        """Give where it is over."""
        return None if self.until is None else self.until.time_ms


class Listing(msgspec.Struct, Generic[T], frozen=True, rename="camel"):
    """A page of a list. `nextCursor` is null on the last."""

    data: list[T]
    has_more: bool
    next_cursor: str | None


class Cursors:
    """Writes and reads cursors."""

    def __init__(self, secret: bytes) -> None:
        self._key = digest(secret, b"cursors", "sha256")

    def write(self, keys: Keys, name: str, owner: str) -> str:
        """Give the cursor of a list of this name, for this owner."""
        body = msgspec.json.encode(keys)
        return urlsafe_b64encode(self._sign(body, name, owner) + body).decode().rstrip("=")

    def read(self, cursor: str, name: str, owner: str) -> Keys | None:
        """Give where a page begins; None for the first. Raise `MalformedRequest`."""
        if not cursor:
            return None
        try:
            raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        except ValueError as fault:
            raise _not_ours() from fault
        signature, body = raw[:SIGNATURE_BYTES], raw[SIGNATURE_BYTES:]
        if not compare_digest(signature, self._sign(body, name, owner)):
            raise _not_ours()
        return msgspec.json.decode(body, type=Keys)

    def _sign(self, body: bytes, name: str, owner: str) -> bytes:
        return digest(self._key, f"{name}\n{owner}\n".encode() + body, "sha256")[:SIGNATURE_BYTES]

    def page(
        self,
        rows: Sequence[Row],
        limit: int,
        keys: Callable[[Row], Keys],
        view: Callable[[Row], T],
        name: str,
        owner: str,
    ) -> Listing[T]:
        """Make a page of at most `limit` rows; one row more than that tells that more follow."""
        more = len(rows) > limit
        shown = rows[:limit]
        cursor = self.write(keys(shown[-1]), name, owner) if more else None
        return Listing([view(row) for row in shown], more, cursor)


def asked_for(query: PageQuery, merchant_id: str) -> str:
    """Name a list by who asks and what for, so that a cursor leads on in the same list alone."""
    asked = msgspec.structs.replace(query, limit=LIMIT_DEFAULT, cursor="")
    told = msgspec.json.encode(asked, enc_hook=write_scalar, order="sorted")
    return f"{merchant_id}/{told.decode()}"


def _not_ours() -> MalformedRequest:
    return MalformedRequest(
        "the cursor is not one that this list gave you",
        errors=(Pointer("/query/cursor", "NOT_A_CURSOR"),),
    )
