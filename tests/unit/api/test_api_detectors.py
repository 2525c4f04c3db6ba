"""The eight detectors: each speaks past its threshold and not at it, and a made month is quiet."""

import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

import pytest

from api.flags import detectors
from api.flags.model import DayBooks, Detector, Fact, Suspicion
from api.flags.opening import OpeningHours, parse_hours
from api.flags.thresholds import DAY_MS, HOUR_MS, MINUTE_MS, THRESHOLDS, WATCHES
from api.tenants.zones import USUAL, zone_of

SHOP = "shop"
Find = Callable[[Sequence[Fact]], list[Suspicion]]
SCHOOL = OpeningHours(opens=7 * 60, closes=19 * 60, zone=USUAL)


def facts(count: int, subject: str = "payer:a", step_ms: int = 1_000, at_ms: int = 0) -> list[Fact]:
    return [
        Fact(at_ms + n * step_ms, SHOP, subject, f"{subject}/{at_ms}/{n}") for n in range(count)
    ]


def linked(count: int) -> list[Fact]:
    """One wallet that people link one after another."""
    return [Fact(n, "union", "payer:w", f"person{n}") for n in range(count)]


def coupons_of_a_phone(count: int) -> list[Fact]:
    return facts(count, "session:s", MINUTE_MS)


def coupons_of_a_till(count: int) -> list[Fact]:
    return facts(count, "terminal:t", MINUTE_MS)


@pytest.mark.parametrize(
    ("find", "make", "most"),
    [
        (detectors.failed_validations, facts, THRESHOLDS.failed_validations),
        (detectors.attempt_rate, facts, THRESHOLDS.attempts_refused),
        (detectors.caller_errors, facts, THRESHOLDS.caller_errors),
        (detectors.cashier_refunds, facts, THRESHOLDS.refunds_a_day),
        (detectors.device_coupons, coupons_of_a_phone, THRESHOLDS.coupons_a_phone_day),
        (detectors.device_coupons, coupons_of_a_till, THRESHOLDS.coupons_a_till_hour),
        (detectors.address_shared, linked, THRESHOLDS.people_an_address),
    ],
)
def test_a_detector_speaks_past_its_threshold_and_not_at_it(
    find: Find, make: Callable[[int], list[Fact]], most: int
) -> None:
    assert find(make(most)) == []
    (finding,) = find(make(most + 1))
    assert finding.score == most + 1
    assert finding.subject == make(1)[0].subject
    assert 0 < len(finding.evidence) <= detectors.EVIDENCE_MAX
    assert finding.explanation_en != finding.explanation_ms
    assert str(most + 1) in finding.explanation_en
    assert find(list(reversed(make(most + 1)))) == [finding], "order makes no difference"


def test_subjects_and_shops_are_counted_apart() -> None:
    mixed = facts(3, "payer:a") + facts(3, "payer:b")
    elsewhere = [Fact(f.at_ms, "other", f.subject, f.ref) for f in facts(3, "payer:a")]
    assert detectors.failed_validations(mixed + elsewhere) == []


def test_one_transaction_counts_once_however_often_it_is_asked_about() -> None:
    assert detectors.failed_validations(facts(1) * 50) == []
    assert detectors.device_coupons(coupons_of_a_phone(1) * 50) == []


