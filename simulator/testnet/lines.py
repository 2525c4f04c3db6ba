"""What the testnet's chain begins with beside money: the dairy's line, and its farms' consent."""

from typing import Final

from ledger.genesis import GenesisLine, GenesisPermit
from ledger.params import DAY_MS
from ledger.primitives.amounts import Units
from ledger.primitives.keys import Address
from ledger.rules.permits import ALL_METERS
from ledger.state.records import NOBODY
from ledger.types.evidence import HeatProcess, Instrument
from simulator.dairy.setup import FLOW_MAX_L_PER_H, DairyIdentity

TANK: Final = "silo-1"
"""The tank that feeds the dairy's line."""
LITRES_A_DAY: Final = 10**9
"""As much as can be written: a day passes in minutes."""
PERMIT_DAYS: Final = 365


def dairy_line(dairy: DairyIdentity, mmu: Address) -> GenesisLine:
    """Register the dairy's line with every instrument that stands on it."""
    watching = (d.key for d in dairy.devices if d.kind is not Instrument.MILK_METER)
    return GenesisLine(
        dairy.plant,
        dairy.line,
        mmu,
        HeatProcess.CONTINUOUS,
        FLOW_MAX_L_PER_H,
        Units(0),
        TANK,
        tuple(sorted(watching)),
    )


def dairy_permits(dairy: DairyIdentity, mmu: Address, time_ms: int) -> tuple[GenesisPermit, ...]:
    """Let the MMU have the milk of all the farms' meters, without a collector."""
    until_ms = time_ms + PERMIT_DAYS * DAY_MS
    return tuple(
        GenesisPermit(farm.address, mmu, ALL_METERS, NOBODY, LITRES_A_DAY, until_ms)
        for farm in dairy.farms
    )
