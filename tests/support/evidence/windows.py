"""What tests of windows do with a rig: claim and check, and let one instrument show otherwise."""

from collections.abc import Callable

from ledger.evidence import check_window, claim_window, reach, trim_bundle
from ledger.types.evidence import Instrument, MilkKind
from ledger.types.window import WindowClaim
from tests.support.evidence.rig import START_MS, LineRig, good_value


def claim_all(rig: LineRig, to_ms: int | None = None, **freedom: object) -> WindowClaim:
    """Claim all up to a time after the start, or as far as can be; an attestor must agree."""
    facts, bundle = rig.facts, rig.bundle()
    end_ms = reach(facts, bundle) if to_ms is None else START_MS + to_ms
    claim = claim_window(facts, bundle, MilkKind.WHOLE, end_ms, **freedom)  # type: ignore[arg-type]
    check_window(facts, claim, trim_bundle(facts, bundle, claim))
    return claim


def but(kind: Instrument, wrong: Callable[[int], int | None]) -> Callable[[Instrument, int], int]:
    """Let one instrument show something else at times."""

    def value(instrument: Instrument, at_ms: int) -> int:
        found = wrong(at_ms) if instrument is kind else None
        return good_value(instrument, at_ms) if found is None else found

    return value


def between(since_ms: int, until_ms: int, shown: int) -> Callable[[int], int | None]:
    """Show something else from one time to another."""
    return lambda at_ms: shown if since_ms <= at_ms < until_ms else None
