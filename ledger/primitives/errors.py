"""Faults of the primitives: input that is not what it claims to be.

PrimitiveFault
+-- BadAmount       text that is not a plain decimal amount
+-- BadAddress      text that is not an address of this network
+-- BadKey          bytes that are no usable public key or seed
+-- CodecFault
    +-- Oversized     more bytes than the type may have
    +-- Malformed     bytes that are not an encoding of the type
    +-- NonCanonical  bytes that decode, but are not the one encoding of their value
"""


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
