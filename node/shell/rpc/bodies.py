"""Bodies and media types: what a client sends, and in which form it wants its answer.

Header values are read as RFC 9110 has them: names in any case, white space around them, several
fields of one name as one list. A body is given up as soon as it is too large.
"""

import re
from http import HTTPStatus
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from starlette.requests import Request

from ledger.primitives.errors import PrimitiveFault
from ledger.primitives.hexadecimal import parse_hex
from ledger.primitives.strict_json import decode_json
from ledger.types.transaction import TRANSACTION_BYTES_MAX
from node.client.queries import JSON, MSGPACK
from node.client.requests import SUBMIT_MAX
from node.httpd.problems import Problem, bad

BODY_BYTES_MAX: Final = 12 * 1024 * 1024
_FORM: Final = "application/x-www-form-urlencoded"
"""What curl says that a body is unless it is told; ours is JSON then."""
_QUALITY: Final = re.compile(r"\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*", re.IGNORECASE)

RawText = Annotated[str, Meta(max_length=2 * TRANSACTION_BYTES_MAX)]
RawBytes = Annotated[bytes, Meta(max_length=TRANSACTION_BYTES_MAX)]


class _JsonBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    transactions: Annotated[list[RawText], Meta(min_length=1, max_length=SUBMIT_MAX)]


_packed_batch = msgspec.msgpack.Decoder(
    Annotated[list[RawBytes], Meta(min_length=1, max_length=SUBMIT_MAX)]
)


async def read_batch(request: Request) -> tuple[bytes, ...]:
    """Read the transactions that a client hands in; raise `Problem`."""
    encoding = ",".join(request.headers.getlist("content-encoding")).strip().lower()
    if encoding not in ("", "identity"):
        detail = f"a body in {encoding[:40]!r} is not taken: send it as it is"
        raise _unsupported("unsupported_encoding", detail, {"accept-encoding": "identity"})
    media = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if media not in (JSON, MSGPACK, _FORM, ""):
        detail = f"a body of {media[:80]!r} is not taken: send {JSON} or {MSGPACK}"
        raise _unsupported("unsupported_media_type", detail, {"accept": f"{JSON}, {MSGPACK}"})
    return decode_batch(await _read_body(request), packed=media == MSGPACK)


def _unsupported(code: str, detail: str, headers: dict[str, str]) -> Problem:
    return Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, code, detail, headers)


async def _read_body(request: Request) -> bytes:
    """Read a body, giving up as soon as it is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            detail = f"a body has at most {BODY_BYTES_MAX} bytes: send smaller batches"
            raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", detail)
    return bytes(body)


def decode_batch(body: bytes, *, packed: bool) -> tuple[bytes, ...]:
    """Read raw transactions from MessagePack (an array of bytes) or JSON (an array of hex)."""
    try:
        if packed:
            return tuple(_packed_batch.decode(body))
        batch = msgspec.convert(decode_json(body, BODY_BYTES_MAX), _JsonBatch)
        return tuple(parse_hex(text) for text in batch.transactions)
    except (msgspec.MsgspecError, UnicodeDecodeError, PrimitiveFault, RecursionError) as error:
        raise bad(
            "bad_batch",
            f'{error}: send {{"transactions": [hex, ...]}} as JSON, or an array of byte strings '
            f"as {MSGPACK}; at most {SUBMIT_MAX} at once",
        ) from error


def wants_msgpack(request: Request) -> bool:
    """Tell whether a client likes MessagePack at least as well as JSON."""
    liked = ",".join(request.headers.getlist("accept"))
    if liked == MSGPACK:  # As our own client says.
        return True
    weights = {}
    for item in liked.split(","):
        media, *more = item.split(";")
        matches = [match for match in map(_QUALITY.fullmatch, more) if match]
        weights[media.strip().lower()] = float(matches[0][1]) if matches else 1.0
    return weights.get(MSGPACK, 0.0) > 0.0 and weights[MSGPACK] >= weights.get(JSON, 0.0)
