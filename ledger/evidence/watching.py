"""Watching: a device of the line, its samples, and when they may serve."""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.evidence.spans import Spans, clip, merge, subtract
from ledger.evidence.tracks import Track
from ledger.params import MARGIN_MS
from ledger.state.lines import FOR_EVER_MS


@dataclass(frozen=True, slots=True)
class Watch:
    """A device's part in a window: its samples, and when they may serve.

    - `from_ms`, `until_ms`: when it stands on the line.
    - `force`: when it is calibrated and not stopped.
    - `linked`: it spoke before this window's readings, so no silence of its own is excused.
    - `silent`: it is not heard past the window, so what it would say next is unknown.
    - `shown_ms`: so far a claim shows that it was heard.
    """

    track: Track
    from_ms: int
    until_ms: int
    force: Spans
    linked: bool
    silent: bool
    shown_ms: int = FOR_EVER_MS

    def duty(self) -> tuple[int, int]:
        """Give the time in which it must see all that counts; none before it is first heard."""
        begun_ms = self.track.begun_ms
        # What ends as it begins to speak is seen by it too.
        first_ms = 0 if self.linked else FOR_EVER_MS if begun_ms is None else begun_ms - 1
        return max(self.from_ms, first_ms), self.until_ms

    def serving(self) -> Spans:
        """Give when what it shows may serve."""
        served = clip(self.force, self.from_ms, self.until_ms)
        served = subtract(served, merge(sorted(self.track.denied)))
        heard_ms = min(self.track.heard_ms, self.shown_ms)
        return clip(served, 0, heard_ms - MARGIN_MS) if self.silent else served


def all_see(devices: Sequence[Watch], seen: Sequence[Spans]) -> Spans:
    """Give when a place saw something, by when each of its devices did.

    Every device on duty did, and there is one.
    """
    duties = [each.duty() for each in devices]
    shared = merge(sorted((begin, end) for begin, end in duties if begin < end))
    for duty, spans in zip(duties, seen, strict=True):
        shared = subtract(shared, subtract([duty], spans))
    return shared
