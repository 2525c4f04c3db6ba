"""`python -m loadtest`: measure the running whole, show tables, draw plots.

Exit codes: 0 measured, 1 the network under test failed, 2 the command line was wrong.
"""

import argparse
import sys
from pathlib import Path
from typing import Final

from loadtest import system
from loadtest.network import NetworkFault
from loadtest.plots import draw_all
from loadtest.report import load, print_table, save

PARTS: Final = ("transfers", "payments", "burst", "ingest")


def main() -> int:
    """Read the command line and do it."""
    parser = argparse.ArgumentParser(prog="python -m loadtest", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("bench-results"), help="where JSON goes")
    commands = parser.add_subparsers(dest="command", required=True)
    measure = commands.add_parser("system", help="measure a testnet that is made for it")
    measure.add_argument(
        "parts",
        nargs="*",
        choices=[*PARTS, []],
        metavar="PART",
        help=f"all of {PARTS}, unless named",
    )
    measure.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    measure.add_argument("--dir", type=Path, help="keep the network in this folder")
    measure.add_argument("--json", action="store_true", help="print the report as JSON")
    show = commands.add_parser("show", help="print the table of a report")
    show.add_argument("report", type=Path)
    plots = commands.add_parser("plots", help="draw the plots of the reports as SVG")
    plots.add_argument("--to", type=Path, default=Path("docs/performance"))
    asked = parser.parse_args()
    if asked.command == "show":
        print_table(load(asked.report))
    elif asked.command == "plots":
        draw_all(asked.out, asked.to)
    else:
        plan = system.QUICK if asked.quick else system.Plan()
        try:
            report = system.run(tuple(asked.parts) or PARTS, plan, asked.dir)
        except NetworkFault as fault:
            print(f"loadtest: {fault}", file=sys.stderr)  # noqa: T201 - a command says why
            return 1
        save(report, asked.out)
        print_table(report, as_json=asked.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
