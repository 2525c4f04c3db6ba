"""Registry: the regulator admits measuring devices. Roles are granted in the genesis.

A milk meter's operator is the farm whose milk it counts; every other instrument's operator is
the MMU that mints on it. GrantRole, RevokeRole, CalibrateDevice and RevokeDevice belong here.
"""

from typing import Final

from ledger.errors import CalibrationOver, KnownDevice, RoleMissing, UnknownInstrument
from ledger.rules.context import BlockContext, Call
from ledger.state.overlay import Overlay, Reader
from ledger.state.records import Device, Role
from ledger.state.tables import DEVICES, check_open, has_role
from ledger.types.evidence import Instrument
from ledger.types.transaction import RegisterDevice

_INSTRUMENTS: Final = frozenset(instrument.value for instrument in Instrument)


def check_register(reader: Reader, call: Call, body: RegisterDevice) -> None:
    """Raise what can be said without a block: the sender's role, the kind, the device."""
    if not has_role(reader, Role.REGULATOR, call.sender):
        raise RoleMissing(role=Role.REGULATOR.value)
    check_open(body.operator)
    if body.kind not in _INSTRUMENTS:
        raise UnknownInstrument(kind=repr(body.kind))
    if DEVICES.get(reader, body.device) is not None:
        raise KnownDevice(device=body.device.hex())


def apply_register(
    overlay: Overlay, context: BlockContext, call: Call, body: RegisterDevice
) -> None:
    """Admit the device; raise `Refused` faults."""
    check_register(overlay, call, body)
    if body.calibrated_until_ms <= context.time_ms:
        raise CalibrationOver(until_ms=body.calibrated_until_ms, time_ms=context.time_ms)
    device = Device(Instrument(body.kind), body.plant, body.operator, body.calibrated_until_ms)
    DEVICES.put(overlay, device, body.device)
