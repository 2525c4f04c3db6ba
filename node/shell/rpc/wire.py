"""How the RPC process asks the node over the unix socket (docs/spec/wire.md §6).

Frames of MessagePack, as in `framing`. A request bears an id of the asker's choosing; the answer
repeats it. What can be asked is `node.client.queries`. A subscription takes a connection for
itself: after `Subscribe` the node sends one frame a finalized block, in order, from the height on.
The socket stands in HOME with mode 0600, so only the node's own user can open it.

Invariant: a frame that can't be read fails alone. The request within an `Ask` is read apart, so
that the id is known by which to say so.
"""

from functools import reduce
from operator import or_
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Raw, Struct

from node.client.framing import encode_frame
from node.client.queries import BY_REQUEST
from node.client.requests import Request

REQUEST_BYTES_MAX: Final = 16 * 1024 * 1024
ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024
IN_FLIGHT_MAX: Final = 256
"""Requests of one connection that the node works on at once; more wait in the socket."""
NOBODY: Final = -1
"""The id under which a frame is refused in which no id could be read."""
MALFORMED: Final = "malformed"
TOO_LONG: Final = "too_long"
INTERNAL: Final = "internal"

ANY_REQUEST: Final = reduce(or_, BY_REQUEST)


class Ask(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A request under its id."""

    id: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    request: Raw


class Answer(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The answer to the request of this id: a value, or why there is none."""

    id: int
    fault: str
    value: Raw = Raw(b"\xc0")


encoder: Final = msgspec.msgpack.Encoder()
ask_decoder: Final = msgspec.msgpack.Decoder(Ask)
request_decoder: Final[msgspec.msgpack.Decoder[Request]] = msgspec.msgpack.Decoder(ANY_REQUEST)
answer_decoder: Final = msgspec.msgpack.Decoder(Answer)


def ask_frame(ask_id: int, request: Request) -> bytes:
    """Write the frame that asks for something under an id."""
    return encode_frame(encoder.encode(Ask(ask_id, Raw(encoder.encode(request)))))


def answer_frame(answer: Answer) -> bytes:
    """Write the frame of an answer; of one that would not be read, `TOO_LONG` in its place."""
    raw = encoder.encode(answer)
    if len(raw) > ANSWER_BYTES_MAX:
        raw = encoder.encode(Answer(answer.id, TOO_LONG))
    return encode_frame(raw)
