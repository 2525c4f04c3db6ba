"""What the testnet's chain begins with beside money: the dairy's line, and its farms' consent."""

from typing import Final

from msgspec.structs import astuple

from ledger.genesis import GenesisLine, GenesisPermit
from ledger.params import DAY_MS
from ledger.primitives.keys import Address
from simulator.dairy.lines import line_of, permit_for
from simulator.dairy.setup import DairyIdentity

PERMIT_DAYS: Final = 365


def dairy_line(dairy: DairyIdentity, mmu: Address) -> GenesisLine:
    """Register the dairy's line with every instrument that stands on it."""
    return GenesisLine(*astuple(line_of(dairy.devices, mmu)))


def dairy_permits(dairy: DairyIdentity, mmu: Address, time_ms: int) -> tuple[GenesisPermit, ...]:
    """Let the MMU have the milk of all the farms' meters, without a collector."""
    permit = astuple(permit_for(mmu, time_ms + PERMIT_DAYS * DAY_MS))
    return tuple(GenesisPermit(farm.address, *permit) for farm in dairy.farms)
