"""Pieces: stored envelopes as the minter's cores look at them."""

from dataclasses import dataclass
from typing import Final

from ledger.primitives.hashing import Hash
from ledger.state.lines import Tip
from ledger.types.reading import Envelope, Reading

BEGINNING: Final = (-1, -1)
"""Before a device's first envelope."""


def done_with(tip: Tip | None) -> tuple[int, int]:
    """Give the last number of a device that windows need no more; the next shows what follows."""
    if tip is None:
        return BEGINNING
    return (tip.boot, tip.seq - 1) if tip.again else (tip.boot, tip.seq)


@dataclass(frozen=True, slots=True)
class ChainFloor:
    """Up to where the chain of blocks is done with a device, as of the last final block seen.

    - `done`: the last number that nobody needs any more.
    - `digest`: what its next envelope must name; None if it may be any.
    - `since_ms`: what ended before is of no use, whatever its number.
    """

    done: tuple[int, int]
    digest: Hash | None
    since_ms: int


@dataclass(frozen=True, slots=True)
class Piece:
    """An envelope of a device's chain, read, and when it came."""

    envelope: Envelope
    reading: Reading
    arrival_ms: int

    @classmethod
    def of(cls, envelope: Envelope, arrival_ms: int) -> "Piece":
        """Read a stored envelope."""
        return cls(envelope, envelope.reading(), arrival_ms)

    @property
    def number(self) -> tuple[int, int]:
        """Give its place in its device's order: boot and number."""
        return self.reading.boot, self.reading.seq

    @property
    def first_ms(self) -> int:
        """Give the time of the first sample."""
        return self.reading.t0_ms + self.reading.samples[0][0]

    @property
    def last_ms(self) -> int:
        """Give the time of the last sample."""
        return self.reading.last_ms

    @property
    def last_value(self) -> int:
        """Give the last sample's value."""
        return self.reading.samples[-1][1]

    def times(self) -> list[int]:
        """List the samples' times."""
        return [self.reading.t0_ms + offset_ms for offset_ms, _ in self.reading.samples]

    def start(self) -> tuple[int, int]:
        """Give time and value of the first sample after the last fall of a total."""
        samples = self.reading.samples
        falls = [i for i in range(1, len(samples)) if samples[i][1] < samples[i - 1][1]]
        offset_ms, value = samples[falls[-1] if falls else 0]
        return self.reading.t0_ms + offset_ms, value
