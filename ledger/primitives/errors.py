"""Faults of the primitives: input that is not what it claims to be.

PrimitiveFault
+-- BadAmount       text that is not a plain decimal amount
+-- BadAddress      text that is not an address of this network
+-- BadKey          bytes that are no usable public key or seed
+-- BadHex          text that is not bytes in hex
+-- BadJson         text that is not JSON, or could be read in two ways
+-- CodecFault
    +-- Oversized     more bytes than the type may have
    +-- Malformed     bytes that are not an encoding of the type
    +-- NonCanonical  bytes that decode, but are not the one encoding of their value
"""

from typing import Final

_PLACE_CHARS_MAX: Final = 120
"""Names in a text from outside are as long as their writer likes; a fault quotes so much."""


class PrimitiveFault(ValueError):
    """Input that a primitive refuses."""


class BadAmount(PrimitiveFault):
    """Text that is not a plain decimal amount of BILL."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text[:40]!r} is not an amount of BILL: write digits with at most six decimals, "
            f"as in 1.8"
        )


class BadAddress(PrimitiveFault):
    """Text that is not an address of this network."""

    def __init__(self, text: str, why: str) -> None:
        super().__init__(f"{text[:90]!r} is not an address: {why}")


class BadKey(PrimitiveFault):
    """Bytes that are no usable public key, seed or policy."""


class BadHex(PrimitiveFault):
    """Text that is not bytes in hex, or not so many; `size` is None where any number will do."""

    def __init__(self, text: str, size: int | None) -> None:
        digits = "pairs of hex digits" if size is None else f"{2 * size} digits of hex"
        super().__init__(f"{text[:80]!r} is not {digits}, 0-9 and a-f")


class BadJson(PrimitiveFault):
    """Text that is not JSON, or could be read in two ways; `place` is empty for the whole."""

    def __init__(self, place: str, why: str) -> None:
        plain = "".join(c if c.isprintable() else "\ufffd" for c in place[:_PLACE_CHARS_MAX])
        where = plain if len(place) <= _PLACE_CHARS_MAX else f"{plain}..."
        super().__init__(f"{where}: {why}" if where else why)
        self.place = where
        self.why = why


class CodecFault(PrimitiveFault):
    """Bytes that the codec refuses."""


class Oversized(CodecFault):
    """More bytes than the type may have."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"{size} bytes where at most {limit} are allowed")


class Malformed(CodecFault):
    """Bytes that are not an encoding of the expected type."""


class NonCanonical(CodecFault):
    """Bytes that decode, but are not the one canonical encoding of their value."""
