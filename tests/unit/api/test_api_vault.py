"""Secrets are files of their owner's alone; what is sealed opens at its own place alone."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import ConfigFault
from api.vault.blind import Purpose, blind_index, fold
from api.vault.files import ApiSecrets, load_secrets, make_secrets, subkey, turn_ring
from api.vault.sealing import DataKey, Unsealable, draw_data_key, master_of, unwrap, wrap

MASTERS = {1: bytes(32), 2: bytes(range(32))}


def test_every_secret_is_a_file_that_its_owner_alone_may_read(tmp_path):
    made = make_secrets(tmp_path)
    files = sorted(path.name for path in made.folder.iterdir())
    assert files == ["index.key", "jwt-1.key", "master-1.key", "pin.key", "session.key"]
    assert {path.stat().st_mode & 0o777 for path in made.folder.iterdir()} == {0o600}
    assert made.folder.stat().st_mode & 0o777 == 0o700
    values = [*made.jwt.values(), *made.masters.values(), made.index, made.session, made.pin]
    assert len({*values}) == 5
    assert all(len(value) == 32 for value in values)


def test_secrets_that_are_there_are_kept(tmp_path):
    assert make_secrets(tmp_path) == make_secrets(tmp_path) == load_secrets(tmp_path)


@pytest.mark.parametrize("name", ["index", "session", "pin", "jwt-1", "master-1"])
def test_a_home_that_lacks_a_secret_is_refused_rather_than_given_a_new_one(tmp_path, name):
    make_secrets(tmp_path)
    (tmp_path / "secrets" / f"{name}.key").unlink()
    with pytest.raises(ConfigFault, match="billcoin api init"):
        load_secrets(tmp_path)


def test_a_secret_that_others_may_read_is_refused_and_not_quoted(tmp_path):
    path = make_secrets(tmp_path).folder / "index.key"
    os.chmod(path, 0o640)
    with pytest.raises(ConfigFault, match="open to other users") as told:
        load_secrets(tmp_path)
    assert path.read_text("ascii").strip() not in str(told.value)


def test_no_repr_shows_a_secret(tmp_path):
    made = make_secrets(tmp_path)
    key = draw_data_key("01J")
    for secret, holder in ((made.index, made), (made.masters[1], made), (key.key, key)):
        assert secret.hex() not in repr(holder)
        assert repr(secret) not in repr(holder)


def test_a_ring_that_turns_keeps_the_keys_before_it_as_long_as_it_is_told_to(tmp_path):
    first = make_secrets(tmp_path)
    assert turn_ring(tmp_path, "jwt", keep=1) == 2
    assert turn_ring(tmp_path, "jwt", keep=1) == 3
    ring = load_secrets(tmp_path).jwt
    assert list(ring) == [2, 3]
    assert turn_ring(tmp_path, "master", keep=100) == 2
    assert load_secrets(tmp_path).masters[1] == first.masters[1]
    assert make_secrets(tmp_path).jwt == ring, "a ring that has turned begins no second one"


def test_uses_of_one_secret_have_different_keys():
    assert (
        len({subkey(bytes(32), label) for label in ("a", "b", "refresh/next", "refresh/tag")}) == 4
    )


@given(st.binary(max_size=200))
def test_what_is_sealed_opens_at_its_place(plain):
    key = draw_data_key("01HUSER")
    assert key.unseal("users", "profile", key.seal("users", "profile", plain)) == plain


def test_what_is_sealed_opens_nowhere_else():
    key = draw_data_key("01HUSER")
    sealed = key.seal("users", "profile", b"Aminah")
    carried = [
        (key, "users", "address", sealed),
        (key, "wallet_links", "profile", sealed),
        (DataKey("01HOTHER", 1, key.key), "users", "profile", sealed),
        (DataKey("01HUSER", 2, key.key), "users", "profile", sealed),
        (draw_data_key("01HUSER"), "users", "profile", sealed),
        (key, "users", "profile", sealed[:-1]),
        (key, "users", "profile", sealed[:20] + bytes([sealed[20] ^ 1]) + sealed[21:]),
        (key, "users", "profile", b""),
    ]
    for holder, table, column, raw in carried:
        with pytest.raises(Unsealable):
            holder.unseal(table, column, raw)


def test_one_value_is_never_sealed_twice_alike():
    key = draw_data_key("01HUSER")
    assert len({key.seal("t", "c", b"same") for _ in range(50)}) == 50


def test_the_newest_master_wraps_and_all_unwrap():
    key = draw_data_key("01HUSER")
    old = wrap({1: MASTERS[1]}, key)
    new = wrap(MASTERS, key)
    assert (master_of(old), master_of(new)) == (1, 2)
    assert unwrap(MASTERS, "01HUSER", 1, old) == unwrap(MASTERS, "01HUSER", 1, new) == key
    with pytest.raises(Unsealable):
        unwrap({1: MASTERS[1]}, "01HUSER", 1, new)
    with pytest.raises(Unsealable):
        unwrap(MASTERS, "01HOTHER", 1, new)


def test_an_index_finds_one_value_for_one_purpose_under_one_key():
    values = {
        blind_index(key, purpose, value)
        for key in (bytes(32), bytes(31) + b"\1")
        for purpose in Purpose
        for value in (b"a", b"b")
    }
    assert len(values) == 2 * len(Purpose) * 2
    assert all(len(value) == 32 for value in values)


def test_what_people_type_alike_is_found_alike():
    assert fold(" Ａminah@MMU.edu.my ") == fold("aminah@mmu.edu.my")
    assert fold("aminah") != fold("amina")


def test_an_empty_set_of_secrets_shows_nothing(tmp_path):
    assert "index" not in repr(ApiSecrets(tmp_path, index=b"index"))
