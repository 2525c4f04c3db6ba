"""`python -m tests.bench`: what the parts cost, each by itself.

It lives beside the tests because it reaches into every floor, as only tests may; `loadtest`
stands outside and measures the running whole.
"""

import argparse
from pathlib import Path

from loadtest.report import Report, look_at_machine, print_table, save
from tests.bench import (
    commitment_bench,
    consensus_bench,
    core_bench,
    growth_bench,
    ledger_bench,
    minting_bench,
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("suites", nargs="*", default=["micro", "commitment", "growth"])
    parser.add_argument("--out", type=Path, default=Path("bench-results"))
    parser.add_argument("--quick", action="store_true", help="fewer repeats, smaller sizes")
    parser.add_argument("--largest", action="store_true", help="growth up to 10 million accounts")
    asked = parser.parse_args()
    if "micro" in asked.suites:
        report = Report("micro", look_at_machine(), [])
        for part in (ledger_bench, core_bench, consensus_bench, minting_bench):
            report.figures += part.run(asked.quick)
        _finish(report, asked.out)
    if "commitment" in asked.suites:
        sizes = commitment_bench.SIZES[: 1 if asked.quick else None]
        report = Report("commitment", look_at_machine(), [])
        report.figures = commitment_bench.run(sizes)
        _finish(report, asked.out)
    if "growth" in asked.suites:
        sizes = growth_bench.SIZES[: 2 if asked.quick else None]
        report = Report("growth", look_at_machine(), [])
        sizes += (growth_bench.LARGEST,) * asked.largest
        report.figures, report.series["growth"] = growth_bench.run(sizes)
        _finish(report, asked.out)


def _finish(report: Report, folder: Path) -> None:
    save(report, folder)
    print_table(report)


if __name__ == "__main__":
    main()
