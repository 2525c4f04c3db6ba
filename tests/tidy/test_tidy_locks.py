"""The lock files: complete, exact, with hashes, and silent about where packages come from."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-build.lock")
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^ ;\\]+)")


def entries(name: str) -> list[str]:
    """Give each requirement with its continuation lines joined."""
    text = (ROOT / name).read_text("utf-8").replace("\\\n", " ")
    return [line.strip() for line in text.splitlines() if line.strip() and line[0] != "#"]


def pins(name: str) -> dict[str, str]:
    found = (PIN.match(entry) for entry in entries(name))
    return {canonical(match[1]): match[2] for match in found if match}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("name", LOCKS)
def test_every_requirement_is_exact_and_carries_hashes(name):
    assert entries(name)
    loose = [
        entry[:60]
        for entry in entries(name)
        if not PIN.match(entry) or not re.search(r"--hash=sha256:[0-9a-f]{64}", entry)
    ]
    assert not loose


@pytest.mark.parametrize("name", LOCKS)
def test_no_lock_says_where_packages_come_from(name):
    assert "://" not in (ROOT / name).read_text("utf-8")


def test_the_locks_hold_every_declared_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = project["project"]["dependencies"]
    extras = project["project"]["optional-dependencies"]
    runtime, dev, build = (pins(name) for name in LOCKS)

    def missing(requirements, lock):
        names = [canonical(re.match(r"[A-Za-z0-9._-]+", text)[0]) for text in requirements]
        return [name for name in names if name not in lock]

    assert not missing(wanted, runtime)
    assert not missing([*wanted, *extras["dev"], *extras["loadtest"]], dev)
    assert not missing(project["build-system"]["requires"], build)


def test_the_locks_agree_with_each_other():
    runtime, dev = pins("requirements.lock"), pins("requirements-dev.lock")
    assert {name: dev.get(name) for name in runtime} == runtime