def test_coupons_of_a_till_rain_within_an_hour_or_not_at_all() -> None:
    spread = facts(60, "terminal:t", HOUR_MS // 20)
    assert detectors.device_coupons(spread) == []
    assert detectors.device_coupons(spread + facts(5, "terminal:t", 1, at_ms=100)) != []


def refunds(*counts: int) -> list[Fact]:
    return [fact for who, count in enumerate(counts) for fact in facts(count, f"user:{who}")]


def test_refunds_are_odd_beside_those_of_the_others_of_the_shop() -> None:
    assert [f.subject for f in detectors.cashier_refunds(refunds(5, 1, 1, 0, 1))] == ["user:0"]
    assert detectors.cashier_refunds(refunds(5, 4, 3, 5)) == [], "where all refund, nobody is odd"
    assert detectors.cashier_refunds(refunds(5, 1)) == [], "two have no middle"
    assert detectors.cashier_refunds(refunds(4, 1, 1, 1)) == []


def test_one_odd_person_hides_no_other_one() -> None:
    found = detectors.cashier_refunds(refunds(40, 5, 1, 1, 1, 1, 1))
    assert [finding.subject for finding in found] == ["user:0", "user:1"]


def sale(hour: float, shop: str = SHOP) -> Fact:
    """A sale at an hour of the shop's day."""
    return Fact(int((hour - 8) * HOUR_MS) + DAY_MS, shop, f"merchant:{shop}", f"order{hour}")


def test_a_shop_that_is_shut_sells_nothing() -> None:
    hours = {SHOP: SCHOOL}
    fine = [sale(6.8), sale(12), sale(19.2)]
    assert detectors.outside_hours(fine, hours) == []
    (finding,) = detectors.outside_hours([*fine, sale(2.5), sale(6.7)], hours)
    assert set(finding.evidence) == {"order2.5", "order6.7"}
    assert detectors.outside_hours([sale(3)], {}) == [], "one that tells no hours is never shut"


def test_hours_may_end_after_midnight() -> None:
    night = parse_hours("18:00", "02:00", USUAL)
    assert night is not None
    assert [night.is_open(sale(hour).at_ms) for hour in (17.9, 18, 23, 1.9, 2.1)] == [
        False, True, True, True, False,
    ]  # fmt: skip
    assert parse_hours("", "", USUAL) is None
    for bad in (("7:00", "19:00"), ("07:00", ""), ("24:00", "19:00"), ("07:00", "07:00")):
        with pytest.raises(ValueError, match="two times of a day"):
            parse_hours(*bad, USUAL)


def test_a_shop_s_day_goes_by_its_clocks_in_summer_and_in_winter() -> None:
    hours = parse_hours("07:00", "19:00", zone_of("Europe/Berlin"))
    assert hours is not None
    for day, opens in (("2026-01-15", 6), ("2026-07-15", 5)):
        midnight_ms = int(datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp()) * 1_000
        at = [midnight_ms + opens * HOUR_MS + step for step in (-MINUTE_MS, 0, MINUTE_MS)]
        assert [hours.is_open(ms) for ms in at] == [False, True, True], day


def books(booked: int, came: int, order: str = "o", sen: int = 180) -> DayBooks:
    return DayBooks(
        at_ms=0,
        merchant_id=SHOP,
        order_id=order,
        amount_sen=sen,
        amount_units=500_000,
        booked_units=booked,
        came_units=came,
    )


def test_books_that_say_another_sum_than_the_chain_are_odd_past_a_ringgit() -> None:
    whole = 500_000
    assert detectors.settlement_drift([books(whole, whole)] * 50) == []
    assert detectors.settlement_drift([books(whole, whole - 1)] * 50) == [], "crumbs"
    (finding,) = detectors.settlement_drift([books(whole, 0, "forged")])
    assert (finding.score, finding.evidence) == (180, ("forged",))
    two = [books(whole, 0, "a"), books(0, whole, "b")]
    assert detectors.settlement_drift(two)[0].score == 360, "opposites hide nothing"


class Month:
    """Thirty school days of one shop: honest noise, and what is planted in it."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.facts: dict[Detector, list[Fact]] = {detector: [] for detector in Detector}
        self.books: list[DayBooks] = []
        for day in range(30):
            self._honest(day * DAY_MS)

    def at(self, day_ms: int) -> int:
        """Give a moment of the shop's open hours."""
        return day_ms + int(self.random.uniform(7, 19) * HOUR_MS) - 8 * HOUR_MS

    def add(self, detector: Detector, at_ms: int, subject: str, ref: str = "") -> None:
        ref = ref or f"{detector}{len(self.facts[detector])}"
        self.facts[detector].append(Fact(at_ms, SHOP, subject, ref))

    def _honest(self, day_ms: int) -> None:
        chance = self.random
        for _ in range(400):
            self.add(Detector.OUTSIDE_HOURS, self.at(day_ms), f"merchant:{SHOP}")
            self.books.append(books(500_000, 500_000))
        for _ in range(12):  # Empty purses, wrong amounts, double taps.
            payer, at_ms = f"payer:{chance.randrange(500)}", self.at(day_ms)
            for n in range(chance.choice((1, 1, 2, 3))):
                self.add(Detector.FAILED_VALIDATIONS, at_ms + n * 5_000, payer)
            self.add(Detector.ATTEMPT_RATE, at_ms, payer)
        for cashier in range(6):
            for _ in range(chance.choice((0, 0, 1, 1, 2))):
                self.add(Detector.CASHIER_REFUNDS, self.at(day_ms), f"user:{cashier}")
        for _ in range(40):
            at_ms = self.at(day_ms)
            self.add(Detector.DEVICE_COUPONS, at_ms, f"terminal:{chance.randrange(3)}")
            self.add(Detector.DEVICE_COUPONS, at_ms, f"session:{chance.randrange(900)}")
        for _ in range(20):
            self.add(Detector.CALLER_ERRORS, self.at(day_ms), f"terminal:{chance.randrange(3)}")
        wallet = chance.randrange(300)
        self.add(Detector.ADDRESS_SHARED, self.at(day_ms), f"payer:w{wallet}", f"p{wallet}")

    def find(self, detector: Detector) -> Counter[tuple[int, str]]:
        """Look as the desk looks: window after window; give who was found, by week."""
        window_ms = WATCHES[detector].window_ms
        step_ms = max(window_ms // 5, MINUTE_MS)
        found: Counter[tuple[int, str]] = Counter()
        all_facts = sorted(self.facts[detector], key=lambda fact: fact.at_ms)
        times = [fact.at_ms for fact in all_facts]
        for end_ms in range(0, 31 * DAY_MS, step_ms):
            within = all_facts[bisect_left(times, end_ms - window_ms) : bisect_left(times, end_ms)]
            if not within:
                continue
            for finding in self._run(detector, within):
                found[end_ms // (7 * DAY_MS), finding.subject] += 1
        return found

    def _run(self, detector: Detector, within: Sequence[Fact]) -> list[Suspicion]:
        if detector is Detector.OUTSIDE_HOURS:
            return detectors.outside_hours(within, {SHOP: SCHOOL})
        find: Find = getattr(detectors, detector)
        return find(within)


def plant(month: Month) -> dict[Detector, str]:
    """Plant one of each; give who did it."""
    noon = 12 * DAY_MS + 4 * HOUR_MS
    for n in range(5):
        month.add(Detector.FAILED_VALIDATIONS, noon + n * 40_000, "payer:thief")
    for n in range(30):
        month.add(Detector.ATTEMPT_RATE, noon + n * 2_000, "payer:program")
        month.add(Detector.CALLER_ERRORS, noon + n * 2_000, "key:broken")
        month.add(Detector.DEVICE_COUPONS, noon + n * 60_000, "terminal:7")
    for n in range(7):
        month.add(Detector.CASHIER_REFUNDS, noon + n * MINUTE_MS, "user:friendly")
    month.add(Detector.OUTSIDE_HOURS, 12 * DAY_MS - 5 * HOUR_MS, f"merchant:{SHOP}", "at night")
    for n in range(4):
        month.add(Detector.ADDRESS_SHARED, noon + n * DAY_MS, "payer:lent", f"student{n}")
    month.books += [books(500_000, 0, "by hand")]
    return {
        Detector.FAILED_VALIDATIONS: "payer:thief",
        Detector.ATTEMPT_RATE: "payer:program",
        Detector.CALLER_ERRORS: "key:broken",
        Detector.DEVICE_COUPONS: "terminal:7",
        Detector.CASHIER_REFUNDS: "user:friendly",
        Detector.OUTSIDE_HOURS: f"merchant:{SHOP}",
        Detector.ADDRESS_SHARED: "payer:lent",
    }


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_made_month_shows_what_was_planted_and_little_else(seed: int) -> None:
    month = Month(seed)
    planted = plant(month)
    false_by_week: Counter[int] = Counter()
    for detector, culprit in planted.items():
        found = month.find(detector)
        assert culprit in {subject for _, subject in found}, detector
        for week, subject in found:
            false_by_week[week] += subject != culprit
    assert max(false_by_week.values()) <= 1, false_by_week
    (drift,) = detectors.settlement_drift(month.books)
    assert drift.evidence == ("by hand",)


def test_every_detector_is_watched_and_has_a_function() -> None:
    assert set(WATCHES) == set(Detector)
    assert all(callable(getattr(detectors, detector)) for detector in Detector)
