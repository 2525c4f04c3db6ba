"""Terms: by what a line's readings are judged, and which time of them is a window's."""

from dataclasses import dataclass

from ledger.evidence.limits import Limits
from ledger.params import Parameters
from ledger.state.lines import Line


@dataclass(frozen=True, slots=True)
class WindowTerms:
    """A line, its law, and the window from where its last one ended.

    `known` of the flow meter's samples is the one that earlier windows counted up to; where that
    stands before all that are at hand, its total rose by `hidden` until the first of these. From
    `ended` on they are the next window's: read beyond `to_ms`, they tell of steps up to it.
    """

    line: Line
    rules: Parameters
    limits: Limits
    to_ms: int
    known: int
    ended: int
    hidden: int | None = None

    @property
    def from_ms(self) -> int:
        """Give when the window begins."""
        return self.line.through_ms
