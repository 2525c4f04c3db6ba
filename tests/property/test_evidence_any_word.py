"""Whatever one device's key signs, its line goes on, and the chain takes what attestors sign.

One device of a line signs anything at all: totals that fall and leap, within an envelope or between
two, in one millisecond, dated back and ahead, in other units and streams, in other boots, without
a journal, tampered with. All others are honest. A gateway that knows nothing of it claims windows
that end anywhere; where none can be had, it calls the device silent, and in the end the regulator
exchanges it.
"""

import random
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.errors.bundle import BundleFault, UnreportedTamper
from ledger.evidence import claim_window, reach
from ledger.primitives.hashing import ZERO_HASH
from ledger.primitives.keys import PublicKey
from ledger.state.tables import DEVICES, LINES
from ledger.types.evidence import Instrument, MilkKind
from ledger.types.line import AmendLine, ReportTamper
from ledger.types.reading import Stream, Unit
from ledger.types.window import WindowClaim
from tests.support.evidence.rig import DeviceRig, good_value
from tests.support.ledger.cheating import FLOW, GAUGE, HOLD, OUTLET, VALVE, Cheat
from tests.support.ledger.window import START_MS

END_S, AFTER_S = 110, 60
WINDOWS_MAX, TRIES_MAX = 12, 6
SHORT = {"short_tank", "level_against_flow", "rise_unexplained", "low_bond"}
"""Codes of what may not count, by tank and gauge: without it the window is taken."""
ABSURD = (0, -1, 2**53, 2**53 + 1, 2**63 - 1, 10**9)


class Liar:
    """A device that signs what it likes, from a second to another."""

    def __init__(self, town: Cheat, rig: DeviceRig, seed: int) -> None:
        self.town, self.rig, self.chance = town, rig, random.Random(seed)
        self.shift = 0
        self.said: list[str] = []

    def talk(self, until_s: int) -> None:
        at_s = 0
        while at_s < until_s:
            size = self.chance.choice([1, 3, 5, 10])
            at_s += self.word(at_s, min(size, until_s - at_s))

    def word(self, at_s: int, size: int) -> int:
        """Sign something of some seconds; give how many."""
        kinds = [self.fell, self.dated, self.odd, self.booted, self.leapt, self.uncarried]
        say = self.chance.choice([*[self.good] * 6, *kinds, self.silent, self.blinked])
        self.said.append(f"{at_s} {say.__name__}")
        return say([[(at_s + i) * 1_000, self.value((at_s + i) * 1_000)] for i in range(size)])

    def value(self, at_ms: int) -> int:
        kind = self.rig.instrument
        return good_value(kind, at_ms) + (self.shift if kind in {FLOW, GAUGE} else 0)

    def sign(self, samples: Sequence[Sequence[int]], **fields: bool) -> int:
        shown = [(max(0, at), value) for at, value in samples]
        if self.rig.carried and START_MS + shown[0][0] < self.rig.carried[0]:
            self.rig.carried = None
        self.rig.sign(shown, **fields)
        return len(shown)

    def good(self, samples: list[list[int]]) -> int:
        return self.sign(samples)

    def silent(self, samples: list[list[int]]) -> int:
        return self.chance.choice([2, 5, 40])

    def fell(self, samples: list[list[int]]) -> int:
        """A fall, that may be made good within the same millisecond."""
        by = self.chance.choice([1, 500, 5_000, samples[0][1]])
        place = self.chance.randrange(len(samples))
        samples.insert(place, [samples[place][0], max(0, samples[place][1] - by)])
        if self.chance.random() < 0.5:
            self.rig.carried = None
        if self.chance.random() < 0.5:
            self.shift -= by
        return self.sign(samples) - 1

    def leapt(self, samples: list[list[int]]) -> int:
        self.chance.choice(samples)[1] = self.chance.choice(ABSURD)
        return self.sign(samples)

    def dated(self, samples: list[list[int]]) -> int:
        by_ms = self.chance.choice([-40_000, -5_000, -500, 500, 5_000, 40_000, 3_600_000])
        self.rig.carried = None
        return self.sign([[at + by_ms, value] for at, value in samples])

    def odd(self, samples: list[list[int]]) -> int:
        unit, stream = self.chance.choice(list(Unit)), self.chance.choice(list(Stream))
        if self.chance.random() < 0.5:
            self.rig.unit = self.chance.choice([Unit.MICROLITRE, Unit.MILLILITRE, None])
            return self.sign(samples)
        fields = {"unit": unit} if self.chance.random() < 0.5 else {"stream": stream}
        self.town.odd(self.rig, [(at, value) for at, value in samples], **fields)
        return len(samples)

    def booted(self, samples: list[list[int]]) -> int:
        self.rig.restart(lost=self.chance.random() < 0.3)
        return self.sign(samples)

    def uncarried(self, samples: list[list[int]]) -> int:
        self.rig.carried = None
        self.shift += self.chance.choice([-5_000, 0, 5_000, 10**6])
        return self.sign([[at, max(0, self.value(at))] for at, _ in samples])

    def blinked(self, samples: list[list[int]]) -> int:
        return self.sign(samples, tamper=self.chance.random() < 0.2)


