"""The rules of people: states, roles and places, passwords, PINs, wallets."""

import itertools

import pytest

from api.access.roles import Role
from api.people.model import LoginMethod, UserEvent, UserState
from api.people.rules import (
    TRANSITIONS,
    WALLETS_MAX,
    may_link,
    next_state,
    password_fault,
    pin_fault,
    place_fault,
)

UNION, KIOSK = "01HUNION", "01HKIOSK"


def test_a_user_moves_by_the_table_and_in_no_other_way():
    allowed = {
        ("invited", "activate", "active"),
        ("active", "activate", "active"),
        ("active", "suspend", "suspended"),
        ("suspended", "reactivate", "active"),
    }
    found = {
        (state, event, next_state(state, event))
        for state, event in itertools.product(UserState, UserEvent)
        if next_state(state, event) is not None
    }
    assert found == allowed
    assert len(TRANSITIONS) == len(allowed)


def test_a_suspended_person_is_not_let_in_by_an_old_invitation():
    assert next_state(UserState.SUSPENDED, UserEvent.ACTIVATE) is None


@pytest.mark.parametrize("role", list(Role))
def test_a_role_is_held_where_it_means_something(role):
    at_union, at_kiosk = place_fault(role, UNION, UNION), place_fault(role, KIOSK, UNION)
    assert bool(at_union) == (role in {Role.CASHIER, Role.MANAGER})
    assert bool(at_kiosk) == (role not in {Role.CASHIER, Role.MANAGER, Role.FINANCE})


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "elevenchars",
        "password1234",
        "PassWord!!2026",
        "aaaaaaaaaaaaaaaa",
        "abcdefghijklmnop",
        "123456789012",
        "qwertyqwertyqwerty",
        "billcoin-manager-2026",
        "susu susu susu susu",
        "Mithila-Union-1",
        "aminah.aminah.99",
        "hidden\x00character-here",
        "x" * 129,
    ],
)
def test_what_is_guessed_first_is_no_password(password):
    assert password_fault(password, ("Mithila", "Union", "aminah"))


@pytest.mark.parametrize(
    "password",
    ["correct horse battery", "tiga ekor lembu putih", "9fK!x2qpLz0w", "hutan-bakau-petang"],
)
def test_a_few_words_of_ones_own_are_a_password(password):
    assert not password_fault(password, ("Mithila", "Union", "aminah"))


@pytest.mark.parametrize(
    "pin",
    ["000000", "123456", "987654", "246802", "121212", "123123", "12345", "1234567", "12345a",
     "１２３４５６", " 12345", "901234"],
)  # fmt: skip
def test_what_is_guessed_first_is_no_pin(pin):
    assert pin_fault(pin)


@pytest.mark.parametrize("pin", ["407193", "582016", "730194"])
def test_six_digits_without_a_pattern_are_a_pin(pin):
    assert not pin_fault(pin)


def test_the_first_wallet_needs_no_wallet_and_the_next_does():
    for method in LoginMethod:
        assert not may_link(0, method)
    for count in range(1, WALLETS_MAX):
        assert not may_link(count, LoginMethod.WALLET)
        assert "rebind" in may_link(count, LoginMethod.INVITATION)
        assert "rebind" in may_link(count, LoginMethod.PASSWORD)


def test_nobody_has_a_sixth_wallet():
    assert "remove one" in may_link(WALLETS_MAX, LoginMethod.WALLET)
