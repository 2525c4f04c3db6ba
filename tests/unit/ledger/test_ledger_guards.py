"""The law does not run without its last guards."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(("level", "works"), [("", True), ("1", False)])
def test_nothing_runs_where_assertions_are_stripped(level, works):
    environment = os.environ | {"PYTHONOPTIMIZE": level, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", "import ledger"], env=environment, capture_output=True, text=True
    )
    assert (done.returncode == 0) is works
    assert works or "assertions" in done.stderr