class Told(Cheat):
    """A line with a liar, and one that may take its place."""

    def __init__(self, kind: Instrument, seed: int, *, gauged: bool) -> None:
        kinds = [FLOW, HOLD, OUTLET, VALVE, *([GAUGE] if gauged else [])]
        super().__init__((kind, *kinds), litres=(500, 500, 500))
        self.chance = random.Random(seed)
        self.spare, self.liar = self.line.devices[0], self.line.devices[1 + kinds.index(kind)]
        self._take_off(self.spare.public)
        self.others = [
            each for each in self.line.devices if each is not self.spare and each is not self.liar
        ]
        self.good(*self.others, begin=0, end=END_S + AFTER_S)
        self.words = Liar(self, self.liar, seed)
        self.words.talk(END_S)

    def _take_off(self, key: PublicKey) -> None:
        line = LINES.get(self.state, self.line.line_id)
        self.amend(devices=tuple(each for each in line.devices if each.device != key))
        record = DEVICES.get(self.state, key)
        if record.instrument is not GAUGE:
            DEVICES.put(self.state, replace(record, line=ZERO_HASH), key)

    @property
    def through_ms(self) -> int:
        return LINES.get(self.state, self.line.line_id).through_ms

    def cuts(self, most_ms: int) -> list[int]:
        """List where windows may end, in any order."""
        facts, bundle = self.line.facts(self.state), self.line.bundle(self.state)
        meter = facts.flow_at(self.through_ms).device
        times = {
            reading.t0_ms + offset
            for reading in (each.reading() for each in bundle[meter])
            for offset, _ in reading.samples
        }
        found = sorted(at for at in times if self.through_ms < at <= most_ms)
        some = self.chance.sample(found, min(TRIES_MAX, len(found)))
        return [*some, *found[:3], max(self.through_ms, min(most_ms, reach(facts, bundle)))]

    def goes_on(self, to_ms: int, silent: Sequence[PublicKey] = ()) -> bool:
        """Claim a window up to a time, if there is one; what attestors sign must be taken."""
        facts, bundle = self.line.facts(self.state), self.line.bundle(self.state)
        still = frozenset(silent)

        def claimed(**how: object) -> WindowClaim:
            return claim_window(facts, bundle, MilkKind.WHOLE, to_ms, silent=still, **how)

        try:
            claim = claimed()
        except UnreportedTamper as fault:
            return self._report(fault) and self.goes_on(to_ms, silent)
        except BundleFault:
            return False
        code = self.mint(self.signed(claim))
        if code in SHORT and claim.intervals:
            code = self.mint(self.signed(claimed(choose=lambda window: [])))
        assert code == "", (code, (to_ms - START_MS) / 1_000, self.told())
        return True

    def _report(self, fault: UnreportedTamper) -> bool:
        number = fault.numbers["boot"], fault.numbers["seq"]
        for each in self.liar.envelopes:
            if (each.reading().boot, each.reading().seq) == number:
                return self.do("mmu", ReportTamper(each)) == ""
        return False

    def told(self) -> list[str]:
        return self.words.said

    def window(self, most_ms: int) -> bool:
        """Claim one more window, of what is at hand; tell whether there was one.

        It ends before the liar's next chain, or begins with it, as any gateway's does.
        """
        whole, at_hand = list(self.liar.envelopes), self.line.bundle(self.state)[self.liar.public]
        done = len(whole) - len(at_hand)
        anew = (i for i, each in enumerate(at_hand) if i and each.reading().previous == ZERO_HASH)
        if (begun := next(anew, None)) is None:
            return self._window(most_ms)
        self.liar.envelopes = whole[: done + begun]
        if self._window(most_ms):
            self.liar.envelopes = whole
            return True
        self.liar.envelopes = [*whole[:done], *whole[done + begun :]]
        return self.window(most_ms)

    def _window(self, most_ms: int) -> bool:
        cuts = (at for at in self.cuts(most_ms) if at > self.through_ms)
        return any(self.goes_on(at) for at in cuts)

    def exchange(self) -> None:
        """Let the liar go, and another take its place."""
        self.time_ms = START_MS + END_S * 1_000
        body = AmendLine(self.line.line_id, (self.spare.public,), (self.liar.public,))
        assert self.do("regulator", body) == ""
        self.good(self.spare, begin=END_S, end=END_S + AFTER_S)
        self.time_ms = START_MS + (END_S + AFTER_S) * 1_000


@pytest.mark.parametrize(
    ("kind", "gauged"),
    [(FLOW, False), (FLOW, True), (HOLD, False), (OUTLET, True), (VALVE, False), (GAUGE, True)],
)
@given(st.integers(0, 2**32))
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_one_device_signs_its_line_goes_on(kind, gauged, seed):
    town = Told(kind, seed, gauged=gauged)
    left_ms = START_MS + END_S * 1_000
    for _ in range(WINDOWS_MAX):
        if not town.window(left_ms - 1):
            break
    town.exchange()
    silent = [town.liar.public]
    if town.through_ms < left_ms:
        assert town.goes_on(left_ms) or town.goes_on(left_ms, silent), town.told()
    assert town.window(left_ms + (AFTER_S - 30) * 1_000), town.told()
    town.close()
