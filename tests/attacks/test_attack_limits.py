"""Heat that is none: a probe that broke, a vat that boils, another kind's."""

import pytest

from ledger.evidence import check_window, claim_window, reach, trim_bundle
from ledger.evidence.limits import PHYSICAL_MOST_MDEGC
from ledger.types.evidence import HeatProcess, Instrument, MilkKind
from ledger.types.window import WindowClaim
from tests.support.evidence.rig import LineRig, good_value
from tests.support.ledger.cheating import FLOW, GAUGE, HOLD, OUTLET, VALVE

READY_MS = 1_800_000


def signed(rig: LineRig, kind: MilkKind = MilkKind.WHOLE) -> WindowClaim:
    """Give what an honest attestor signs of all that a line showed."""
    bundle = rig.bundle()
    claim = claim_window(rig.facts, bundle, kind, reach(rig.facts, bundle))
    check_window(rig.facts, claim, trim_bundle(rig.facts, bundle, claim))
    return claim


@pytest.mark.parametrize(("shown", "lost"), [(PHYSICAL_MOST_MDEGC, 0), (300_000, 2_000)])
def test_a_probe_that_broke_is_not_hot(shown: int, lost: int) -> None:
    def value(kind: Instrument, at_ms: int) -> int:
        return shown if kind is HOLD and at_ms == 40_000 else good_value(kind, at_ms)

    rig = LineRig()
    rig.run(120, value=value)
    assert signed(rig).lost_steps == lost


def test_milk_that_was_not_hot_enough_for_its_kind_counts_nothing() -> None:
    rig = LineRig()
    rig.run(60)
    assert signed(rig).counted_steps > 0
    assert signed(rig, MilkKind.UHT).counted_steps == 0


@pytest.mark.parametrize(("above", "litres"), [(0, 90_000), (1, 0)])
def test_a_vat_that_boils_holds_no_milk(above: int, litres: int) -> None:
    rig = LineRig(
        FLOW, HOLD, OUTLET, VALVE, GAUGE,
        process=HeatProcess.BATCH, flow_max_l_per_h=0, vat_units=100_000_000,
    )  # fmt: skip

    def value(kind: Instrument, at_ms: int) -> int:
        flowed = min(max(0, at_ms - READY_MS - 10_000), 90_000)
        if kind is HOLD:
            return rig.rules.vat_most_mdegc + above
        return flowed if kind is FLOW else good_value(kind, flowed if kind is GAUGE else at_ms)

    rig.run(READY_MS // 1_000 + 130, value=value, size=60)
    assert signed(rig).counted_steps == litres
