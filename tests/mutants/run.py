"""Break one rule at a time and show that the simulator notices: `python tests/mutants/run.py`.

Prints, for each mutant, how many seeds it took. Exits 1 if one survives its stated number, or if
its text no longer fits the product. `--only NAME` runs one; `--jobs` runs several at once.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ledger.primitives.numerals import read_whole

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(Path(__file__).parent))
from catalogue import DoesNotFit, Mutant, read_mutants  # noqa: E402  # Found beside this file.

COPIED = ("consensus", "ledger", "node", "simulator")
SECONDS_MAX = 900


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant. `seeds` is how many it took; 0 if it survived."""

    mutant: Mutant
    seeds: int
    told: str
    seconds: float


def mutate(root: Path, mutant: Mutant) -> None:
    """Apply a mutant's edits to a copy of the sources."""
    for edit in mutant.edits:
        path = root / edit.path
        path.write_text(edit.apply(path.read_text("utf-8")), "utf-8")


def copy_sources(target: Path) -> None:
    """Copy the packages that the simulator drives."""
    for package in COPIED:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, target / package, ignore=ignored)


def run_mutant(mutant: Mutant) -> Verdict:
    """Run a mutant's seeds until one fails."""
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        root = Path(folder)
        copy_sources(root)
        try:
            mutate(root, mutant)
        except DoesNotFit as fault:
            return Verdict(mutant, 0, f"DOES NOT FIT: {fault}", 0.0)
        failure, seeds = simulate(root, mutant.scenario, f"1..{mutant.seeds}")
    seconds = time.monotonic() - began_s
    if failure is None:
        return Verdict(mutant, 0, "SURVIVED", seconds)
    if failure["breach"].startswith("SIMULATOR"):
        return Verdict(mutant, 0, failure["breach"], seconds)
    unbroken, _ = simulate(ROOT, failure["scenario"], str(failure["seed"]))
    if unbroken is not None:
        told = f"THE PRODUCT ITSELF FAILS seed {failure['seed']}: {unbroken['breach']}"
        return Verdict(mutant, 0, told, seconds)
    return Verdict(mutant, seeds, failure["breach"], seconds)


def simulate(root: Path, scenario: str, seeds: str) -> tuple[dict | None, int]:
    """Run seeds on these sources until one fails; give that failure and how many were run."""
    command = [
        sys.executable,
        "-m",
        "simulator.virtual.cli",
        "run",
        "--json",
        "--stop",
        "--jobs",
        "1",
    ]
    done = subprocess.run(
        [*command, "--scenario", scenario, "--seeds", seeds],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    try:
        line = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        raise RuntimeError(f"the simulator does not run: {done.stderr[-500:]}") from None
    return (line["failures"][0] if line["failures"] else None), line["seeds"]


def main(arguments: Sequence[str]) -> int:
    """Run the mutants; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", help="run this mutant alone")
    parser.add_argument("--jobs", type=read_whole, default=os.cpu_count() or 1)
    chosen = parser.parse_args(arguments)
    mutants = [m for m in read_mutants() if not chosen.only or m.name in chosen.only]
    survivors = []
    with ThreadPoolExecutor(chosen.jobs) as pool:
        for verdict in pool.map(run_mutant, mutants):
            mutant = verdict.mutant
            caught = f"{verdict.seeds:>3} of {mutant.seeds:<3}" if verdict.seeds else "  -      "
            told = verdict.told.replace("\n", " ")[:110]
            print(f"{mutant.name:<34} {mutant.scenario:<26} {caught} {told}", flush=True)
            if not verdict.seeds:
                survivors.append(mutant.name)
    print(f"{len(mutants)} mutants, {len(mutants) - len(survivors)} caught")
    if survivors:
        print("not caught: " + ", ".join(survivors))
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
