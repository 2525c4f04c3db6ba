"""The minter's core: from final blocks and stored envelopes to what is brought onto the chain.

Pure. `step` is given all there is and says what to do; what it remembers (pauses, when it last
looked) only spares work, so a restart forgets nothing that counts.

- Of each meter what rose is brought into the tank every `collect_ms`.
- Of each line the next window is claimed as soon as it can be (`cutting`).
- What the chain or the attestors refuse is built anew from the same readings, after a pause that
  doubles up to `PAUSE_MAX_MS`.
"""

from collections.abc import Callable, Set
from dataclasses import dataclass, field
from typing import Final

from iot_minting.gateway.collecting import (
    CollectRules,
    FarmMeter,
    MeterCollection,
    flow_starts,
    plan_collection,
    why_not,
)
from iot_minting.gateway.cutting import CutWindow, LineNow, Tampering, Wait, WindowRules, cut_window
from iot_minting.gateway.drawing import TankMilk
from iot_minting.gateway.facts import ChainFacts
from iot_minting.gateway.pieces import Piece, done_with
from ledger.evidence import LineFacts
from ledger.params import HOUR_MS
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import PublicKey
from ledger.types.milk import tank_id
from ledger.types.reading import Envelope

PAUSE_MS: Final = 2_000
PAUSE_MAX_MS: Final = 120_000
LOOK_MS: Final = 1_000
"""How often a line is looked at: to judge a window takes its time."""
SHORT_LOOK_MS: Final = HOUR_MS
"""How often one is that waits for milk while none comes into its tank."""
LATE_ROOM_MS: Final = 600_000
"""Milk is brought so long before the law has it too late at least."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Have a window attested, and bring it onto the chain."""

    line: Hash
    cut: CutWindow


@dataclass(frozen=True, slots=True)
class ReportTampering:
    """Tell the chain that a device says that it was tampered with."""

    device: PublicKey
    envelope: Envelope


@dataclass(frozen=True, slots=True)
class Waits:
    """A line or a meter waits for something, for people to know."""

    subject: str
    reason: str
    detail: str


Action = MeterCollection | Claim | ReportTampering | Waits

FindPieces = Callable[[PublicKey, tuple[int, int], int], list[Piece]]
"""Gives a device's pieces after a number that did not end before a time."""
LastArrival = Callable[[PublicKey], int]


@dataclass(slots=True)
class _Pace:
    """How fast a subject goes."""

    next_ms: int = 0
    pause_ms: int = PAUSE_MS


@dataclass(frozen=True, slots=True)
class _Short:
    """A line that waits for milk: since when, when it was judged last, what its tank held then.

    `collected_ms` is until when all that was metered was in the tank then.
    """

    since_ms: int
    looked_ms: int
    collected_ms: int
    tank: tuple[TankMilk, ...]
    wait: Wait


