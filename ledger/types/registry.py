"""Bodies of the registry family: who is licensed to do what, and which devices may measure."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from ledger.primitives.keys import WireAddress, WirePublicKey

CalibratedUntil = Annotated[int, Meta(ge=0, le=2**53)]

FlowMax = Annotated[int, Meta(ge=0, le=10**9)]
"""Litres an hour, 0 for no limit. The largest lines run at tens of thousands; a recording that is
played a thousand times faster needs more."""


class LicensedRole(StrEnum):
    """What an account, or an attestor's key, is licensed to do."""

    REGULATOR = "regulator"
    MMU = "mmu"
    ATTESTOR = "attestor"
    FARMER = "farmer"
    COLLECTOR = "collector"
    LAB = "lab"
    MERCHANT = "merchant"
    ORACLE = "oracle"
    ARBITER = "arbiter"
    TREASURY = "treasury"


class RegisterDevice(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="register_device"
):
    """Admit a measuring device. The sender holds the regulator's role.

    `flow_max_l_per_h` is the most that a line may carry: up to it the holding tube holds milk
    as long as the rules ask. A flow meter behind a vat has none (0), nor has any other instrument.
    """

    device: WirePublicKey
    kind: Annotated[str, Meta(min_length=1, max_length=32)]
    plant: Annotated[str, Meta(min_length=1, max_length=64)]
    operator: WireAddress
    calibrated_until_ms: CalibratedUntil
    flow_max_l_per_h: FlowMax = 0


class CalibrateDevice(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="calibrate_device"
):
    """Say until when a device's new calibration holds. The sender is a regulator."""

    device: WirePublicKey
    calibrated_until_ms: CalibratedUntil


class RevokeDevice(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="revoke_device"
):
    """Let a device prove nothing any more, for ever. The sender is a regulator."""

    device: WirePublicKey


class GrantRole(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="grant_role"):
    """License an account, or an attestor's key. The sender is a regulator."""

    role: LicensedRole
    holder: WireAddress


class FreezeAccount(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="freeze_account"
):
    """Let nothing leave an account, or let it act again. The sender is a regulator."""

    address: WireAddress
    frozen: bool


class RevokeRole(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="revoke_role"
):
    """Take a licence away. The sender is a regulator, and not the holder of the licence."""

    role: LicensedRole
    holder: WireAddress


RegistryBody = (
    RegisterDevice | CalibrateDevice | RevokeDevice | GrantRole | FreezeAccount | RevokeRole
)
"""What a transaction of this family carries."""
