"""The eight detectors: pure functions from what happened in a window to what looks odd about it.

Each is given the facts of its window (`api.flags.thresholds.WATCHES`), in any order, and finds at
most one thing a subject. None knows the time, a database, or what was found before.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Final

from api.flags.model import DayBooks, Detector, Fact, Suspicion
from api.flags.opening import OpeningHours
from api.flags.thresholds import DAY_MS, HOUR_MS, THRESHOLDS, Thresholds

EVIDENCE_MAX: Final = 20
"""So many references are kept of a finding: the rest is where they are found."""
MAD_TO_SIGMA: Final = 1.4826
"""What a median absolute deviation is of a standard deviation, where things are normal."""
PHONE: Final = "session:"
_Who = tuple[str, str]


def _by_subject(facts: Iterable[Fact]) -> dict[_Who, list[Fact]]:
    """Gather facts by shop and subject, each in the order of time."""
    found: defaultdict[_Who, list[Fact]] = defaultdict(list)
    for fact in facts:
        found[fact.merchant_id, fact.subject].append(fact)
    return {who: sorted(of, key=_age) for who, of in sorted(found.items())}


def _age(fact: Fact) -> tuple[int, str]:
    return (fact.at_ms, fact.ref)


def _references(facts: Sequence[Fact]) -> tuple[str, ...]:
    """Give what facts are about, the newest, each once."""
    return tuple(dict.fromkeys(fact.ref for fact in facts))[-EVIDENCE_MAX:]


def failed_validations(facts: Sequence[Fact], bounds: Thresholds = THRESHOLDS) -> list[Suspicion]:
    """Find payers of several transactions that no validation would find good (US-006).

    A transaction counts once, however often a partner asks about it.
    """
    found = []
    for (shop, payer), theirs in _by_subject(facts).items():
        count = len({fact.ref for fact in theirs})
        if count > bounds.failed_validations:
            found.append(
                Suspicion(
                    detector=Detector.FAILED_VALIDATIONS,
                    merchant_id=shop,
                    subject=payer,
                    score=count,
                    evidence=_references(theirs),
                    explanation_en=f"{count} payments that fail validation, in five minutes",
                    explanation_ms=f"{count} bayaran gagal pengesahan dalam lima minit",
                )
            )
    return found


def attempt_rate(facts: Sequence[Fact], bounds: Thresholds = THRESHOLDS) -> list[Suspicion]:
    """Find payers who keep trying past their limit. A double tap is nothing; a program is."""
    found = []
    for (shop, payer), theirs in _by_subject(facts).items():
        if len(theirs) > bounds.attempts_refused:
            count = len(theirs)
            found.append(
                Suspicion(
                    detector=Detector.ATTEMPT_RATE,
                    merchant_id=shop,
                    subject=payer,
                    score=count,
                    evidence=_references(theirs),
                    explanation_en=f"{count} payment attempts past the limit, in ten minutes",
                    explanation_ms=f"{count} cubaan bayaran melebihi had dalam sepuluh minit",
                )
            )
    return found


def cashier_refunds(facts: Sequence[Fact], bounds: Thresholds = THRESHOLDS) -> list[Suspicion]:
    """Find people who give back far more often than the others of their shop, or too often at all.

    The middle and the spread are medians, which one odd person does not move. Where all others
    do the same, one refund counts as one deviation.
    """
    found = []
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for fact in facts:
        counts[fact.merchant_id][fact.subject] += 1
    for (shop, person), theirs in _by_subject(facts).items():
        mine = counts[shop][person]
        others = [count for who, count in counts[shop].items() if who != person]
        odd = len(others) >= bounds.refunds_peers_least and _robust_z(mine, others) > float(
            bounds.refunds_robust_z
        )
        if odd or mine > bounds.refunds_a_day:
            found.append(
                Suspicion(
                    detector=Detector.CASHIER_REFUNDS,
                    merchant_id=shop,
                    subject=person,
                    score=mine,
                    evidence=_references(theirs),
                    explanation_en=f"{mine} refunds by one person in a day",
                    explanation_ms=f"{mine} bayaran balik oleh seorang dalam sehari",
                )
            )
    return found


def _robust_z(value: int, others: Sequence[int]) -> float:
    middle = median(others)
    spread = median(abs(other - middle) for other in others)
    return (value - middle) / max(MAD_TO_SIGMA * spread, 1.0)


def device_coupons(facts: Sequence[Fact], bounds: Thresholds = THRESHOLDS) -> list[Suspicion]:
    """Find a phone that uses coupons all day, and a till at which they rain in an hour."""
    found = []
    for (shop, device), theirs in _by_subject(facts).items():
        phone = device.startswith(PHONE)
        most = bounds.coupons_a_phone_day if phone else bounds.coupons_a_till_hour
        once = list({fact.ref: fact for fact in reversed(theirs)}.values())[::-1]
        count = _most_within(once, DAY_MS if phone else HOUR_MS)
        if count > most:
            found.append(
                Suspicion(
                    detector=Detector.DEVICE_COUPONS,
                    merchant_id=shop,
                    subject=device,
                    score=count,
                    evidence=_references(theirs),
                    explanation_en=f"{count} coupons by one device "
                    f"{'in a day' if phone else 'in an hour'}",
                    explanation_ms=f"{count} kupon oleh satu peranti "
                    f"{'sehari' if phone else 'sejam'}",
                )
            )
    return found


def _most_within(facts: Sequence[Fact], span_ms: int) -> int:
    """Count the most facts that any span of time holds; they come in its order."""
    most = first = 0
    for last, fact in enumerate(facts):
        while fact.at_ms - facts[first].at_ms >= span_ms:
            first += 1
        most = max(most, last - first + 1)
    return most


def address_shared(facts: Sequence[Fact], bounds: Thresholds = THRESHOLDS) -> list[Suspicion]:
    """Find a wallet that one person after another calls theirs."""
    found = []
    for (shop, wallet), theirs in _by_subject(facts).items():
        people = {fact.ref for fact in theirs}
        if len(people) > bounds.people_an_address:
            found.append(
                Suspicion(
                    detector=Detector.ADDRESS_SHARED,
                    merchant_id=shop,
                    subject=wallet,
                    score=len(people),
                    evidence=_references(theirs),
                    explanation_en=f"{len(people)} people have linked one wallet in thirty days",
                    explanation_ms=f"{len(people)} orang memaut satu dompet dalam tiga puluh hari",
                )
            )
    return found


def outside_hours(
    facts: Sequence[Fact],
    hours: Mapping[str, OpeningHours],
    bounds: Thresholds = THRESHOLDS,
) -> list[Suspicion]:
    """Find shops that sell while they are shut. One that tells no hours is never shut."""
    found = []
    for (shop, seller), theirs in _by_subject(facts).items():
        open_at = hours.get(shop)
        odd = [
            fact
            for fact in theirs
            if open_at is not None and not open_at.is_open(fact.at_ms, bounds.hours_grace_ms)
        ]
        if len(odd) > bounds.sales_outside_hours:
            found.append(
                Suspicion(
                    detector=Detector.OUTSIDE_HOURS,
                    merchant_id=shop,
                    subject=seller,
                    score=len(odd),
                    evidence=_references(odd),
                    explanation_en=f"{len(odd)} sales outside opening hours",
                    explanation_ms=f"{len(odd)} jualan di luar waktu operasi",
                )
            )
    return found


def caller_errors(facts: Sequence[Fact], bounds: Thresholds = THRESHOLDS) -> list[Suspicion]:
    """Find keys and tills of which request after request is wrong: a bug, or somebody who tries."""
    found = []
    for (shop, caller), theirs in _by_subject(facts).items():
        if len(theirs) > bounds.caller_errors:
            count, codes = len(theirs), Counter(fact.ref for fact in theirs)
            found.append(
                Suspicion(
                    detector=Detector.CALLER_ERRORS,
                    merchant_id=shop,
                    subject=caller,
                    score=count,
                    evidence=tuple(code for code, _ in codes.most_common(EVIDENCE_MAX)),
                    explanation_en=f"{count} wrong requests in five minutes",
                    explanation_ms=f"{count} permintaan salah dalam lima minit",
                )
            )
    return found


def settlement_drift(books: Sequence[DayBooks], bounds: Thresholds = THRESHOLDS) -> list[Suspicion]:
    """Find shops whose orders say another sum than the payments on the chain.

    Each order is compared by its own quote, so that no drift is hidden by another one's opposite.
    """
    drifts: defaultdict[str, list[tuple[DayBooks, int]]] = defaultdict(list)
    for book in books:
        units = abs(book.booked_units - book.came_units)
        if units:
            # A gift has no price: its milk is what it is worth.
            sen = -(-units * book.amount_sen // max(book.amount_units, 1))
            drifts[book.merchant_id].append((book, sen))
    found = []
    for shop, theirs in sorted(drifts.items()):
        total = sum(sen for _, sen in theirs)
        if total > bounds.drift_sen:
            evidence = tuple(book.order_id for book, _ in theirs)[:EVIDENCE_MAX]
            found.append(
                Suspicion(
                    detector=Detector.SETTLEMENT_DRIFT,
                    merchant_id=shop,
                    subject=f"merchant:{shop}",
                    score=total,
                    evidence=evidence,
                    explanation_en=f"books and chain differ by RM {total / 100:.2f}",
                    explanation_ms=f"akaun dan rantaian berbeza RM {total / 100:.2f}",
                )
            )
    return found