@dataclass(slots=True)
class MinterCore:
    """Decides for all lines and meters of one MMU. `started_ms`: since when it listens."""

    cut: WindowRules
    collect_ms: int
    started_ms: int
    _paces: dict[bytes, _Pace] = field(default_factory=dict)
    _short: dict[Hash, "_Short"] = field(default_factory=dict)
    _heard: dict[Hash, tuple[int, int]] = field(default_factory=dict)
    """By line: when anything of it came last, when it came back after nothing did."""
    _draws: dict[Hash, tuple[list[int], int]] = field(default_factory=dict)
    """By tank, for one step: when lines begin to draw from it, until when that is known."""

    def step(
        self,
        now_ms: int,
        facts: ChainFacts,
        pieces: FindPieces,
        arrival: LastArrival,
        busy: Set[bytes],
    ) -> list[Action]:
        """Decide what can be decided by now; `busy` subjects have something under way."""
        actions: list[Action] = []
        self._draws.clear()
        for key, meter in sorted(facts.meters.items(), key=lambda each: each[0]):
            if self._may_go(key, now_ms, busy):
                actions += self._collect(now_ms, facts, meter, pieces, arrival)
        for name, line in sorted(facts.lines.items(), key=lambda each: each[0]):
            if self._may_go(name, now_ms, busy):
                self._pace(name).next_ms = now_ms + LOOK_MS
                actions += self._look(now_ms, facts, line, pieces, arrival, busy)
        return actions

    def _next_look_ms(self, short: _Short, collected_ms: int) -> int:
        every_ms = self.collect_ms if collected_ms > short.collected_ms else SHORT_LOOK_MS
        return min(short.looked_ms + every_ms, short.since_ms + self.cut.milk_ms)

    def refused(self, subject: bytes, now_ms: int) -> None:
        """Let a subject pause: what it brought was refused."""
        pace = self._pace(subject)
        pace.next_ms = now_ms + pace.pause_ms
        pace.pause_ms = min(2 * pace.pause_ms, PAUSE_MAX_MS)

    def brought(self, subject: bytes) -> None:
        """Note that what a subject brought is final."""
        self._pace(subject).pause_ms = PAUSE_MS

    def _pace(self, subject: bytes) -> _Pace:
        return self._paces.setdefault(subject, _Pace())

    def _may_go(self, subject: bytes, now_ms: int, busy: Set[bytes]) -> bool:
        return subject not in busy and now_ms >= self._pace(subject).next_ms

    def _collect(
        self,
        now_ms: int,
        facts: ChainFacts,
        meter: FarmMeter,
        pieces: FindPieces,
        arrival: LastArrival,
    ) -> list[Action]:
        self._pace(meter.key).next_ms = now_ms + self.collect_ms
        if not meter.tank:
            why = "into which tank its milk flows is not known: see meter_tanks of config.toml"
            return [Waits(f"meter {meter.key.hex()}", "no_tank", why)]
        tank = tank_id(facts.mmu, meter.plant, meter.tank)
        if tank not in self._draws:
            self._draws[tank] = self._look_at_flow(now_ms, facts, tank, pieces, arrival)
        starts, heard_ms = self._draws[tank]
        latest_ms = min(heard_ms, facts.time_ms + facts.rules.clock_skew_ms_max)
        rules = self._collect_rules(facts, latest_ms, starts)
        after = min(stretch.after for stretch in meter.open)
        held = pieces(meter.key, after, rules.earliest_ms)
        if (found := plan_collection(meter, held, rules, due=True)) is not None:
            if found.last != held[-1].envelope:
                # Lines that draw often part milk more often than it is due: the rest comes at once.
                self._pace(meter.key).next_ms = now_ms
            return [found]
        why = why_not(meter, held)
        return [Waits(f"meter {meter.key.hex()}", "not_collected", why)] if why else []

    def _collect_rules(self, facts: ChainFacts, latest_ms: int, starts: list[int]) -> CollectRules:
        earliest_ms = facts.time_ms - facts.rules.collection_late_ms_max + LATE_ROOM_MS
        return CollectRules(facts.rules.density_mg_per_l, earliest_ms, latest_ms, starts)

    def _look_at_flow(
        self,
        now_ms: int,
        facts: ChainFacts,
        tank: Hash,
        pieces: FindPieces,
        arrival: LastArrival,
    ) -> tuple[list[int], int]:
        """Give when lines begin to draw from a tank, and until when that is known.

        A flow meter from which nothing comes any more is not waited for.
        """
        starts: list[int] = []
        known_ms = 2**53
        for line in facts.lines.values():
            flow = line.flow_at(line.line.through_ms)
            if flow is None or line.line.tank != tank:
                continue
            held = pieces(flow.device, done_with(line.tips.get(flow.device)), 0)
            starts += flow_starts(held)
            quiet_ms = now_ms - max(arrival(flow.device), self.started_ms)
            if quiet_ms < self.cut.silence_ms:
                known_ms = min(known_ms, held[-1].last_ms if held else line.line.through_ms)
        return sorted(starts), known_ms

    def _collected_ms(
        self, facts: ChainFacts, tank: Hash, pieces: FindPieces, busy: Set[bytes]
    ) -> int:
        """Tell until when all milk that a tank's meters metered is in it; 0 if that is not known.

        What a meter rounds off, or is less than a collection takes, will never be there.
        """
        rules = self._collect_rules(facts, 2**53, [])
        ours = {
            key: meter
            for key, meter in facts.meters.items()
            if meter.tank and tank_id(facts.mmu, meter.plant, meter.tank) == tank
        }
        if not ours or ours.keys() & busy:
            return 0
        known_ms = 2**53
        for key, meter in ours.items():
            held = pieces(key, min(stretch.after for stretch in meter.open), rules.earliest_ms)
            found = plan_collection(meter, held, rules, due=True)
            last_ms = held[-1].last_ms if held else 0
            known_ms = min(known_ms, found.first.reading().t0_ms if found else last_ms)
        return known_ms

    def _look(
        self,
        now_ms: int,
        facts: ChainFacts,
        line: LineFacts,
        pieces: FindPieces,
        arrival: LastArrival,
        busy: Set[bytes],
    ) -> list[Action]:
        name, devices = line.line_id, [each.device for each in line.line.devices]
        tank_name = Hash(line.line.tank)
        tank = tuple(facts.tanks.get(tank_name, ()))
        short = self._short.get(name)
        collected_ms = self._collected_ms(facts, tank_name, pieces, busy) if short else 0
        if short and short.tank == tank and now_ms < self._next_look_ms(short, collected_ms):
            return [Waits(_named(line), short.wait.reason, short.wait.detail)]
        now = LineNow(
            line,
            {key: pieces(key, done_with(line.tips.get(key)), 0) for key in devices},
            tank,
            self._quiet(now_ms, name, {key: arrival(key) for key in devices}),
            now_ms - short.since_ms if short else 0,
            collected_ms,
        )
        return self._judge(now_ms, facts, now, busy)

    def _judge(
        self, now_ms: int, facts: ChainFacts, now: LineNow, busy: Set[bytes]
    ) -> list[Action]:
        line, name = now.facts, now.facts.line_id
        match cut_window(now, self.cut):
            case CutWindow() as cut if (
                cut.claim.to_ms > facts.time_ms + facts.rules.clock_skew_ms_max
            ):
                return [Waits(_named(line), "future", "its instruments are ahead of the chain")]
            case CutWindow() as cut:
                self._short.pop(name, None)
                return [Claim(name, cut)]
            case Tampering(envelope=envelope):
                device = PublicKey(envelope.reading().device)
                may = self._may_go(device, now_ms, busy)
                return [ReportTampering(device, envelope)] if may else []
            case Wait() as wait:
                if wait.short:
                    since_ms, tank = now_ms - now.short_ms, tuple(now.tank)
                    self._short[name] = _Short(since_ms, now_ms, now.collected_ms, tank, wait)
                return [Waits(_named(line), wait.reason, wait.detail)]

    def _quiet(
        self, now_ms: int, line: Hash, arrivals: dict[PublicKey, int]
    ) -> dict[PublicKey, int]:
        """Tell for how long each device of a line has been quiet while others spoke.

        When a network comes back, one device is heard before another: none is late by that.
        """
        newest_ms = max(arrivals.values(), default=0)
        heard_ms, back_ms = self._heard.get(line, (newest_ms, 0))
        if newest_ms - heard_ms > self.cut.silence_ms // 2:
            back_ms = newest_ms
        self._heard[line] = newest_ms, back_ms
        since_ms = max(self.started_ms, back_ms)
        return {key: now_ms - max(at, since_ms) for key, at in arrivals.items()}


def _named(line: LineFacts) -> str:
    return f"line {line.line.plant}/{line.line.name}"
