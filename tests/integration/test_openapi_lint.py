"""The payments service's OpenAPI document, as two strangers' linters see it: without a warning.

They come from npm, at exact versions. Where there is no npm, or it reaches no registry, the test is
skipped and says so; tests/unit/api/test_api_openapi.py holds what the document says all the same.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.tidy.repository import ROOT

DOCUMENT = ROOT / "docs/spec/payments.openapi.json"
REDOCLY = ("@redocly/cli@2.77.0", "redocly")
SPECTRAL = ("@stoplight/spectral-cli@6.16.3", "spectral")

pytestmark = pytest.mark.timeout(600)


def linted(tool: tuple[str, str], folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a tool of npm's; skip the test if it can't be had."""
    npx = shutil.which("npx")
    if npx is None:
        pytest.skip("this machine has no npm")
    package, name = tool
    environment = {**os.environ, "REDOCLY_TELEMETRY": "off", "npm_config_update_notifier": "false"}
    command = [npx, "--yes", "--package", package, name]
    there = subprocess.run(
        [*command, "--version"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if there.returncode:
        pytest.skip(f"{package} can't be had: {there.stderr.strip().splitlines()[-1:]}")
    return subprocess.run(
        [*command, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_redocly_finds_nothing(tmp_path: Path) -> None:
    done = linted(REDOCLY, tmp_path, "lint", "--extends=recommended-strict", str(DOCUMENT))
    assert done.returncode == 0, done.stdout + done.stderr


def test_spectral_finds_nothing(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text('extends: ["spectral:oas"]\n')
    words = ("lint", "--ruleset", str(rules), "--fail-severity=hint", str(DOCUMENT))
    done = linted(SPECTRAL, tmp_path, *words)
    assert done.returncode == 0, done.stdout + done.stderr
