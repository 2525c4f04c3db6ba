"""Cursors are what was given, or refused; a page says whether more follow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import MalformedRequest
from api.http.pages import Cursors

CURSORS = Cursors(b"s" * 32)
KEYS = st.lists(st.integers(-(2**63), 2**63 - 1) | st.text(max_size=20), max_size=3).map(tuple)


@given(KEYS, st.text(max_size=8))
def test_a_cursor_reads_back_as_it_was_given(keys: tuple[int | str, ...], owner: str) -> None:
    assert CURSORS.read(CURSORS.write(keys, "list", owner), "list", owner) == keys


@given(KEYS, st.text(max_size=40))
def test_what_was_not_given_is_refused(keys: tuple[int | str, ...], text: str) -> None:
    cursor = CURSORS.write(keys, "list", "me")
    strange = [
        ("A" if cursor[0] != "A" else "B") + cursor[1:],
        cursor[:-4],
        cursor + "AAAA",
        *([text] if text else []),
    ]
    for other in strange:
        with pytest.raises(MalformedRequest):
            CURSORS.read(other, "list", "me")
    for name, owner in (("other", "me"), ("list", "you"), ("", "list\nme")):
        with pytest.raises(MalformedRequest):
            CURSORS.read(cursor, name, owner)
    with pytest.raises(MalformedRequest):
        Cursors(b"t" * 32).read(cursor, "list", "me")


def test_a_page_tells_by_one_row_more_that_more_follow() -> None:
    def page(rows: list[int], limit: int):
        return CURSORS.page(rows, limit, lambda n: (n,), str, "list", "me")

    assert CURSORS.read("", "list", "me") is None
    last = page([3, 2], 2)
    assert (last.data, last.has_more, last.next_cursor) == (["3", "2"], False, None)
    first = page([3, 2, 1], 2)
    assert (first.data, first.has_more) == (["3", "2"], True)
    assert CURSORS.read(first.next_cursor or "", "list", "me") == (2,)
