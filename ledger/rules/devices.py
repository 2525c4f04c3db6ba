"""Stops: from when on nothing counts that a device measures, and how it may count again.

A regulator stops a device since any time that was. Anyone may show an envelope with the tamper bit:
the device stops itself with its own signature, from that reading's first sample on. Only the
regulator clears it, and names the last report that it looked into. What was measured between a
stop and its clearing never counts.
"""

from typing import Final

from msgspec.structs import replace

from ledger.errors.evidence import BadEnvelope
from ledger.errors.line import (
    ClearedReport,
    FutureStop,
    NoTampering,
    NotStopped,
    NumberBefore,
    StoppedAlready,
)
from ledger.errors.registry import DeviceRevoked, DeviceUnregistered
from ledger.primitives.errors import CodecFault
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address, PublicKey
from ledger.rules.claims import Claim
from ledger.rules.context import BlockContext, Call
from ledger.rules.law import Law
from ledger.rules.tampering import is_settled
from ledger.state.lines import FOR_EVER_MS
from ledger.state.overlay import Overlay, Reader
from ledger.state.records import Device, Role
from ledger.state.tables import DEVICES
from ledger.types.line import ClearDevice, ReportTamper, StopDevice
from ledger.types.reading import Reading, reading_bytes


def _device(reader: Reader, key: PublicKey) -> Device:
    device = DEVICES.get(reader, key)
    if device is None:
        raise DeviceUnregistered(device=key.hex())
    return device


def _stop(overlay: Overlay, key: PublicKey, since_ms: int) -> None:
    """Stop a device earlier than it is; raise `StoppedAlready` if it would change nothing."""
    device = _device(overlay, key)
    if device.stopped_ms <= since_ms:
        raise StoppedAlready(device=key.hex(), stopped_ms=device.stopped_ms)
    DEVICES.put(overlay, replace(device, stopped_ms=since_ms), key)


def apply_stop(overlay: Overlay, context: BlockContext, call: Call, body: StopDevice) -> None:
    """Let nothing count that the device measured since then; a revoked one too."""
    if body.since_ms > context.time_ms:
        raise FutureStop(since_ms=body.since_ms, time_ms=context.time_ms)
    _stop(overlay, body.device, body.since_ms)


def _first_ms(reading: Reading) -> int:
    return reading.t0_ms + reading.samples[0][0]


def check_report(reader: Reader, call: Call, body: ReportTamper) -> Reading:
    """Raise unless a registered device tells of tampering that nobody cleared; give its reading."""
    try:
        reading = body.envelope.reading()
    except CodecFault as fault:
        raise BadEnvelope(device="", why=str(fault)) from fault
    device = _device(reader, reading.device)
    name, boot, seq = reading.device.hex(), reading.boot, reading.seq
    if not reading.tamper:
        raise NoTampering(device=name, boot=boot, seq=seq)
    if is_settled(device, (boot, seq), reading.last_ms):
        raise ClearedReport(device=name, boot=boot, seq=seq)
    first_ms = _first_ms(reading)
    if device.stopped_ms != FOR_EVER_MS and device.stopped_ms <= first_ms:
        raise StoppedAlready(device=name, stopped_ms=device.stopped_ms)
    return reading


def apply_report(overlay: Overlay, context: BlockContext, call: Call, body: ReportTamper) -> None:
    """Stop the device from the reading's first sample on, and from now on if that lies ahead."""
    reading = check_report(overlay, call, body)
    _stop(overlay, reading.device, min(_first_ms(reading), context.time_ms))


def _is_news(reader: Reader, body: ReportTamper) -> bool:
    """Tell whether a report may be the first against a device: more of them cost their fees."""
    try:
        device = DEVICES.get(reader, body.envelope.reading().device)
    except CodecFault:
        return False
    return device is not None and device.stopped_ms == FOR_EVER_MS


def _report_claims(body: ReportTamper, sender: Address, chain: Hash) -> list[Claim]:
    envelope = body.envelope
    try:
        device = envelope.reading().device
    except CodecFault:
        return []  # It is refused whoever signed it.
    return [(device, reading_bytes(chain, envelope.body), envelope.signature)]


def check_clear(reader: Reader, call: Call, body: ClearDevice) -> Device:
    """Raise unless there is a stop to clear, and the number is not behind an earlier one's."""
    device = _device(reader, body.device)
    if device.revoked:
        raise DeviceRevoked(device=body.device.hex())
    if device.stopped_ms == FOR_EVER_MS:
        raise NotStopped(device=body.device.hex())
    if device.cleared is not None and (body.boot, body.seq) < device.cleared:
        raise NumberBefore(device=body.device.hex(), boot=body.boot, seq=body.seq)
    return device


def apply_clear(overlay: Overlay, context: BlockContext, call: Call, body: ClearDevice) -> None:
    """Let the device count from this block on, and what it counted before it was stopped."""
    device = check_clear(overlay, call, body)
    cleared = begin_anew(device, context.time_ms, device.calibrated_until_ms)
    cleared = replace(cleared, stopped_ms=FOR_EVER_MS, cleared=(body.boot, body.seq))
    DEVICES.put(overlay, cleared, body.device)


def begin_anew(device: Device, from_ms: int, until_ms: int) -> Device:
    """Give a device a second calibration; of those before, keep the last that covers any time.

    What was calibrated and stopped is covered up to the stop alone, and none into the new one: what
    counts counts under one calibration.
    """
    current = (device.calibrated_from_ms, device.calibrated_until_ms)
    spans = [current, *([device.earlier] if device.earlier else [])]
    ended = [(since, min(until, device.stopped_ms, from_ms)) for since, until in spans]
    kept = next((span for span in ended if span[0] < span[1]), None)
    return replace(device, calibrated_from_ms=from_ms, calibrated_until_ms=until_ms, earlier=kept)


DEVICE_LAWS: Final = (
    Law(StopDevice, apply_stop, by=(Role.REGULATOR,)),
    Law(
        ReportTamper,
        apply_report,
        check_report,
        claims=_report_claims,
        returns_fee=_is_news,
    ),
    Law(ClearDevice, apply_clear, check_clear, by=(Role.REGULATOR,)),
)
