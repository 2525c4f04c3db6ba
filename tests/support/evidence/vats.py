"""A vat's days, for laws over windows: what stands in it, what its instruments show, what is milk.

Second by second the vat is filled, heated and drained as a story tells. Instruments show that in
steps of their own and late, or stay silent for a while; an oracle that shares no code with the law
keeps account of how much of what leaves was held for its half hour.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.types.evidence import HeatProcess, Instrument
from tests.support.evidence.rig import START_MS, DeviceRig, LineRig

FLOW, HOLD, OUTLET, VALVE, GAUGE = KINDS = (
    Instrument.FLOW_METER,
    Instrument.HOLD_THERMOMETER,
    Instrument.OUTLET_THERMOMETER,
    Instrument.DIVERSION_VALVE,
    Instrument.TANK_GAUGE,
)
VAT_ML = 400_000
HALF_HOUR_S = 1_800
DAY_S = 4_600
"""Time for two holds and two drains."""


@dataclass(frozen=True)
class Pour:
    """So many millilitres a second, from a second on, for a while: into the vat or out of it."""

    from_s: int
    length_s: int
    rate_ml: int

    def at(self, second: int) -> int:
        """Give what it moves in a second."""
        return self.rate_ml if self.from_s <= second < self.from_s + self.length_s else 0


@dataclass(frozen=True)
class Silence:
    """An instrument says nothing for a while."""

    kind: Instrument
    from_s: int
    length_s: int


@dataclass(frozen=True)
class VatStory:
    """What happens to a vat, and how its instruments are: by default two batches that go well."""

    fills: Sequence[Pour] = (Pour(2_200, 40, 9_000),)
    drains: Sequence[Pour] = (Pour(1_900, 180, 2_000), Pour(4_100, 180, 2_000))
    cold: Sequence[tuple[int, int]] = ((1_905, 380),)
    silences: Sequence[Silence] = ()
    first_ml: int = 370_000
    reset_s: int = 0
    level_step_ml: int = 1
    level_every_s: int = 1
    level_late_s: int = 0
    unrest_ml: int = 0
    every_ms: int = 1_900
    sizes: Sequence[int] = (60, 60, 60, 60, 60, 60)
    spare: Instrument | None = None
    joins_s: int = 0
    """When the spare joins the line; until then it lies on a workbench."""
    bench: int | None = None
    """What the spare shows there; None if it is off."""


@dataclass(slots=True)
class VatDay:
    """A story as it went, a second each: level, total of what flowed, what of that was milk."""

    story: VatStory
    levels: list[int] = field(default_factory=list)
    totals: list[int] = field(default_factory=list)
    milk_ml: int = 0

    def hot(self, second: int) -> bool:
        """Tell whether all of the vat is hot enough."""
        return not any(since <= second < since + length for since, length in self.story.cold)

    def pass_by(self) -> "VatDay":
        """Let the day go by."""
        level, total, still, held = self.story.first_ml, 0, 0, 0
        for second in range(DAY_S + 1):
            self.levels.append(level)
            self.totals.append(total)
            raw = sum(each.at(second) for each in self.story.fills)
            raw = min(raw, VAT_ML - level)
            out = min(level, sum(each.at(second) for each in self.story.drains))
            still = still + 1 if self.hot(second) and not raw and not out else 0
            if still >= HALF_HOUR_S:
                held = level
            # All of a vat is one: what of it was held leaves it in proportion, rounded up.
            gone = -(-out * held // level) if level else 0
            self.milk_ml += gone
            held, level, total = held - gone, level - out + raw, total + out
        return self

    def value(self, kind: Instrument, at_ms: int) -> int:
        """Give what an instrument shows."""
        second = at_ms // 1_000
        if kind is FLOW:
            at = self.totals[second]
            reset_s = self.story.reset_s
            return at - self.totals[reset_s] if reset_s and second >= reset_s else at
        if kind is HOLD:
            return 63_500 if self.hot(second) else 40_000
        if kind is GAUGE:
            story = self.story
            level = self.levels[max(0, second - story.level_late_s)]
            noise = story.unrest_ml * (second * 7_919 % 3 - 1)
            return max(0, level + noise) // story.level_step_ml * story.level_step_ml
        return 3_000 if kind is OUTLET else 1

    def samples(self, kind: Instrument) -> list[tuple[int, int]]:
        """Give what an instrument shows, in its rhythm, but for where it is silent."""
        every_ms = self.story.level_every_s * 1_000 if kind is GAUGE else self.story.every_ms
        quiet = [each for each in self.story.silences if each.kind is kind]
        return [
            (at_ms, self.value(kind, at_ms))
            for at_ms in range(0, DAY_S * 1_000, every_ms)
            if not any(0 <= at_ms - each.from_s * 1_000 < each.length_s * 1_000 for each in quiet)
        ]

    def spare_samples(self, kind: Instrument) -> list[tuple[int, int]]:
        """Give what a spare shows: of the vat once it joined, of a workbench before."""
        joins_ms, bench = self.story.joins_s * 1_000, self.story.bench
        return [
            (at_ms, value if at_ms >= joins_ms or bench is None else bench)
            for at_ms, value in self.samples(kind)
            if at_ms >= joins_ms or bench is not None
        ]

    def measured(self, devices: Sequence[DeviceRig]) -> None:
        """Let a line's devices measure the day; what is more than a line needs is the spare."""
        for place, device in enumerate(devices):
            kind = device.instrument
            samples = self.samples(kind) if place < len(KINDS) else self.spare_samples(kind)
            device.measure(samples, self.story.sizes[place])


