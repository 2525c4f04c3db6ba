"""docs/partners.md, run as it stands: from an empty folder to a validated payment and a webhook."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tidy.repository import ROOT

PAGE = ROOT / "docs/partners.md"
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
RUN_S = 1000

pytestmark = pytest.mark.timeout(1200)


def blocks(language: str) -> str:
    found = BLOCK.findall(PAGE.read_text("utf-8"))
    return "\n".join(text for kind, text in found if kind == language)


def end_network(folder: Path) -> None:
    """End what the page has started, should it have stopped halfway."""
    billcoin = Path(sys.executable).parent / "billcoin"
    subprocess.run([billcoin, "testnet", "down", "--dir", folder], capture_output=True, check=False)


def test_the_page_leads_from_nothing_to_a_validated_payment(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(blocks("python"), "utf-8")
    here = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": f"{here}{os.pathsep}{os.environ['PATH']}"}
    running = subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", blocks("sh")],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = running.communicate(timeout=RUN_S)
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGINT)
        raise
    finally:
        end_network(tmp_path / "net")
    assert running.returncode == 0, said
    lines = said.splitlines()
    assert "done" in lines
    assert any(line.startswith("valid: True") for line in lines)
    assert any(line.split() == ["late", "paid", "paid_late"] for line in lines), said
    assert any(line.split() == ["twice", "paid", "duplicate"] for line in lines), said
    assert any(line.startswith("webhook evt_") for line in lines)


def test_the_page_is_all_there() -> None:
    assert len(BLOCK.findall(PAGE.read_text("utf-8"))) >= 12
