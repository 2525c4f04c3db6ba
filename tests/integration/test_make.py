"""The Makefile, run: it removes what it made and nothing else, and mends what is half made."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path):
    """A folder with the Makefile alone; its name has a blank, as folders of people's have."""
    made = tmp_path / "a folder"
    made.mkdir()
    shutil.copy(ROOT / "Makefile", made)
    return made


def make(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: text for name, text in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", *arguments],
        cwd=folder,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def filled(path: Path, layout: str | None) -> Path:
    path.mkdir(parents=True)
    (path / "kept").write_text("precious")
    if layout is not None:
        (path / "layout.json").write_text(layout)
    return path


def test_clean_removes_the_one_testnet_it_was_told_of_blank_and_all(folder, tmp_path):
    net = filled(tmp_path / "my net", '{"version":1,"chain_id":"ab"}')
    others = [filled(tmp_path / "my", None), filled(folder / "net", None)]
    done = make(folder, "clean", f"TESTNET={net}")
    assert done.returncode == 0, done.stderr
    assert not net.exists()
    assert all((other / "kept").exists() for other in others)


@pytest.mark.parametrize("layout", [None, '{"name":"a web page"}'], ids=["none", "another's"])
def test_clean_refuses_what_is_no_testnet_and_removes_nothing_at_all(folder, tmp_path, layout):
    photos = filled(tmp_path / "photos", layout)
    mine = filled(folder / "build", None)
    done = make(folder, "clean", f"TESTNET={photos}")
    assert done.returncode != 0
    assert f"{photos} is no testnet" in done.stderr
    assert (photos / "kept").exists()
    assert (mine / "kept").exists()


def test_clean_without_a_testnet_removes_what_was_built(folder):
    mine = filled(folder / "build", None)
    assert make(folder, "clean").returncode == 0
    assert not mine.exists()


def test_of_pip_s_environment_only_the_way_to_a_registry_goes_on(folder):
    stray = {"PIP_USER": "1", "PIP_TARGET": "/elsewhere", "PIP_NO_BINARY": ":all:"}
    done = make(folder, "--eval=show: ; @env", "show", **stray, PIP_CERT="/a/cert")
    told = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    assert not stray.keys() & told.keys()
    assert told["PIP_CERT"] == "/a/cert"


@pytest.mark.parametrize("left", ["nothing", "a python that fails", "a python that is gone"])
def test_an_environment_that_was_left_half_made_is_made_anew(folder, left):
    python = folder / ".venv" / "bin" / "python"
    if left != "nothing":
        python.parent.mkdir(parents=True)
    if left == "a python that fails":
        python.write_text("#!/bin/sh\nexit 1\n")
        python.chmod(0o755)
    if left == "a python that is gone":
        python.symlink_to(folder / "was here once")
        (folder / ".venv" / ".made").touch()
    done = make(folder, ".venv/.made", f"PYTHON={sys.executable}")
    assert done.returncode == 0, done.stderr
    subprocess.run([python, "-m", "pip", "--version"], check=True, capture_output=True)
    again = make(folder, ".venv/.made", f"PYTHON={sys.executable}")
    assert "up to date" in again.stdout


def test_a_python_that_does_not_serve_is_refused_in_one_line_with_the_remedy(folder):
    old = folder / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = make(folder, ".venv/.made", f"PYTHON={old}")
    assert done.returncode != 0
    assert f"{old} does not serve. Name another: make setup PYTHON=" in done.stderr
    assert not (folder / ".venv").exists()
