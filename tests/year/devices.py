"""Instruments of the simulated plant: each with its own clock, rhythm, steps and journal.

They sample fast while something flows and once a minute otherwise, sign envelopes by the rig that
tests of evidence have, and keep them until the network takes them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import pi, sin
from random import Random
from typing import Final

from iot_minting.gateway.pieces import Piece
from ledger.primitives.keys import PublicKey
from ledger.types.evidence import Instrument
from tests.support.evidence.rig import DeviceRig
from tests.year.plant import DAY_MS, MINUTE_MS

OFTEN_MS: Final = 10 * MINUTE_MS
"""An envelope so often at least. Firmware signs one a minute; this spares the reckoning time."""
LATENCY_MS: Final = 700

Sense = Callable[[int], int]
"""Gives what an instrument shows at a true time."""
Outages = list[tuple[int, int]]


@dataclass
class Device:
    """An instrument: what it senses, how often, by which clock; what it signed and when it came."""

    signer: DeviceRig
    sense: Sense
    is_busy: Callable[[int], bool]
    fast_ms: int
    rng: Random
    slow_ms: int = MINUTE_MS
    size: int = 50
    skew_ms: int = 0
    changes: Callable[[int, int], list[int]] = lambda from_ms, to_ms: []
    powered: bool = True
    back_ms: int = 0
    """How long after an outage it is connected again."""
    late_ms: Callable[[int], int] = lambda at_ms: 0
    next_ms: int = 0
    signed_ms: int = 0
    phase: float = 0.0
    pending: list[tuple[int, int]] = field(default_factory=list)
    waiting: list[tuple[int, Piece]] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    arrival_ms: int = 0
    true_ms: dict[int, int] = field(default_factory=dict)
    """By the stamp of a flow meter's sample: when it truly was."""

    @property
    def public(self) -> PublicKey:
        """Give its key."""
        return self.signer.public

    @property
    def kind(self) -> Instrument:
        """Tell what it is."""
        return self.signer.instrument

    def stamp(self, at_ms: int) -> int:
        """Give what its clock shows: it wanders within half the skew, never back."""
        angle = 2 * pi * at_ms / (5 * DAY_MS) + self.phase
        return at_ms + round(self.skew_ms / 2 * sin(angle))

    def run(self, until_ms: int, outages: Outages) -> None:
        """Sample and sign up to a time."""
        while self.next_ms < until_ms:
            at_ms = self.next_ms
            busy = self.is_busy(at_ms)
            step_ms = self.fast_ms if busy else self.slow_ms
            jitter_ms = self.rng.randint(-step_ms // 20, step_ms // 20)
            self.next_ms = at_ms + max(1, step_ms + jitter_ms)
            if not busy and self.is_busy(self.next_ms):
                # It wakes as soon as something is about to flow.
                self.next_ms = at_ms + self.fast_ms
            if not self.powered:
                continue
            self._sample(at_ms)
            for moved_ms in self.changes(at_ms + 1, self.next_ms):
                self._sample(moved_ms - 1)
                self._sample(moved_ms)
            if len(self.pending) >= self.size or at_ms - self.signed_ms >= OFTEN_MS:
                self.sign(at_ms, outages)

    def _sample(self, at_ms: int) -> None:
        stamp_ms = self.stamp(at_ms)
        self.pending.append((stamp_ms, self.sense(at_ms)))
        if self.kind is Instrument.FLOW_METER:
            self.true_ms[stamp_ms] = at_ms

    def sign(self, at_ms: int, outages: Outages) -> None:
        """Sign what was sampled, after the sample that ended the last envelope."""
        self.signed_ms = at_ms
        if not self.pending:
            return
        envelope = self.signer.sign(self.pending)
        self.signer.envelopes.clear()
        self.pending.clear()
        comes_ms = at_ms + LATENCY_MS + self.late_ms(at_ms)
        for from_ms, to_ms in outages:
            if from_ms <= comes_ms < to_ms:
                comes_ms = to_ms + self.back_ms
        if self.waiting:
            comes_ms = max(comes_ms, self.waiting[-1][0])
        self.waiting.append((comes_ms, Piece(envelope, envelope.reading(), comes_ms)))

    def restart(self, at_ms: int, away_ms: int, outages: Outages, *, lost: bool = False) -> None:
        """Go off and come back in a new boot; `lost`: with an empty journal."""
        self.sign(at_ms, outages)
        self.signer.restart(lost=lost)
        self.next_ms = max(self.next_ms, at_ms + away_ms)

    def deliver(self, now_ms: int) -> None:
        """Let come what the network brought by now."""
        while self.waiting and self.waiting[0][0] <= now_ms:
            self.arrival_ms, piece = self.waiting.pop(0)
            self.pieces.append(piece)

    def after(self, number: tuple[int, int], since_ms: int) -> list[Piece]:
        """Give the pieces after a number; what is done with is forgotten."""
        gone = 0
        while gone < len(self.pieces) and (
            self.pieces[gone].number <= number or self.pieces[gone].last_ms < since_ms
        ):
            gone += 1
        if gone:
            del self.pieces[:gone]
        return list(self.pieces)
