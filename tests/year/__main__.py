"""`make year`: an honest plant's year, and each cause of trouble by itself; prints and writes JSON.

Usage: python -m tests.year [--days=365] [--seed=1] [--out=bench-results/year.json] [--causes]

Two years take some half an hour of one core.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

from ledger.primitives.numerals import read_whole
from tests.year.plant import YEAR, Causes
from tests.year.works import Works

YEARS: Final = {
    "clocks 1 s apart": replace(YEAR, skew_ms=1_000),
    "clocks 5 s apart": YEAR,
}
ALONE: Final = {
    "nothing but starts and stops": Causes(),
    "two cold dips a day": Causes(dips=200),
    "the same, clocks 1 s apart": Causes(dips=200, skew_ms=1_000),
    "the same, clocks 2 s apart": Causes(dips=200, skew_ms=2_000),
    "the same, clocks 5 s apart": Causes(dips=200, skew_ms=5_000),
    "a valve that chatters twice a day": Causes(chatters=200),
    "cleaning, a gauge that errs by a step": Causes(cleaning=True, gauge_noise=1),
    "a probe exchanged a week": Causes(exchanges=True),
    "an instrument restarted a day, 20 s off": Causes(restarts=100),
    "an instrument restarted each night": Causes(idle_restarts=100),
    "a journal lost in three days": Causes(lost_journals=34),
    "3 h without network a day": Causes(outages=100),
    "calibrations renewed every 2 days": Causes(renewals=2),
    "a farm's permit lapsed in three days": Causes(lapses=34),
    "30 of 100 milkings told up to 23 h late": Causes(late=30),
}


def report(works: Works, days: int, seconds: float) -> dict[str, object]:
    """Give the figures of some days, in litres."""
    found, line = works.reckoning, works.chain.line()
    return {
        "days": days,
        "windows": found.windows,
        "true_l": round(found.true_ml / 1_000, 3),
        "minted_l": round(found.minted_units / 10**6, 3),
        "lost_ppm": round(found.lost_ppm, 1),
        "by_law_ppm": round(found.by_law_ppm, 1),
        "lost_l": {name: round(ml / 1_000, 3) for name, ml in found.lost.most_common()},
        "lost_unseen_l": round(found.unseen_ml / 1_000, 3),
        "lost_for_want_of_milk_l": round(found.short_ml / 1_000, 3),
        "lost_at_once_l": {name: round(ml / 1_000, 3) for name, ml in found.most.items()},
        "events": dict(sorted(works.happened.items())),
        "counted_though_not_good_l": round(found.false_ml / 1_000, 3),
        "diverted_l": round(found.diverted_ml / 1_000, 3),
        "cleaning_l": round(found.cleaned_ml / 1_000, 3),
        "unclaimed_h": round((works.now_ms - line.through_ms) / 3_600_000, 2),
        "latest_claim_h": round(found.delay_ms / 3_600_000, 2),
        "refused": works.chain.refusals,
        "unexplained": found.told,
        "causes": asdict(works.causes),
        "seconds": round(seconds, 1),
    }


def live(causes: Causes, days: int, seed: int) -> Iterator[dict[str, object]]:
    """Let a plant live for some days; give the figures each week, and at the end."""
    begun, works = time.monotonic(), Works(causes, seed)
    for day in range(1, days + 1):
        works.day()
        if day % 7 == 0 or day == days:
            yield report(works, day, time.monotonic() - begun)


def show(name: str, figures: dict[str, object]) -> None:
    """Print a row of the table."""
    lost = ", ".join(f"{cause} {litres}" for cause, litres in figures["lost_l"].items())
    print(
        f"| {name} | {figures['true_l']:,.0f} | {figures['minted_l']:,.0f} "
        f"| {figures['lost_ppm']:.0f} | {figures['by_law_ppm']:.0f} | {lost} |",
        flush=True,
    )


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.year")
    parser.add_argument("--days", type=read_whole, default=365)
    parser.add_argument("--seed", type=read_whole, default=1)
    parser.add_argument("--out", type=Path, default=Path("bench-results/year.json"))
    parser.add_argument("--causes", action="store_true", help="each cause by itself, ten days")
    asked = parser.parse_args()
    cases = ALONE if asked.causes else YEARS
    days = 10 if asked.causes else asked.days
    print("| what | L truly good | L minted | lost ppm | by the law | lost L, near to |")
    print("|---|---|---|---|---|---|")
    found = {}
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    for name, causes in cases.items():
        for figures in live(causes, days, asked.seed):
            found[name] = figures
            if figures["days"] == days or not asked.causes:
                show(f"{name}: {figures['days']} days", figures)
            asked.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
