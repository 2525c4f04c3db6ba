"""Lines and permits that a chain begins with: written by the rules that later transactions meet.

A genesis is checked by writing them on a state that has its devices and licences alone; what the
rules refuse there can't begin a chain.
"""

from collections.abc import Callable, Iterable
from typing import Annotated, TypeVar

from msgspec import Meta, Struct

from ledger.errors.base import Refused
from ledger.errors.store import BadGenesis
from ledger.primitives.amounts import WireUnits
from ledger.primitives.keys import WireAddress, WirePublicKey
from ledger.primitives.scalars import Millis
from ledger.rules.lines import register_line
from ledger.rules.permits import write_permit
from ledger.state.overlay import Overlay
from ledger.types.evidence import HeatProcess
from ledger.types.line import (
    LINE_DEVICES_MAX,
    LineName,
    LitresADay,
    PermitCollector,
    RegisterLine,
)
from ledger.types.registry import FlowMax

R = TypeVar("R")


class GenesisLine(Struct, frozen=True, array_like=True):
    """A line registered from the start, as `RegisterLine` has it."""

    plant: LineName
    line: LineName
    mmu: WireAddress
    process: HeatProcess
    flow_max_l_per_h: FlowMax
    vat_units: WireUnits
    tank: LineName
    devices: Annotated[tuple[WirePublicKey, ...], Meta(max_length=LINE_DEVICES_MAX)]


class GenesisPermit(Struct, frozen=True, array_like=True):
    """A farm's consent from the start, as `PermitCollector` has it."""

    farm: WireAddress
    mmu: WireAddress
    meter: WirePublicKey
    collector: WireAddress
    litres_a_day: LitresADay
    until_ms: Millis


def put_lines(overlay: Overlay, lines: Iterable[GenesisLine], time_ms: int) -> None:
    """Register the lines; raise `BadGenesis` with the rule that one breaks."""

    def put(line: GenesisLine) -> None:
        body = RegisterLine(
            line.plant,
            line.line,
            line.mmu,
            line.process,
            line.flow_max_l_per_h,
            line.vat_units,
            line.tank,
            line.devices,
        )
        register_line(overlay, body, time_ms, height=0)

    _put_all("lines", lines, put)


def put_permits(overlay: Overlay, permits: Iterable[GenesisPermit], time_ms: int) -> None:
    """Write the permits; raise `BadGenesis` with the rule that one breaks."""

    def put(permit: GenesisPermit) -> None:
        body = PermitCollector(
            permit.mmu, permit.meter, permit.collector, permit.litres_a_day, permit.until_ms
        )
        write_permit(overlay, permit.farm, body, time_ms)

    _put_all("permits", permits, put)


def _put_all(where: str, records: Iterable[R], put: Callable[[R], None]) -> None:
    for index, record in enumerate(records):
        try:
            put(record)
        except Refused as fault:
            raise BadGenesis(where=f"{where}[{index}]", why=str(fault)) from fault
