"""Numbers that people write: ASCII digits alone, within bounds, and never a guess."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.primitives.numerals import WHOLE_MAX, read_decimal, read_whole

GUESSES = [
    "1_0",
    " 10",
    "10 ",
    "10\n",
    "+10",
    "-1",
    "１２",
    "٣",
    "1e3",
    "0x10",
    "²",
    "",
    "nan",
    "inf",
]
WHOLES = {str(number): number for number in (0, 7, 42, WHOLE_MAX)} | {"007": 7}


@pytest.mark.parametrize("text", [*GUESSES, "10.0", str(WHOLE_MAX + 1), "9" * 5_000])
def test_what_has_to_be_guessed_is_no_whole_number(text):
    with pytest.raises(ValueError, match=r"is no whole number from 0 on, in digits 0 to 9") as told:
        read_whole(text)
    assert len(str(told.value)) < 120


@pytest.mark.parametrize("text", [*GUESSES, "1.", ".5", "1,5", "1.5.0", "1_0.5", "١.٥"])
def test_what_has_to_be_guessed_is_no_number(text):
    with pytest.raises(ValueError, match=r"is no number from 0 on, written as in 1\.5"):
        read_decimal(text)


@pytest.mark.parametrize(("text", "number"), WHOLES.items())
def test_digits_are_their_number(text, number):
    assert read_whole(text) == number


def test_a_decimal_point_is_read():
    assert (read_decimal("1.5"), read_decimal("10")) == (1.5, 10.0)


@given(st.text(max_size=12) | st.from_regex(r"[-+ _.0-9٠-٩]{0,12}", fullmatch=True))
def test_only_ascii_digits_are_ever_read(text):
    try:
        number = read_whole(text)
    except ValueError:
        return
    assert set(text) <= set("0123456789")
    assert str(number) == (text.lstrip("0") or "0")


@given(st.integers(0, 100), st.integers(0, 50), st.integers(50, 100))
def test_bounds_are_kept(number, least, most):
    if least <= number <= most:
        assert read_whole(str(number), least, most) == number
        assert read_decimal(str(number), least, most) == number
    else:
        for read in (read_whole, read_decimal):
            with pytest.raises(ValueError, match=f"from {least} to {most}"):
                read(str(number), least, most)
