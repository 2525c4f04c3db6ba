"""Key files: for the owner's eyes only, never overwritten, never shown."""

import stat

import pytest

from ledger.primitives.keys import SigningKey
from node.errors import BadKeyFile
from node.home.key_file import make_seed, read_key, read_seed, write_key


def test_a_key_written_is_the_key_read_and_nobody_elses_to_read(tmp_path):
    path, seed = tmp_path / "keys" / "a.key", make_seed()
    write_key(path, seed)
    assert read_seed(path) == seed
    assert read_key(path).public == SigningKey(seed).public
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_key_is_never_overwritten(tmp_path):
    path = tmp_path / "a.key"
    write_key(path, make_seed())
    before = path.read_bytes()
    with pytest.raises(BadKeyFile, match="exists"):
        write_key(path, make_seed())
    assert path.read_bytes() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o601])
def test_a_key_open_to_others_is_refused(tmp_path, mode):
    path = tmp_path / "a.key"
    write_key(path, make_seed())
    path.chmod(mode)
    with pytest.raises(BadKeyFile, match=f"mode {mode:04o}"):
        read_key(path)


@pytest.mark.parametrize("content", ["", "xyz", "00" * 31, "00" * 33, "é" * 64, "00 " * 32])
def test_what_is_no_seed_is_refused_without_being_shown(tmp_path, content):
    path = tmp_path / "a.key"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(BadKeyFile) as caught:
        read_key(path)
    assert not content or content not in str(caught.value)


def test_a_missing_key_is_a_fault(tmp_path):
    with pytest.raises(BadKeyFile, match="can't be read"):
        read_key(tmp_path / "none.key")


def test_two_seeds_differ():
    assert make_seed() != make_seed()
