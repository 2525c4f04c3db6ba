"""Lines: which devices watch which milk, from when until when.

A plant belongs to the MMU of its first line for ever. A device watches one line; a gauge measures
one tank for ever, and stands on each of the lines that the tank feeds. A device that left is still
judged for the time that it watched: it is free when the line's claims have passed that
(`release_left`). A vat is the tank of one line.
"""

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

from msgspec.structs import replace

from ledger.errors.evidence import ForeignDevice, ForeignOperator
from ledger.errors.line import (
    DeviceStopped,
    DeviceTaken,
    FlowOrVat,
    ForeignPlant,
    KnownLine,
    LineFull,
    NoPlace,
    NothingAmended,
    NotOnLine,
    SharedVat,
    UnknownLine,
    UnorderedDevices,
    WrongPlaces,
)
from ledger.errors.registry import DeviceUnregistered, RoleNotHeld
from ledger.primitives.hashing import ZERO_HASH, Hash
from ledger.primitives.keys import PublicKey
from ledger.rules.context import BlockContext, Call
from ledger.rules.law import Law, require_role
from ledger.state.lines import FOR_EVER_MS, Line, LineDevice, TankLines
from ledger.state.names import tip_name
from ledger.state.overlay import Overlay, Reader
from ledger.state.records import Device, Role
from ledger.state.tables import DEVICES, LINES, PLANTS, TANK_LINES, TIPS, has_role
from ledger.types.evidence import HeatProcess, Instrument
from ledger.types.line import (
    LINE_DEVICES_MAX,
    PLACE_DEVICES_MAX,
    AmendLine,
    RegisterLine,
    line_id,
    plant_id,
)
from ledger.types.milk import tank_id

_LEAST: Final = {
    Instrument.FLOW_METER: 1,
    Instrument.HOLD_THERMOMETER: 1,
    Instrument.OUTLET_THERMOMETER: 1,
    Instrument.DIVERSION_VALVE: 1,
    Instrument.TANK_GAUGE: 0,
}
"""The places of a line, and the fewest devices in each. A batch line has a gauge too."""


def _check_joining(reader: Reader, key: PublicKey, line: Line) -> None:
    """Raise unless a device may begin to watch a line now."""
    device = _device(reader, key)
    if device.instrument not in _LEAST:
        raise NoPlace(device=key.hex(), instrument=device.instrument)
    if device.plant != line.plant:
        raise ForeignDevice(device=key.hex(), registered=device.plant, plant=line.plant)
    if device.operator != line.mmu:
        raise ForeignOperator(device=key.hex(), expected=line.mmu.hex())
    if device.stopped_ms != FOR_EVER_MS:
        raise DeviceStopped(device=key.hex(), stopped_ms=device.stopped_ms)
    standing = any(entry.device == key for entry in line.devices)
    if standing or device.line != ZERO_HASH or device.tank not in {ZERO_HASH, line.tank}:
        raise DeviceTaken(device=key.hex())


def _device(reader: Reader, key: PublicKey) -> Device:
    device = DEVICES.get(reader, key)
    if device is None:
        raise DeviceUnregistered(device=key.hex())
    return device


def _check_order(keys: tuple[PublicKey, ...]) -> None:
    if any(one >= other for one, other in pairwise(keys)):
        raise UnorderedDevices


def _check_places(reader: Reader, line: Line, keys: Iterable[PublicKey]) -> None:
    """Raise unless each place has as many devices as it must, and no more than it may."""
    counts = Counter(_device(reader, key).instrument for key in keys)
    for instrument, fewest in _LEAST.items():
        drains = line.process is HeatProcess.BATCH and instrument is Instrument.TANK_GAUGE
        least = 1 if drains else fewest
        most = 1 if instrument is Instrument.FLOW_METER else PLACE_DEVICES_MAX
        if not least <= counts[instrument] <= most:
            raise WrongPlaces(
                count=counts[instrument], instrument=instrument, least=least, most=most
            )


def _watchers(line: Line) -> list[PublicKey]:
    """List the devices that have not left."""
    return [entry.device for entry in line.devices if entry.until_ms == FOR_EVER_MS]


def _new_line(body: RegisterLine, time_ms: int, height: int) -> Line:
    return Line(
        body.mmu,
        body.plant,
        body.line,
        body.process,
        body.flow_max_l_per_h,
        body.vat_units,
        tank_id(body.mmu, body.plant, body.tank),
        (),
        time_ms,
        height,
        PublicKey(ZERO_HASH),
    )


def check_line(reader: Reader, body: RegisterLine) -> None:
    """Raise unless a line may be registered with these devices."""
    if not has_role(reader, Role.MMU, body.mmu):
        raise RoleNotHeld(holder=body.mmu.hex(), role=Role.MMU)
    if PLANTS.get(reader, plant_id(body.plant)) not in {None, bytes(body.mmu)}:
        raise ForeignPlant(plant=body.plant, mmu=body.mmu.hex())
    if LINES.get(reader, line_id(body.plant, body.line)) is not None:
        raise KnownLine(plant=body.plant, line=body.line)
    batch = body.process is HeatProcess.BATCH
    if batch is not (body.flow_max_l_per_h == 0) or batch is not (body.vat_units > 0):
        raise FlowOrVat(
            process=body.process,
            flow_max_l_per_h=body.flow_max_l_per_h,
            vat_units=body.vat_units,
        )
    _check_order(body.devices)
    line = _new_line(body, 0, 0)
    _check_alone(reader, line)
    for key in body.devices:
        _check_joining(reader, key, line)
    _check_places(reader, line, body.devices)


