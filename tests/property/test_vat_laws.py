"""Laws of vats: any cutting counts the same, what counts was held, and no freedom adds to it."""

from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ledger.errors.bundle import BundleFault
from ledger.evidence import reach
from ledger.params import BATCH_HOLD_MS, CLOCKS_MS, MARGIN_MS
from tests.property.test_evidence_cuts import claim_up_to, flow_samples
from tests.support.evidence.rig import START_MS as RIG_START_MS
from tests.support.evidence.vats import (
    DAY_S,
    FLOW,
    GAUGE,
    KINDS,
    STORIES,
    VAT_ML,
    VatDay,
    VatStory,
    hidden_flows,
    vat_rig,
)
from tests.support.ledger.cheating import over_all
from tests.support.ledger.dairy import bill
from tests.support.ledger.vats import VatTown
from tests.support.ledger.window import START_MS

# A day has ten thousand samples: what fails is told as it was found.
DAYS = settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
cuts = st.lists(st.floats(0.02, 0.98), min_size=1, max_size=5)


@dataclass(frozen=True)
class Mute:
    """Up to when a window goes, and which device it calls silent after a part of what it said."""

    until: float
    device: int
    keep: float


FLOW_AND_GAUGES = (KINDS.index(FLOW), KINDS.index(GAUGE), len(KINDS))
muted = st.integers(-6, len(KINDS)) | st.sampled_from(FLOW_AND_GAUGES)
mutes = st.lists(
    st.builds(Mute, st.floats(0.02, 0.98), muted, st.floats(0, 1)),
    min_size=1,
    max_size=4,
).map(lambda plan: sorted(plan, key=lambda each: each.until))


def most_of(story: VatStory, milk_ml: int) -> int:
    """Give the most that may count of so much milk: gauges agree to a part, and are late."""
    fastest = sum(each.rate_ml for each in story.drains)
    return milk_ml * 101 // 100 + fastest * CLOCKS_MS // 1_000


@given(STORIES | hidden_flows(), cuts)
@DAYS
def test_any_cutting_of_a_vats_readings_counts_the_same(
    story: VatStory, where: list[float]
) -> None:
    whole, cut = vat_rig(story), vat_rig(story)
    end_ms = reach(whole.facts, whole.bundle())
    one = claim_up_to(whole, end_ms)
    times = [at for at in flow_samples(cut) if RIG_START_MS < at < end_ms]
    ends = [*sorted({times[int(part * len(times))] for part in where}), end_ms]
    parts = [claim_up_to(cut, at) for at in ends]
    assert sum(each.counted_steps for each in parts) == one.counted_steps
    assert sum(each.lost_steps for each in parts) == one.lost_steps
    assert parts[-1].vat == one.vat
    assert one.counted_steps <= most_of(story, VatDay(story).pass_by().milk_ml)


@given(STORIES | hidden_flows(), mutes)
@DAYS
def test_who_calls_instruments_of_a_vat_silent_counts_no_more(
    story: VatStory, plan: list[Mute]
) -> None:
    """And the chain mints whatever honest attestors sign."""
    town, counted = VatTown(story), 0
    whole = VatTown(story).claim().counted_steps
    for each in plan:
        counted += windowed(town, each)
    counted += windowed(town, Mute(1, -1, 1))
    assert counted <= whole <= most_of(story, town.day.milk_ml)
    assert town.minted_units() <= bill(whole) // 1_000
    town.close()


def windowed(town: VatTown, mute: Mute) -> int:
    """Claim a window, if there is one; give what counted in it."""
    until_ms = START_MS + int(mute.until * DAY_S * 1_000)
    devices = town.line.devices
    muted = [devices[mute.device]] if 0 <= mute.device < len(devices) else []
    whole = {each.public: each.envelopes for each in muted}
    for each in muted:
        heard = [e for e in each.envelopes if e.reading().last_ms < until_ms + MARGIN_MS]
        each.envelopes = heard[: int(mute.keep * len(heard))]
    try:
        silent = [each.public for each in muted]
        second = mute.until * DAY_S
        claim = town.until(second, silent=silent) if mute.until < 1 else town.claim()
        assert town.mint(town.signed(claim)) == ""
    except BundleFault:
        return 0
    finally:
        for each in muted:
            each.envelopes = whole[each.public]
    return claim.counted_steps


@given(STORIES, cuts, st.integers(1, 900_000))
@DAYS
def test_where_all_attestors_lie_a_vat_gives_itself_once_each_half_hour(
    story: VatStory, where: list[float], most: int
) -> None:
    town = VatTown(story)
    for part in sorted(where):
        try:
            claim = town.until(part * DAY_S)
        except BundleFault:
            continue
        fates = claim.counted_steps + claim.lost_steps
        steps = min(fates, most)
        town.mint(over_all(claim, steps, bill(1) * steps // 1_000))
        town.mint(claim)
    holds = (town.registered().through_ms - START_MS) // BATCH_HOLD_MS
    assert town.minted_units() <= holds * bill(1) * VAT_ML // 1_000
    town.close()
