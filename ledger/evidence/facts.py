"""Facts: what final blocks say of a line, all that a judge of its readings may trust."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ledger.params import Parameters
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import PublicKey
from ledger.state.lines import Line, LineDevice, Tip
from ledger.state.records import Device
from ledger.types.evidence import Instrument
from ledger.types.reading import Envelope

Bundle = Mapping[PublicKey, Sequence[Envelope]]
"""By device: its envelopes after its tip, in order, as far as they are at hand."""


@dataclass(frozen=True, slots=True)
class LineFacts:
    """A line, its devices, and where each device's chain stands; a device without tip is new."""

    line_id: Hash
    line: Line
    devices: Mapping[PublicKey, Device]
    tips: Mapping[PublicKey, Tip]
    rules: Parameters
    chain_id: Hash

    def within(self, from_ms: int, to_ms: int) -> tuple[LineDevice, ...]:
        """List the line's devices that watch some part of a time, ascending by key."""
        found = [
            each for each in self.line.devices if each.from_ms < to_ms and each.until_ms > from_ms
        ]
        return tuple(sorted(found, key=lambda each: each.device))

    def instrument(self, device: PublicKey) -> Instrument:
        """Give what a device of the line measures."""
        return self.devices[device].instrument

    def flow_at(self, from_ms: int) -> LineDevice | None:
        """Give the flow meter of the window that begins at a time: the next one in force."""
        meters = [
            each
            for each in self.line.devices
            if self.instrument(each.device) is Instrument.FLOW_METER and each.until_ms > from_ms
        ]
        return min(meters, key=lambda each: each.from_ms, default=None)
