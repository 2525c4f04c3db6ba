"""What `docs/security.md` says is so: its thresholds are the code's, its tests are there."""

import re
from dataclasses import asdict
from pathlib import Path

from api.flags.model import Detector
from api.flags.thresholds import THRESHOLDS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")


def test_the_thresholds_that_are_told_are_those_that_hold() -> None:
    told = {name: int(value) for name, value in re.findall(r"\| `(\w+)` \| (\d+) \|", PAGE)}
    assert told == asdict(THRESHOLDS)
    assert set(re.findall(r"^\| `(\w+)` \| [^|]+\| `", PAGE, re.M)) == set(Detector)


def test_every_attack_that_is_told_of_is_played() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    texts = [path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    there = {name for text in texts for name in re.findall(r"^def (test_\w+)", text, re.M)}
    assert named
    assert not named - there
