"""Hold every package to its floor of covered lines: `python tests/tidy/coverage_floors.py FILE`.

FILE is what `coverage json` writes. Exits 1 and names each package below its floor.
"""

import json
import sys
from pathlib import Path

FLOORS = {
    "ledger": 90,
    "consensus": 95,
    "node/core": 90,
    "node": 80,
    "iot_minting": 80,
    "api": 80,
    "simulator": 80,
}


def package_of(path: str) -> str | None:
    """Give the most exact package that has a floor."""
    fits = [name for name in FLOORS if Path(path).is_relative_to(name)]
    return max(fits, key=len, default=None)


def measure(report: dict) -> dict[str, tuple[int, int]]:
    """Sum (covered, all) lines by package."""
    sums = dict.fromkeys(FLOORS, (0, 0))
    for path, entry in report["files"].items():
        package = package_of(path)
        if package is not None:
            covered, lines = sums[package]
            summary = entry["summary"]
            sums[package] = (
                covered + summary["covered_lines"],
                lines + summary["num_statements"],
            )
    return sums


def main(path: str) -> int:
    """Print a table; give the exit code."""
    low = 0
    for name, (covered, lines) in measure(json.loads(Path(path).read_text())).items():
        percent = 100 * covered / lines if lines else 0.0
        verdict = "ok" if percent >= FLOORS[name] else "BELOW ITS FLOOR"
        low += percent < FLOORS[name]
        print(f"{name:<12} {percent:6.1f} %  floor {FLOORS[name]} %  {verdict}")
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
