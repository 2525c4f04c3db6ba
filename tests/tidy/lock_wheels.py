"""Ask the registry whether each Python and machine that we serve finds the locked wheels.

`python tests/tidy/lock_wheels.py` resolves the lock files for each, by hash, and installs nothing.
Exits 0 if all are served, 1 and says what is missing if not, 3 if the registry is out of reach.
"""

import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements-build.lock", "requirements-dev.lock")
LINUX, LINUX_ARM, MAC = "x86_64-manylinux_2_28", "aarch64-manylinux_2_28", "aarch64-apple-darwin"
SERVED = [
    ("3.11", LINUX),
    *(
        (python, system)
        for python in ("3.12", "3.13", "3.14")
        for system in (LINUX, LINUX_ARM, MAC)
    ),
]
# These two exist as source only: pure Python, built without a compiler.
SOURCES = ("python-baseconv", "varint")
OUT_OF_REACH = ("Failed to fetch", "error sending request", "Could not connect", "dns error")
AT_ONCE = 2


def resolve(python: str, system: str) -> str:
    """Give what stands in the way of a set-up; empty if nothing does."""
    with tempfile.TemporaryDirectory() as nowhere:
        command = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--dry-run"]
        command += ["--target", nowhere, "--python-version", python, "--python-platform", system]
        command += ["--no-deps", "--require-hashes", "--only-binary", ":all:"]
        command += [word for name in SOURCES for word in ("--no-binary", name)]
        command += [word for name in LOCKS for word in ("-r", str(ROOT / name))]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    return "" if done.returncode == 0 else done.stderr.strip()


def main() -> int:
    """Print what is not served; give the exit code."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda pair: resolve(*pair), SERVED))
    missing = 0
    for (python, system), why in zip(SERVED, answers, strict=True):
        if any(sign in why for sign in OUT_OF_REACH):
            print(f"wheels not checked, the registry is out of reach: {why.splitlines()[-1]}")
            return 3
        if why:
            print(f"Python {python} on {system} is not served:\n{why}")
            missing += 1
    print(f"wheels: {len(SERVED) - missing} of {len(SERVED)} Pythons and machines are served")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
