"""The canonical codec: one value, one encoding (MessagePack by msgspec).

Decoders of MessagePack accept several encodings of one value, and a ledger that signs and hashes
bytes must not. So `decode` re-encodes and compares: what decodes has exactly one spelling.
"""

from typing import TypeVar, cast

import msgspec

from ledger.primitives.errors import Malformed, NonCanonical, Oversized

T = TypeVar("T")

_encoder = msgspec.msgpack.Encoder(order="deterministic")
_decoders: dict[type[object], msgspec.msgpack.Decoder[object]] = {}


def _decoder(kind: type[T]) -> msgspec.msgpack.Decoder[T]:
    """Find or make the decoder of a type; there are as many as there are wire types."""
    if kind not in _decoders:
        _decoders[kind] = msgspec.msgpack.Decoder(kind)
    return cast("msgspec.msgpack.Decoder[T]", _decoders[kind])


def encode(value: object) -> bytes:
    """Encode a wire struct or a plain value."""
    return _encoder.encode(value)


def decode(raw: bytes, kind: type[T], limit: int) -> T:
    """Decode at most `limit` bytes as a `kind`; raise a `CodecFault` if they aren't canonical."""
    if len(raw) > limit:
        raise Oversized(len(raw), limit)
    try:
        value = _decoder(kind).decode(raw)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Malformed(f"not a {getattr(kind, '__name__', kind)}: {error}") from error
    if _encoder.encode(value) != raw:
        raise NonCanonical(f"not the canonical encoding of a {getattr(kind, '__name__', kind)}")
    return value
