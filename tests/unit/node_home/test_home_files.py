"""A home's files: TOML that reads back the same, files that are replaced whole."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.home.key_file import keep_seed, make_seed
from node.home.toml_file import format_toml, read_toml
from node.home.whole_file import write_whole

names = st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
scalars = texts | numbers | st.booleans()
values = scalars | st.lists(scalars, max_size=4)
tables = st.lists(st.dictionaries(names, values, max_size=3), min_size=1, max_size=3)


mappings = st.dictionaries(names, values, max_size=3)


@given(st.dictionaries(names, values | tables | mappings, max_size=6))
def test_what_is_written_as_toml_reads_back_the_same(tmp_path_factory, fields):
    path = tmp_path_factory.mktemp("home") / "config.toml"
    path.write_bytes(format_toml(fields, "A head of one line.").encode())
    assert read_toml(path) == fields


def test_a_file_that_can_not_be_replaced_stays_as_it_was_and_nothing_stays_beside_it(tmp_path):
    held = tmp_path / "config.toml"
    held.mkdir()  # A file does not replace a folder, for root neither.
    with pytest.raises(OSError, match=r"config\.toml"):
        write_whole(held, b"new")
    assert list(tmp_path.iterdir()) == [held]


def test_a_file_with_a_secret_is_its_owners_alone_also_when_it_is_replaced(tmp_path):
    path = tmp_path / "config.toml"
    path.write_bytes(b"old")
    path.chmod(0o644)
    write_whole(path, b"new", 0o600)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_seed_is_drawn_once(tmp_path):
    path, seed = tmp_path / "keys" / "a.key", make_seed()
    assert keep_seed(path, lambda: seed) == keep_seed(path) == seed


def test_what_a_killed_process_left_aside_opens_no_secret(tmp_path):
    path = tmp_path / "config.toml"
    left = tmp_path / f".config.toml.{os.getpid()}"
    left.write_bytes(b"half")
    left.chmod(0o644)
    write_whole(path, b"new", 0o600)
    assert path.stat().st_mode & 0o777 == 0o600
