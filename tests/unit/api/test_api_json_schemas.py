"""Schemas read the same on every Python."""

import msgspec

from api.http.json_schemas import describe_types


class _Told(msgspec.Struct):
    """A first line.

    A second one, which Python 3.13 takes the indentation from by itself.
    """


def test_a_docstring_is_told_without_its_indentation() -> None:
    _, components = describe_types([_Told], "#/{name}")
    told = "A first line.\n\nA second one, which Python 3.13 takes the indentation from by itself."
    assert components["_Told"]["description"] == told
