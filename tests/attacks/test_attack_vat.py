"""Vats: one hold and two drains, raw milk on top, days between, a gauge that nobody shows."""

from collections.abc import Callable

import pytest

from ledger.evidence import check_window, claim_window, reach, trim_bundle
from ledger.params import CLOCKS_MS, HOUR_MS
from ledger.types.evidence import HeatProcess, Instrument, MilkKind
from tests.support.evidence.rig import LineRig, good_value
from tests.support.ledger.cheating import FLOW, GAUGE, HOLD, OUTLET, VALVE

READY_MS = 1_800_000
LAG = CLOCKS_MS
"""What flows at a litre a second, in millilitres, while a gauge is behind."""
Level = Callable[[int, int], int]
"""What the gauge shows at a time when so much has flowed, in millilitres."""


def counted(
    level: Level,
    *,
    drains: tuple[tuple[int, int], ...] = ((READY_MS + 10_000, 90_000),),
    hot: tuple[tuple[int, int], ...] = ((0, READY_MS + 5_000),),
    shown: bool = True,
    every_ms: int = 1_000,
) -> int:
    """Heat a vat of 100 L, drain it a litre a second from times on; give what an attestor signs."""

    def value(kind: Instrument, at_ms: int) -> int:
        flowed = sum(min(max(0, at_ms - since), most) for since, most in drains)
        if kind is FLOW:
            return flowed
        if kind is HOLD:
            return 63_500 if any(since <= at_ms <= until for since, until in hot) else 40_000
        return level(at_ms, flowed) if kind is GAUGE else good_value(kind, at_ms)

    rig = LineRig(
        FLOW, HOLD, OUTLET, VALVE, GAUGE,
        process=HeatProcess.BATCH, flow_max_l_per_h=0, vat_units=100_000_000,
    )  # fmt: skip
    end_ms = max(since + most for since, most in drains) + 60_000
    rig.run(end_ms // 1_000, value=value, size=60, every_ms=every_ms)
    bundle = rig.bundle()
    if not shown:
        bundle[rig.of(GAUGE).public] = []
    claim = claim_window(rig.facts, bundle, MilkKind.WHOLE, reach(rig.facts, bundle))
    check_window(rig.facts, claim, trim_bundle(rig.facts, bundle, claim))
    return claim.counted_steps


def honest(at_ms: int, flowed: int) -> int:
    return 100_000 - flowed


def test_what_was_held_counts_whole() -> None:
    assert counted(honest) == 90_000


def test_a_gauge_that_nobody_shows_lets_nothing_drain() -> None:
    assert counted(honest, shown=False) == 0


@pytest.mark.parametrize("kept", [50, 90, 97])
def test_raw_milk_on_top_as_it_drains_is_seen_by_what_does_not_fall(kept: int) -> None:
    """Topped up more slowly than it drains: the gauge never rises."""
    topped = lambda at_ms, flowed: 100_000 - flowed * (100 - kept) // 100  # noqa: E731
    raw = counted(topped) * kept // 100
    assert raw <= LAG * 102 // 100


def test_raw_milk_on_top_after_half_of_it_ends_the_drain() -> None:
    def level(at_ms: int, flowed: int) -> int:
        return 100_000 - flowed + max(0, flowed - 45_000) * 9 // 10

    raw = (counted(level) - 45_000) * 9 // 10
    assert 0 <= raw <= (LAG + 450) * 102 // 100


def test_a_vat_gives_what_stood_in_it_and_not_what_it_could_hold() -> None:
    found = counted(lambda at_ms, flowed: max(0, 30_000 - flowed))
    assert 30_000 <= found <= (30_000 + LAG) * 102 // 100


def test_a_coarse_gauge_loses_nothing() -> None:
    assert counted(lambda at_ms, flowed: (100_000 - flowed) // 5_000 * 5_000) == 90_000


def test_one_hold_serves_one_drain() -> None:
    """Drained, filled again with raw milk, and drained once more."""
    again_ms = READY_MS + 200_000
    drains = ((READY_MS + 10_000, 90_000), (again_ms, 90_000))

    def level(at_ms: int, flowed: int) -> int:
        return 100_000 - flowed + (90_000 if at_ms >= again_ms - 10_000 else 0)

    assert counted(level, drains=drains) == 90_000


@pytest.mark.parametrize(("hours", "litres"), [(1, 90_000), (5, 0)])
def test_milk_that_stood_for_hours_after_its_hold_counts_nothing(hours: int, litres: int) -> None:
    drains = ((READY_MS + hours * HOUR_MS, 90_000),)
    assert counted(honest, drains=drains) == litres


def test_a_half_hour_of_two_quarters_is_none() -> None:
    assert counted(honest, hot=((0, 900_000), (910_000, READY_MS + 5_000))) == 0


def test_milk_that_goes_round_while_it_is_held_was_not_held() -> None:
    """What flows out is made up for, so that no gauge falls: some of it came in too late."""

    def level(at_ms: int, flowed: int) -> int:
        return 100_000 - max(0, flowed - 20_000)

    drains = ((READY_MS // 2, 20_000), (READY_MS + 10_000, 70_000))
    assert counted(level, drains=drains) == 0


def test_milk_that_came_in_while_the_rest_was_held_ends_the_hold() -> None:
    def level(at_ms: int, flowed: int) -> int:
        return (50_000 if at_ms < READY_MS // 2 else 100_000) - flowed

    assert counted(level) == 0
