"""`python -m tests.fuzz`: the codec's laws for minutes instead of seconds, from a seed.

Takes every type, reader and body in turn. What fails is printed with the seed of that one case,
which `--case` runs again, and the exit code is 1.
"""

import argparse
import secrets
import sys
import time
import traceback
from collections.abc import Callable
from random import Random

from ledger.primitives.numerals import read_decimal, read_whole
from ledger.rules import LAWS
from tests.support.encoding.laws import Programs, check_type, make_readers
from tests.support.encoding.types import encoded_types

Case = Callable[[Random], None]
FAILURES_MAX = 20


def cases() -> dict[str, Case]:
    """List what is fuzzed, by name."""
    programs = Programs()
    found: dict[str, Case] = {}
    for name, kind in encoded_types().items():
        found[f"type {name}"] = lambda random, name=name, kind=kind: check_type(name, kind, random)
    for name, reader in make_readers().items():
        found[f"reader {name}"] = reader.check
    for kind in LAWS:
        found[f"body {kind.__name__}"] = lambda random, kind=kind: programs.check(kind, random)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=read_decimal, default=1)
    parser.add_argument(
        "--seed", type=read_whole, default=None, help="the same seed, the same cases"
    )
    parser.add_argument("--only", default="", help="fuzz what has this in its name")
    parser.add_argument("--case", default="", help="run one case again, as it was printed")
    asked = parser.parse_args()
    found = {name: case for name, case in cases().items() if asked.only in name}
    if asked.case:
        name, _, seed = asked.case.rpartition("#")
        found[name](Random(read_whole(seed)))
        return 0
    seed = secrets.randbits(32) if asked.seed is None else asked.seed
    done, failed = fuzz(found, Random(seed), 60 * asked.minutes)
    print(f"{done:,} cases of {len(found)} kinds from seed {seed}: {len(failed)} kinds failed")
    return 1 if failed else 0


def fuzz(found: dict[str, Case], seeds: Random, duration_s: float) -> tuple[int, set[str]]:
    """Run until the time is up; give how many cases ran, and the names of those that failed."""
    done, failed = 0, set()
    end = time.monotonic() + duration_s
    while time.monotonic() < end and len(failed) < FAILURES_MAX:
        for name, case in found.items():
            seed = seeds.getrandbits(48)
            done += 1
            try:
                case(Random(seed))
            except Exception:  # Whatever it is: that is what is looked for.
                if name not in failed:
                    print(f"--case '{name}#{seed}'\n{traceback.format_exc(limit=-4)}", flush=True)
                failed.add(name)
    return done, failed


if __name__ == "__main__":
    sys.exit(main())
