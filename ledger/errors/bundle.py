"""Bundles of readings that prove no window: what a claimant or an attestor finds wrong."""

from ledger.errors.base import LedgerFault


class BundleFault(LedgerFault):
    """Readings that do not prove what is claimed of them, or nothing at all."""

    code = "bundle_fault"


class BrokenLink(BundleFault):
    """An envelope does not follow the one before it."""

    code = "broken_link"
    text = "device {device}: envelope {boot}/{seq} does not follow what came before it"


class UnsignedEnvelope(BundleFault):
    """An envelope is not signed by its device for this chain, or can't be read."""

    code = "unsigned_envelope"
    text = "device {device}: envelope number {index} of the bundle: {why}"


class UnheardDevice(BundleFault):
    """A device was not heard far enough for the window, and is not declared silent."""

    code = "unheard_device"
    text = "device {device} was heard up to {heard_ms} ms, {needed_ms} ms are needed"


class UnfitWindow(BundleFault):
    """The window can't begin or end where it does."""

    code = "unfit_window"
    text = "a window from {from_ms} to {to_ms} ms: {why}"


class ClaimDiffers(BundleFault):
    """The readings say something else than the claim."""

    code = "claim_differs"
    text = "{what}: {claimed} claimed, {found} found"


class UnreportedTamper(BundleFault):
    """A device says that it was tampered with, and no report of that is on the chain."""

    code = "unreported_tamper"
    text = "device {device} reports tampering in {boot}/{seq}: report it to the chain first"
