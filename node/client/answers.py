"""What a node's answer over HTTP says: a view, or one of the two faults."""

from typing import TypeVar

import httpx
import msgspec

from node.client.errors import NodeUnavailable, Rejected, Unanswered

T = TypeVar("T")


class _Told(msgspec.Struct):
    """The parts of a problem+json answer that are passed on."""

    code: str = "http_error"
    detail: str = ""
    taken: str = ""
    """What became of a POST: only `no` rules out that it was carried out."""


def raise_for(response: httpx.Response, reached: int) -> None:
    """Turn the answer of the last node that was reached into a fault, if it is one of failure."""
    if response.is_success:
        return
    try:
        told = msgspec.json.decode(response.content, type=_Told)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        told = _Told(detail=response.reason_phrase)
    if response.status_code >= 500:
        kind = NodeUnavailable if told.taken == "no" and reached <= 1 else Unanswered
        raise kind(f"{told.code}: {told.detail}")
    raise Rejected(told.code, told.detail, response.status_code)


def decode_answer(raw: bytes, kind: type[T]) -> T:
    """Decode an answer in MessagePack; raise `Unanswered` if no node gives such a one."""
    try:
        return msgspec.msgpack.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unanswered(f"the answer is not one of a BillCoin node: {error}") from error