def _check_alone(reader: Reader, line: Line) -> None:
    """Raise if another line draws from a vat.

    A level that falls for two flows tells neither what came in meanwhile.
    """
    listed = TANK_LINES.get(reader, line.tank)
    others = [LINES.get(reader, name) for name in (listed.lines if listed else ())]
    batch = HeatProcess.BATCH in {line.process, *(other.process for other in others if other)}
    if batch and others:
        raise SharedVat(tank=line.tank.hex())


def register_line(overlay: Overlay, body: RegisterLine, time_ms: int, height: int) -> None:
    """Admit a line from a time on; raise `Refused` faults."""
    check_line(overlay, body)
    name, line = line_id(body.plant, body.line), _new_line(body, time_ms, height)
    PLANTS.put(overlay, body.mmu, plant_id(body.plant))
    listed = TANK_LINES.get(overlay, line.tank) or TankLines(())
    TANK_LINES.put(overlay, TankLines((*listed.lines, name)), line.tank)
    LINES.put(overlay, _join(overlay, name, line, body.devices, time_ms), name)


def _join(
    overlay: Overlay, name: Hash, line: Line, keys: tuple[PublicKey, ...], time_ms: int
) -> Line:
    """Let devices watch a line from a time on."""
    for key in keys:
        device = _device(overlay, key)
        gauges = device.instrument is Instrument.TANK_GAUGE
        stands = replace(device, tank=line.tank) if gauges else replace(device, line=name)
        DEVICES.put(overlay, stands, key)
        # What it said since it stood here last is no matter of this line's windows.
        TIPS.remove(overlay, tip_name(name, key))
    entries = (*line.devices, *(LineDevice(key, time_ms) for key in keys))
    if len(entries) > LINE_DEVICES_MAX:
        raise LineFull(count=len(entries), most=LINE_DEVICES_MAX)
    return replace(line, devices=tuple(sorted(entries, key=lambda entry: entry.device)))


def release_left(overlay: Overlay, line: Line) -> Line:
    """Drop the devices that left before `through_ms`, and let them watch other lines."""
    staying = []
    for entry in line.devices:
        if entry.until_ms > line.through_ms:
            staying.append(entry)
            continue
        device = _device(overlay, entry.device)
        DEVICES.put(overlay, replace(device, line=ZERO_HASH), entry.device)
    return replace(line, devices=tuple(staying))


def apply_register_line(
    overlay: Overlay, context: BlockContext, call: Call, body: RegisterLine
) -> None:
    """Admit the line from this block on."""
    register_line(overlay, body, context.time_ms, context.height)


def check_amend(reader: Reader, call: Call, body: AmendLine) -> Line:
    """Raise unless the line may have these devices instead; give the line as it is."""
    line = LINES.get(reader, body.line)
    if line is None:
        raise UnknownLine(line=body.line.hex())
    alone = call.sender == line.mmu and not body.joining
    require_role(reader, call.sender, Role.REGULATOR, *((Role.MMU,) if alone else ()))
    if not body.joining and not body.leaving:
        raise NothingAmended(line=body.line.hex())
    _check_order(body.joining)
    _check_order(body.leaving)
    watching = _watchers(line)
    for key in body.leaving:
        if key not in watching:
            raise NotOnLine(device=key.hex(), line=body.line.hex())
    for key in body.joining:
        _check_joining(reader, key, line)
    staying = [key for key in watching if key not in body.leaving]
    _check_places(reader, line, (*staying, *body.joining))
    if not has_role(reader, Role.REGULATOR, call.sender):
        _check_watched(reader, staying, body.leaving)
    return line


def _check_watched(
    reader: Reader, staying: Iterable[PublicKey], leaving: Iterable[PublicKey]
) -> None:
    """Raise if the last watcher of a place would leave, though the place may be empty."""
    kept = {_device(reader, key).instrument for key in staying}
    for key in leaving:
        instrument = _device(reader, key).instrument
        if instrument not in kept:
            raise WrongPlaces(count=0, instrument=instrument, least=1, most=PLACE_DEVICES_MAX)


def apply_amend(overlay: Overlay, context: BlockContext, call: Call, body: AmendLine) -> None:
    """Let devices leave the line, and others join it, at this block's time."""
    line, now_ms = check_amend(overlay, call, body), context.time_ms
    ended = (
        replace(entry, until_ms=now_ms) if entry.device in body.leaving else entry
        for entry in line.devices
    )
    line = release_left(overlay, replace(line, devices=tuple(ended)))
    LINES.put(overlay, _join(overlay, body.line, line, body.joining, now_ms), body.line)


LINE_LAWS: Final = (
    Law(
        RegisterLine,
        apply_register_line,
        lambda reader, call, body: check_line(reader, body),
        by=(Role.REGULATOR,),
        names=lambda body: (body.mmu,),
    ),
    Law(AmendLine, apply_amend, check_amend),
)
