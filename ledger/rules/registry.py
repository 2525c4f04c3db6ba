"""Registry: the regulator licenses accounts and attestors, and admits measuring devices.

A milk meter's operator is the farm whose milk it counts; every other instrument's operator is
the MMU that mints on it. A revoked device stays revoked. Roles whose quorums are counted keep
their bounds: attestors are never fewer than a genesis needs, and neither they nor feeders are more
than can be listed.
"""

from typing import Final

from msgspec.structs import replace

from ledger.errors.registry import (
    CalibrationOver,
    CountedRoleBounds,
    DeviceRevoked,
    DeviceUnregistered,
    KnownDevice,
    OwnAccount,
    OwnRole,
    RoleHeld,
    RoleNotHeld,
    UnknownInstrument,
    WrongFlowMax,
)
from ledger.primitives.keys import PublicKey
from ledger.rules.context import BlockContext, Call
from ledger.rules.devices import begin_anew
from ledger.rules.law import Law
from ledger.state.overlay import Overlay, Reader
from ledger.state.records import ATTESTORS_LEAST, ATTESTORS_MAX, Device, Role
from ledger.state.tables import (
    ACCOUNTS,
    DEVICES,
    account,
    check_open,
    grant_role,
    has_role,
    holders,
    revoke_role,
)
from ledger.types.evidence import Instrument
from ledger.types.registry import (
    CalibrateDevice,
    FreezeAccount,
    GrantRole,
    RegisterDevice,
    RevokeDevice,
    RevokeRole,
)

_INSTRUMENTS: Final = frozenset(instrument.value for instrument in Instrument)


def may_have_flow_max(kind: Instrument, flow_max_l_per_h: int) -> bool:
    """Tell whether an instrument may have a flow limit: a meter of flow or of a farm's milk."""
    return kind in {Instrument.FLOW_METER, Instrument.MILK_METER} or flow_max_l_per_h == 0


def check_register(reader: Reader, call: Call, body: RegisterDevice) -> None:
    """Raise what can be said without a block: the operator, the kind, the device."""
    check_open(body.operator)
    if body.kind not in _INSTRUMENTS:
        raise UnknownInstrument(kind=repr(body.kind))
    if not may_have_flow_max(Instrument(body.kind), body.flow_max_l_per_h):
        raise WrongFlowMax(kind=body.kind, flow_max_l_per_h=body.flow_max_l_per_h)
    if DEVICES.get(reader, body.device) is not None:
        raise KnownDevice(device=body.device.hex())


def apply_register(
    overlay: Overlay, context: BlockContext, call: Call, body: RegisterDevice
) -> None:
    """Admit the device; raise `Refused` faults."""
    check_register(overlay, call, body)
    if body.calibrated_until_ms <= context.time_ms:
        raise CalibrationOver(until_ms=body.calibrated_until_ms, time_ms=context.time_ms)
    device = Device(
        Instrument(body.kind),
        body.plant,
        body.operator,
        body.calibrated_until_ms,
        # What it measured before anyone admitted it proves nothing.
        calibrated_from_ms=context.time_ms,
        flow_max_l_per_h=body.flow_max_l_per_h,
    )
    DEVICES.put(overlay, device, body.device)


def _find_device(reader: Reader, key: PublicKey) -> Device:
    device = DEVICES.get(reader, key)
    if device is None:
        raise DeviceUnregistered(device=key.hex())
    if device.revoked:
        raise DeviceRevoked(device=key.hex())
    return device


def apply_calibrate(
    overlay: Overlay, context: BlockContext, call: Call, body: CalibrateDevice
) -> None:
    """Note a calibration. Between a lapsed one and this one the device proves nothing."""
    device = _find_device(overlay, body.device)
    until_ms = body.calibrated_until_ms
    if until_ms <= context.time_ms:
        raise CalibrationOver(until_ms=until_ms, time_ms=context.time_ms)
    lapsed = device.calibrated_until_ms <= context.time_ms
    changed = (
        begin_anew(device, context.time_ms, until_ms)
        if lapsed
        else replace(device, calibrated_until_ms=until_ms)
    )
    DEVICES.put(overlay, changed, body.device)


def apply_revoke_device(
    overlay: Overlay, context: BlockContext, call: Call, body: RevokeDevice
) -> None:
    """Let a device prove nothing any more: what it measures from now on counts nowhere."""
    device = _find_device(overlay, body.device)
    stopped_ms = min(device.stopped_ms, context.time_ms)
    DEVICES.put(overlay, replace(device, revoked=True, stopped_ms=stopped_ms), body.device)


def _check_count(reader: Reader, role: Role, change: int) -> None:
    if role not in {Role.ATTESTOR, Role.ORACLE}:
        return
    least = ATTESTORS_LEAST if role is Role.ATTESTOR else 0
    count = len(holders(reader, role)) + change
    if not least <= count <= ATTESTORS_MAX:
        raise CountedRoleBounds(count=count, role=role, least=least, most=ATTESTORS_MAX)


def check_grant(reader: Reader, call: Call, body: GrantRole) -> None:
    """Raise unless what is granted is not held yet."""
    if has_role(reader, body.role, body.holder):
        raise RoleHeld(holder=body.holder.hex(), role=body.role)
    _check_count(reader, body.role, 1)


def apply_grant(overlay: Overlay, context: BlockContext, call: Call, body: GrantRole) -> None:
    """License the holder."""
    check_grant(overlay, call, body)
    grant_role(overlay, body.role, body.holder)


def check_revoke(reader: Reader, call: Call, body: RevokeRole) -> None:
    """Raise unless what is revoked is held, and not a regulator's own licence."""
    if body.role is Role.REGULATOR and body.holder == call.sender:
        raise OwnRole
    if not has_role(reader, body.role, body.holder):
        raise RoleNotHeld(holder=body.holder.hex(), role=body.role)
    _check_count(reader, body.role, -1)


def apply_revoke(overlay: Overlay, context: BlockContext, call: Call, body: RevokeRole) -> None:
    """Take the licence away."""
    check_revoke(overlay, call, body)
    revoke_role(overlay, body.role, body.holder)


def check_freeze_account(reader: Reader, call: Call, body: FreezeAccount) -> None:
    """Raise unless another's account is named, and none of the law's own."""
    check_open(body.address)
    if body.address == call.sender:
        raise OwnAccount


def apply_freeze_account(
    overlay: Overlay, context: BlockContext, call: Call, body: FreezeAccount
) -> None:
    """Let nothing leave the account, or let it act again; it is paid either way."""
    check_freeze_account(overlay, call, body)
    held = account(overlay, body.address)
    ACCOUNTS.put(overlay, replace(held, frozen=body.frozen), body.address)


REGISTRY_LAWS: Final = (
    Law(
        RegisterDevice,
        apply_register,
        check_register,
        by=(Role.REGULATOR,),
        names=lambda body: (body.operator,),
    ),
    Law(CalibrateDevice, apply_calibrate, by=(Role.REGULATOR,)),
    Law(RevokeDevice, apply_revoke_device, by=(Role.REGULATOR,)),
    Law(
        GrantRole,
        apply_grant,
        check_grant,
        by=(Role.REGULATOR,),
        names=lambda body: (body.holder,),
    ),
    Law(
        RevokeRole,
        apply_revoke,
        check_revoke,
        by=(Role.REGULATOR,),
        names=lambda body: (body.holder,),
    ),
    Law(
        FreezeAccount,
        apply_freeze_account,
        check_freeze_account,
        by=(Role.REGULATOR,),
        names=lambda body: (body.address,),
    ),
)