def vat_rig(story: VatStory) -> LineRig:
    """Let a batch line measure a day."""
    kinds = KINDS if story.spare is None else (*KINDS, story.spare)
    rig = LineRig(*kinds, process=HeatProcess.BATCH, flow_max_l_per_h=0, vat_units=VAT_ML * 1_000)
    VatDay(story).pass_by().measured(rig.devices)
    late = {each.public for each in rig.devices[len(KINDS) :]}
    joins_ms = START_MS + story.joins_s * 1_000
    devices = (
        replace(each, from_ms=joins_ms) if each.device in late else each
        for each in rig.line.devices
    )
    rig.line = replace(rig.line, devices=tuple(devices))
    return rig


seconds = st.integers(0, DAY_S)
silences = st.builds(Silence, st.sampled_from(KINDS), seconds, st.sampled_from([1, 3, 70, 100]))
pours = st.builds(Pour, seconds, st.integers(3, 200), st.integers(300, 3_000))
STORIES = st.builds(
    VatStory,
    fills=st.lists(pours, max_size=2).map(lambda more: (Pour(2_200, 40, 9_000), *more)),
    drains=st.lists(pours, max_size=2).map(
        lambda more: (Pour(1_900, 180, 2_000), Pour(4_100, 180, 2_000), *more)
    ),
    cold=st.lists(st.tuples(seconds, st.sampled_from([4, 30, 400])), max_size=2).map(
        lambda more: ((1_905, 380), *more)
    ),
    silences=st.lists(silences, max_size=3),
    first_ml=st.sampled_from([50_000, 370_000]),
    reset_s=st.sampled_from([0, 0, 0, 1_000, 1_930, 2_000]) | seconds,
    level_step_ml=st.sampled_from([1, 1, 500]),
    level_every_s=st.sampled_from([1, 10, 60]),
    level_late_s=st.sampled_from([0, 0, 3]),
    unrest_ml=st.sampled_from([0, 0, 1]),
    every_ms=st.sampled_from([1_700, 1_900, 2_000]),
    sizes=st.lists(st.integers(8, 60), min_size=6, max_size=6),
    spare=st.sampled_from([None, None, HOLD, GAUGE]),
    joins_s=st.sampled_from([0, 0, 95, 1_990]) | seconds,
    bench=st.sampled_from([None, 0, 64_000, 400_000]),
)
"""Two batches, and what may go wrong with them."""


@st.composite
def hidden_flows(draw: st.DrawFn) -> VatStory:
    """Give a day on which raw milk runs through a vat as its flow meter is silent, or is reset."""
    # In the first hold, or as it drains, more often than not.
    from_s = draw(st.integers(60, DAY_S - 200) | st.integers(1_800, 1_950))
    length_s = draw(st.sampled_from([3, 70, 70]))
    raw = Pour(from_s + 1, length_s - 2, draw(st.sampled_from([300, 5_000])))
    story = draw(STORIES | st.just(VatStory(cold=())))
    return dataclasses.replace(
        story,
        fills=(*story.fills, raw),
        drains=(*story.drains, raw),
        silences=(*story.silences, Silence(FLOW, from_s, length_s)),
        reset_s=draw(st.sampled_from([0, from_s + length_s // 2, from_s + length_s])),
    )
