"""Facts: what final blocks say that the gateway acts by."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from iot_minting.gateway.collecting import FarmMeter
from iot_minting.gateway.drawing import TankMilk
from ledger.evidence import LineFacts
from ledger.params import Parameters
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address, PublicKey


@dataclass(frozen=True, slots=True)
class ChainFacts:
    """All that concerns one MMU, as of the final block of a height or a later one.

    `tanks` holds what each of its tanks may still give, `meters` those of its plants.
    """

    mmu: Address
    height: int
    time_ms: int
    rules: Parameters
    lines: Mapping[Hash, LineFacts]
    tanks: Mapping[Hash, Sequence[TankMilk]]
    meters: Mapping[PublicKey, FarmMeter]
    attestors: tuple[PublicKey, ...]

    def at(self, holds: Callable[[str], bool]) -> "ChainFacts":
        """Give what of it concerns plants that are held. No tank stands in two plants."""
        return replace(
            self,
            lines={name: line for name, line in self.lines.items() if holds(line.line.plant)},
            meters={key: meter for key, meter in self.meters.items() if holds(meter.plant)},
        )
