"""When a detector speaks: the one table of thresholds, and the windows that are looked at."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from api.flags.model import Detector

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """More than this is flagged. A test compares the table of `docs/security.md` with it."""

    failed_validations: int = 3
    """Transactions of one payer, within five minutes, that no validation would find good."""
    attempts_refused: int = 5
    """Attempts of one payer past the limit a minute, within ten minutes."""
    refunds_a_day: int = 5
    """Refunds that one person answers for in a day."""
    refunds_robust_z: int = 3
    """So far from the middle of the shop's other people, in robust standard deviations."""
    refunds_peers_least: int = 3
    """With fewer others there is no middle."""
    coupons_a_phone_day: int = 3
    coupons_a_till_hour: int = 20
    people_an_address: int = 2
    """People who have linked one wallet after another, within thirty days."""
    sales_outside_hours: int = 0
    hours_grace_ms: int = 15 * MINUTE_MS
    """A shop may sell so long before it opens and after it has closed."""
    caller_errors: int = 20
    """Requests of one key or till, within five minutes, that were wrong."""
    drift_sen: int = 100
    """Books and chain may differ by so much over all orders of a shop."""


THRESHOLDS: Final = Thresholds()


@dataclass(frozen=True, slots=True)
class WatchTimes:
    """How long a window a detector looks at, and how often."""

    window_ms: int
    every_ms: int


WATCHES: Final[Mapping[Detector, WatchTimes]] = {
    Detector.FAILED_VALIDATIONS: WatchTimes(5 * MINUTE_MS, 1_000),
    Detector.ATTEMPT_RATE: WatchTimes(10 * MINUTE_MS, 1_000),
    Detector.CALLER_ERRORS: WatchTimes(5 * MINUTE_MS, 1_000),
    Detector.DEVICE_COUPONS: WatchTimes(DAY_MS, MINUTE_MS),
    Detector.CASHIER_REFUNDS: WatchTimes(DAY_MS, MINUTE_MS),
    Detector.OUTSIDE_HOURS: WatchTimes(HOUR_MS, MINUTE_MS),
    Detector.ADDRESS_SHARED: WatchTimes(30 * DAY_MS, 10 * MINUTE_MS),
    Detector.SETTLEMENT_DRIFT: WatchTimes(DAY_MS, 10 * MINUTE_MS),
}
