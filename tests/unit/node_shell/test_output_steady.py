"""Text for onlookers: what can't be written is lost, and nothing else."""

import fcntl
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from node.output import steady

BILLCOIN = str(Path(sys.executable).parent / "billcoin")
ASCII = {
    **os.environ,
    "LC_ALL": "C",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "PYTHONIOENCODING": "ascii",
}


@pytest.fixture
def pipe():
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as source, os.fdopen(writer, "w", encoding="ascii") as sink:
        yield source, sink


def test_a_stream_gives_what_it_is_given_and_replaces_what_it_lacks(pipe):
    source, sink = pipe
    print("height – 12", file=steady(sink))
    assert source.readline() == b"height ? 12\n"


def test_a_reader_that_is_gone_costs_the_text_alone(pipe):
    source, sink = pipe
    source.close()
    stream = steady(sink)
    for _ in range(3):
        print("line", file=stream, flush=True)


def test_a_full_disk_costs_the_text_alone():
    with open("/dev/full", "w", encoding="utf-8") as full:
        stream = steady(full)
        print("line", file=stream, flush=True)


def test_a_reader_that_reads_no_more_holds_nobody_up(pipe):
    source, sink = pipe
    stream = steady(sink)
    room = fcntl.fcntl(sink.fileno(), fcntl.F_GETPIPE_SZ)
    for _ in range(2 * room // 1_000):
        stream.write("x" * 999 + "\n")
    os.set_blocking(source.fileno(), False)
    assert 0 < len(source.read(4 * room)) <= room
    print("again", file=stream)
    assert source.read(4 * room).endswith(b"again\n")


def test_a_stream_without_a_descriptor_stays_as_it_is():
    text = io.StringIO()
    assert steady(text) is text
    assert steady(None) is None


def test_a_command_says_any_text_in_a_locale_that_lacks_it(tmp_path):
    home = tmp_path / "Käse – Quark"
    done = subprocess.run(
        [BILLCOIN, "node", "run", "--home", str(home)], env=ASCII, capture_output=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith(b"billcoin: error: ")
    assert done.stderr.count(b"\n") == 1
    assert b"bug" not in done.stderr
