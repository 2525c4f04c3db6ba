"""Lines behind a greenlet's switch are counted where a run says that there are any."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = {
    "pyproject.toml": """
        [tool.pytest.ini_options]
        pythonpath = ["."]
        [tool.coverage.run]
        core = "sysmon"
        parallel = true
        include = ["seen_*.py"]
        disable_warnings = ["no-sysmon"]
    """,
    "conftest.py": """
        from pathlib import Path
        from tests.support.system.counting import GreenletCounting, counts_by_tracer

        def pytest_configure(config):
            if counts_by_tracer(config):
                folder = Path(__file__).parent / "switching"
                config.pluginmanager.register(GreenletCounting([folder]))
    """,
    "library.py": """
        from greenlet import getcurrent

        def waits():
            getcurrent().parent.switch()

        def asks():
            waits()

        def begins():
            asks()
    """,
    "seen_switching.py": """
        from greenlet import greenlet
        import library

        def begun():
            task = greenlet(library.begins)
            task.switch()
            return task

        def told():
            task = begun()
            told = 1
            told += 1
            return task, told
    """,
    "seen_plain.py": """
        def told():
            return "plain"
    """,
    "switching/test_switching.py": """
        import seen_switching

        def test_it():
            assert seen_switching.told()
    """,
    "plain/test_plain.py": """
        import seen_plain

        def test_it():
            assert seen_plain.told()
    """,
}


@pytest.mark.parametrize("workers", [(), ("-n", "2", "--dist", "loadfile")], ids=["one", "two"])
def test_what_runs_behind_a_switch_is_counted(tmp_path, workers):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("\n".join(line[8:] for line in text.splitlines()[1:]))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "plain", "switching", *workers),
            *("--cov", "--cov-report=json:lines.json", "-p", "no:cacheprovider"),
        ],
        cwd=tmp_path,
        env={
            **{name: text for name, text in os.environ.items() if not name.startswith("COV")},
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    files = json.loads((tmp_path / "lines.json").read_text())["files"]
    assert set(files["seen_switching.py"]["executed_lines"]) >= {10, 11, 12, 13}
    assert files["seen_plain.py"]["missing_lines"] == []
