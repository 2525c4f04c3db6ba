"""What can be wrong with what reaches the gateway, as classes with stable codes.

MintFault
+-- Misconfigured      the home can't be used as it is
+-- Refusal            an envelope that is kept in quarantine, with its reason
|   +-- MalformedEnvelope
|   +-- WrongTopic
|   +-- UnregisteredDevice
|   +-- WrongSignature
|   +-- ReplayedSequence
|   +-- BrokenChain
|   +-- MissingPredecessor
|   +-- OvertakenBoot
+-- JournalFull        a device whose readings are not being received: it must stop measuring
+-- BadReceipt         a receipt that the ingest did not sign
+-- BadLease           a lease that the MMU did not sign
+-- OversizedBundle    a window with more evidence than an attestor reads: cut it shorter
"""

from typing import ClassVar


class MintFault(Exception):
    """A fault of the input or of the installation. `code` is stable."""

    code: ClassVar[str] = "mint_fault"


class Misconfigured(MintFault):
    """A home that can't be used as it is."""

    code = "misconfigured"


class Refusal(MintFault):
    """An envelope that is refused and kept in quarantine. It moves nothing.

    Nothing proves that a registered device sent it now, in its place in the device's chain.
    """

    code = "refused"


class MalformedEnvelope(Refusal):
    """Bytes that are no canonical envelope, or a body that is no canonical reading."""

    code = "malformed"


class WrongTopic(Refusal):
    """A topic that is not a device's, or is another device's than the body's."""

    code = "wrong_topic"


class UnregisteredDevice(Refusal):
    """A device that the chain does not know as registered."""

    code = "unknown_device"

    def __init__(self, device: bytes) -> None:
        super().__init__(f"device {device.hex()} is not registered on this chain")


class WrongSignature(Refusal):
    """A signature that is not the device's own over this body and chain."""

    code = "wrong_signature"

    def __init__(self, device: bytes, seq: int) -> None:
        super().__init__(f"envelope {seq} is not signed by device {device.hex()} for this chain")


class ReplayedSequence(Refusal):
    """A sequence number that was received before."""

    code = "replayed_sequence"

    def __init__(self, boot: int, seq: int, highest: int, *, same: bool) -> None:
        what = "the same envelope again" if same else "another reading under a used number"
        super().__init__(f"boot {boot} has {highest} as its highest, {seq} is {what}")


class BrokenChain(Refusal):
    """An envelope that does not name the one before it."""

    code = "broken_chain"

    def __init__(self, boot: int, seq: int, expected: bytes, found: bytes) -> None:
        super().__init__(
            f"envelope {seq} of boot {boot} follows {found.hex()[:16]}, not {expected.hex()[:16]}"
        )


class MissingPredecessor(Refusal):
    """An envelope whose predecessor did not come within the time or the space to wait."""

    code = "missing_predecessor"

    def __init__(self, boot: int, seq: int, expected: int) -> None:
        super().__init__(f"envelope {seq} of boot {boot} came while {expected} is still missing")


class OvertakenBoot(Refusal):
    """A further envelope of a boot after which the device has begun another: no evidence now.

    The chain takes a device's readings in their order. The device signs them anew in a later boot.
    """

    code = "overtaken_boot"

    def __init__(self, boot: int, seq: int, latest: int) -> None:
        super().__init__(f"envelope {seq} of boot {boot} came after boot {latest} had begun")


class JournalFull(MintFault):
    """The journal of a device is full of envelopes that nobody has receipted."""

    code = "journal_full"

    def __init__(self, held: int) -> None:
        super().__init__(f"{held} envelopes wait for a receipt and no more fit: measure later")


class BadReceipt(MintFault):
    """A receipt that the ingest did not sign, or that names envelopes never sent."""

    code = "bad_receipt"


class BadLoan(MintFault):
    """What a gateway wants, or lends, that none of the MMU's gateways signed."""

    code = "bad_loan"


class BadLease(MintFault):
    """A lease that the MMU did not sign, or of another plant."""

    code = "bad_lease"


class OversizedBundle(MintFault):
    """A window with more evidence than an attestor reads. A shorter one is to be cut."""

    code = "oversized_bundle"

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"the evidence has {size} bytes, {limit} are read: cut a shorter window")
