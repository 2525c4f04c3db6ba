"""What became of a step shows within the margin of it: so any cutting of readings gives the same.

`test_evidence_cuts` says so of claims, with all that they need; here are the judge and the samples
alone, which goes fast enough to try many.
"""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.evidence.judging import Step, judge_steps
from ledger.evidence.limits import limits_of
from ledger.evidence.terms import WindowTerms
from ledger.evidence.tracks import Track
from ledger.evidence.watching import Watch
from ledger.params import COLD_VOID_MS, MARGIN_MS
from ledger.primitives.keys import PublicKey
from ledger.types.evidence import HeatProcess, Instrument, MilkKind
from ledger.types.reading import Unit
from tests.support.evidence.rig import LineRig, good_value

FLOW, HOLD, OUTLET, VALVE = (
    Instrument.FLOW_METER,
    Instrument.HOLD_THERMOMETER,
    Instrument.OUTLET_THERMOMETER,
    Instrument.DIVERSION_VALVE,
)
BAD = {HOLD: 60_000, VALVE: 0}
RIG = LineRig()
LIMITS = limits_of(RIG.rules, MilkKind.WHOLE, HeatProcess.CONTINUOUS)
END_MS = 120_000

Samples = list[tuple[int, int]]

runs_of_samples = st.lists(
    st.tuples(
        st.booleans(),
        # How many samples alike, and how far each is from the one before.
        st.integers(1, 16),
        st.sampled_from([300, 1_000, 1_000, 1_900, 2_000, 2_100]),
    ),
    min_size=1,
    max_size=20,
)
cold = st.lists(
    st.tuples(st.integers(0, END_MS), st.sampled_from([1_000, 4_000, 8_000, 15_000, 50_000])),
    min_size=1,
    max_size=3,
)


def by_runs(kind: Instrument, runs: Sequence[tuple[bool, int, int]]) -> Samples:
    """Let an instrument show good and bad values by turns, in a rhythm that changes."""
    samples, at = [], 0
    for is_good, many, every_ms in runs:
        for _ in range(many):
            samples.append((at, good_value(kind, at) if is_good else BAD[kind]))
            at += every_ms
    return samples


def watch(kind: Instrument, samples: Samples) -> Watch:
    """Give a device of the line that showed this, heard before and after."""
    key = PublicKey(kind.value.encode().ljust(32, b"."))
    unit = Unit.MILLILITRE if kind is FLOW else Unit.FLAG
    track = Track(key, kind, [], unit=unit, begun_ms=None)
    track.times = [at for at, _ in samples]
    track.values = [value for _, value in samples]
    track.joined = [True for _ in samples]
    return Watch(track, -(10**9), 10**9, [(-(10**9), 10**9)], linked=True, silent=False)


def near(samples: Samples, begin_ms: int, end_ms: int) -> Samples:
    """Keep what a window that has this time shows: up to the margin, and the samples next to it."""
    first = max((at for at, _ in samples if at <= begin_ms - MARGIN_MS), default=-(10**9))
    last = min((at for at, _ in samples if at >= end_ms + MARGIN_MS), default=10**9)
    return [each for each in samples if first <= each[0] <= last]


def judged(shown: dict[Instrument, Samples]) -> list[Step]:
    """Judge a line's steps."""
    watches = [watch(kind, samples) for kind, samples in shown.items()]
    terms = WindowTerms(RIG.line, RIG.rules, LIMITS, END_MS, 0, watches[0].track.ended_by(END_MS))
    return judge_steps(terms, watches, watches[0])[0]


def doubtful(steps: list[Step], cold: Sequence[tuple[int, int]]) -> list[Step]:
    """List the steps that what was cold may just void, or just not."""
    void = [(at - COLD_VOID_MS, at + length + COLD_VOID_MS) for at, length in cold]
    ends = [end for each in void for end in each]
    found = [each for each in steps if any(abs(each.from_ms - end) < 3_000 for end in ends)]
    return found or steps


@given(runs_of_samples, cold, st.sampled_from(range(-8_000, 8_001, 250)), st.data())
@settings(max_examples=200, deadline=None)
def test_what_a_step_is_shows_within_the_margin(
    valve: list[tuple[bool, int, int]],
    cold: list[tuple[int, int]],
    late_ms: int,
    data: st.DataObject,
) -> None:
    steady = range(0, END_MS, 1_000)
    dips = [(at + late_ms, at + late_ms + length) for at, length in cold]
    follows = data.draw(st.booleans())
    shown = {
        FLOW: [(at, at) for at in steady],
        HOLD: [
            (at, BAD[HOLD] if any(a <= at < a + n for a, n in cold) else 75_000)
            for at in range(0, END_MS, 900)
        ],
        OUTLET: [(at, 3_000) for at in steady],
        VALVE: [(at, int(not any(a <= at < b for a, b in dips))) for at in steady]
        if follows
        else by_runs(VALVE, valve),
    }
    whole = judged(shown)
    for step in data.draw(st.lists(st.sampled_from(doubtful(whole, cold)), max_size=8)):
        parts = {kind: near(samples, step.from_ms, step.to_ms) for kind, samples in shown.items()}
        [same] = [each for each in judged(parts) if each.from_ms == step.from_ms]
        assert (same.counts, same.diverted) == (step.counts, step.diverted)
