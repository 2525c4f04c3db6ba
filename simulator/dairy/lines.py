"""What the second law asks of a dairy beside its devices: its line registered, its farms' consent.

Pure: the bodies of transactions, which a genesis may hold as well.
"""

from collections.abc import Sequence
from typing import Final

from ledger.primitives.amounts import Units
from ledger.primitives.keys import Address
from ledger.rules.permits import ALL_METERS
from ledger.state.records import NOBODY
from ledger.types.evidence import HeatProcess, Instrument
from ledger.types.line import PermitCollector, RegisterLine
from simulator.dairy.setup import FLOW_MAX_L_PER_H, DeviceIdentity

LITRES_A_DAY: Final = 10**9
"""As much as can be written: a year's milk of a recording is metered in minutes here."""


def line_of(devices: Sequence[DeviceIdentity], mmu: Address) -> RegisterLine:
    """Register the line that these devices are of; its tank has the line's name."""
    watching = [device for device in devices if device.kind is not Instrument.MILK_METER]
    plant, line = watching[0].plant, watching[0].line
    return RegisterLine(
        plant=plant,
        line=line,
        mmu=mmu,
        process=HeatProcess.CONTINUOUS,
        flow_max_l_per_h=FLOW_MAX_L_PER_H,
        vat_units=Units(0),
        tank=line,
        devices=tuple(sorted(device.key for device in watching)),
    )


def permit_for(mmu: Address, until_ms: int) -> PermitCollector:
    """Let a farm's milk go into an MMU's tanks: of all its meters, brought by the MMU alone."""
    return PermitCollector(mmu, ALL_METERS, NOBODY, LITRES_A_DAY, until_ms)
