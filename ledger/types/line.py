"""Bodies of the line family: which instruments watch which milk, and what becomes of a bad one.

A line is what pasteurizes: one flow meter at a time, what watches it, and the tank that feeds it.
A *place* is one kind of instrument on a line. Up to four devices may stand in a place, and all
that are heard are judged.
"""

from typing import Annotated, Final

from msgspec import Meta, Struct

from ledger.primitives.amounts import WireUnits
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Domain, Hash, WireHash, digest
from ledger.primitives.keys import WireAddress, WirePublicKey
from ledger.primitives.scalars import Millis
from ledger.types.evidence import HeatProcess
from ledger.types.reading import Envelope
from ledger.types.registry import FlowMax

PLACE_DEVICES_MAX: Final = 4
"""The most devices in one place of a line."""
LINE_DEVICES_MAX: Final = 16
"""The most devices of a line, those that left and are judged yet among them."""

LineName = Annotated[str, Meta(min_length=1, max_length=64)]
LineDevices = Annotated[tuple[WirePublicKey, ...], Meta(max_length=LINE_DEVICES_MAX)]
"""Devices by key, ascending, each once."""


def line_id(plant: str, line: str) -> Hash:
    """Name a line: its plant belongs to one MMU, so the two names suffice."""
    return digest(Domain.LINE, encode((plant, line)))


def plant_id(plant: str) -> Hash:
    """Name a plant: names differ in length, and keys of the state do not."""
    return digest(Domain.PLANT, plant.encode())


class RegisterLine(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="register_line"
):
    """Admit a line and what watches it. The sender is a regulator.

    `flow_max_l_per_h` is the most that its holding tube may carry; 0 behind a vat, which has
    `vat_units` instead. `tank` is the name of the tank at this plant that feeds the line; a gauge
    among `devices` measures that tank.
    """

    plant: LineName
    line: LineName
    mmu: WireAddress
    process: HeatProcess
    flow_max_l_per_h: FlowMax
    vat_units: WireUnits
    tank: LineName
    devices: LineDevices


class AmendLine(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="amend_line"):
    """Let devices join a line, or leave it, from this block's time on. The sender is a regulator.

    The line's MMU may take one of several watchers of a place out by itself.
    """

    line: WireHash
    joining: LineDevices
    leaving: LineDevices


class StopDevice(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="stop_device"
):
    """Let nothing count that a device measured from a time on. The sender is a regulator.

    It reaches what it counted into tanks; what is minted is a matter of challenges.
    """

    device: WirePublicKey
    since_ms: Millis


class ReportTamper(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="report_tamper"
):
    """Show an envelope that says its device was tampered with. Anyone may; the fee comes back."""

    envelope: Envelope


class ClearDevice(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="clear_device"
):
    """Let a stopped device count again from this block's time on. The sender is a regulator.

    Reports of tampering up to (boot, seq) are void from now on.
    """

    device: WirePublicKey
    boot: Annotated[int, Meta(ge=0, le=2**32 - 1)]
    seq: Annotated[int, Meta(ge=0, le=2**53)]


LitresADay = Annotated[int, Meta(ge=0, le=10**9)]


class PermitCollector(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="permit_collector"
):
    """Consent to one's milk being collected. The sender is the farm.

    - `mmu`: into whose tanks; it replaces whoever had this permit, from this block's time on.
    - `meter`: of which meter; zeros for all that have no permit of their own.
    - `collector`: who may bring it beside the MMU; `NOBODY` (zeros) for no one else.
    - `litres_a_day`: the most of a day by metering time (UTC); what a day leaves serves the next.
    - `until_ms`: its end, at most 400 days ahead; a time that is over withdraws it.
    """

    mmu: WireAddress
    meter: WirePublicKey
    collector: WireAddress
    litres_a_day: LitresADay
    until_ms: Millis


LineBody = RegisterLine | AmendLine | StopDevice | ReportTamper | ClearDevice | PermitCollector
"""What a transaction of this family carries."""
