"""The journal's bytes: what a validator must know again after a crash (spec §2.1, §2.2).

A frame is `length u32 | crc32(length) u32 | crc32(body) u32 | body`, big-endian; the body is the
canonical encoding of a list of records. All records of one `handle` call go into one frame, so a
crash keeps or loses them together. A record is one of consensus's own messages: a vote (always
one's own), a certificate, a proposal.

Pure: the shell appends frames, syncs, and cuts the file at `clean_bytes` before it appends again.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct as Packer
from typing import Final
from zlib import crc32

from consensus.errors import CorruptJournal
from consensus.messages import MESSAGE_BYTES_MAX, Certificate, Proposal, Vote
from ledger.primitives.codec import decode, encode
from ledger.primitives.errors import CodecFault
from ledger.primitives.scalars import Epoch, View

Record = Vote | Certificate | Proposal

FRAME_BYTES_MAX: Final = 8 * MESSAGE_BYTES_MAX
"""More than one `handle` call can ask to persist."""

HEADS_TRIED_MAX: Final = 65_536
"""Places in a torn tail that may look like a frame's: some eight in ten thousand do by chance."""
SUSPECTS_MAX: Final = 8
"""Heads in a torn tail that may check, while their bodies do not: by chance none ever does."""

_HEADER: Final = Packer(">III")
_LENGTH: Final = Packer(">I")
_BODY_START: Final = re.compile(
    rb"[\x91-\x9f](?=[\xc4-\xc6])|\xdc(?=..[\xc4-\xc6])|\xdd(?=....[\xc4-\xc6])", re.DOTALL
)
"""How every body begins: the head of a list, and that of its first byte string."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What a journal holds: its records in order, and how many of its bytes are sound."""

    records: tuple[Record, ...]
    clean_bytes: int


def encode_record(record: Record) -> bytes:
    """Encode one record, for `Persist`."""
    return encode(record)


def decode_record(raw: bytes) -> Record:
    """Decode one record; raise a `CodecFault` if it is none."""
    return decode(raw, Record, MESSAGE_BYTES_MAX)  # type: ignore[arg-type]  # A union is a type.


def place_of(record: Record) -> tuple[Epoch, View]:
    """Say where a record belongs: a journal is pruned, and replayed, by epoch and view."""
    subject = record.vote.subject if isinstance(record, Proposal) else record.subject
    return subject.epoch, subject.view


def frame(records: Sequence[bytes]) -> bytes:
    """Wrap the records of one `handle` call, to be appended in one write and synced."""
    body = encode(list(records))
    assert len(body) <= FRAME_BYTES_MAX, "one call never persists so much"
    length_crc = crc32(_LENGTH.pack(len(body)))
    return _HEADER.pack(len(body), length_crc, crc32(body)) + body


def read(raw: bytes) -> Replay:
    """Read a journal to its end or its torn tail; raise `CorruptJournal` for damage before that.

    A frame is synced before the next is written. So a damaged frame that has an intact one behind
    it was whole once, and votes are lost; one with nothing intact behind it was being written at
    the crash, and nothing of it was ever sent.
    """
    records: list[Record] = []
    offset = 0
    while offset < len(raw):
        body = _body_at(raw, offset)
        if body is None:
            if _is_followed(raw, offset):
                raise CorruptJournal(offset, "a later frame is intact")
            break
        records += _records(body, offset)
        offset += _HEADER.size + len(body)
    return Replay(tuple(records), offset)


def _records(body: bytes, offset: int) -> list[Record]:
    try:
        return [decode_record(raw) for raw in decode(body, list[bytes], FRAME_BYTES_MAX)]
    except CodecFault as fault:
        raise CorruptJournal(offset, f"it holds no record: {fault}") from fault


def _length_at(raw: bytes, offset: int) -> int | None:
    """Give the length of the body that an intact head at the offset names, or None."""
    if offset + _HEADER.size > len(raw):
        return None
    length, length_crc, _ = _HEADER.unpack_from(raw, offset)
    # No head is written so: a run of zeros, or of ones (whose checksum fits), must not look like
    # one.
    if not 0 < length <= FRAME_BYTES_MAX:
        return None
    if crc32(raw[offset : offset + _LENGTH.size]) != length_crc:
        return None
    return int(length)


def _body_at(raw: bytes, offset: int) -> bytes | None:
    """Give the body of an intact frame at the offset, or None."""
    length = _length_at(raw, offset)
    start = offset + _HEADER.size
    if length is None or start + length > len(raw):
        return None
    body = raw[start : start + length]
    return body if crc32(body) == _HEADER.unpack_from(raw, offset)[2] else None


def _is_followed(raw: bytes, offset: int) -> bool:
    """Tell whether any intact frame starts behind the damaged one at the offset.

    While heads are intact they say where the next frame would begin: nothing is looked for within
    a body, whose content strangers choose.
    """
    while (length := _length_at(raw, offset)) is not None:
        offset += _HEADER.size + length
        if _body_at(raw, offset) is not None:
            return True
    return _holds_intact(raw, offset + 1)


def _holds_intact(raw: bytes, offset: int) -> bool:
    """Look for an intact frame anywhere from the offset on, within bounds.

    Past them the tail was made to look like frames; it counts as damage, which is the safe side.
    """
    suspects = 0
    for tried, found in enumerate(_BODY_START.finditer(raw, offset + _HEADER.size)):
        at = found.start() - _HEADER.size
        if tried >= HEADS_TRIED_MAX:
            return True
        length = _length_at(raw, at)
        if length is None or at + _HEADER.size + length > len(raw):
            continue
        suspects += 1
        if suspects > SUSPECTS_MAX or _body_at(raw, at) is not None:
            return True
    return False
