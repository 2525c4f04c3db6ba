"""Options and arguments that are numbers: every command makes its own here, and reads them alike.

Typer's own numbers take `1_0`, ` 10` and `10.0`; these take what `ledger.primitives.numerals` does.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import typer

from ledger.primitives.numerals import DECIMAL_MAX, WHOLE_MAX, read_decimal, read_whole

N = TypeVar("N", int, float)


def whole_option(
    *names: str,
    help: str,  # noqa: A002 - the word that typer has for it, here and below
    least: int = 0,
    most: int = WHOLE_MAX,
) -> Any:
    """Make an option that is a whole number from `least` to `most`."""
    shown = None if most == WHOLE_MAX else most
    read = _whole(least, most)
    return typer.Option(*names, help=help, min=least, max=shown, parser=read)


def whole_argument(*, help: str, least: int = 0, most: int = WHOLE_MAX) -> Any:  # noqa: A002
    """Make an argument that is a whole number from `least` to `most`."""
    shown = None if most == WHOLE_MAX else most
    return typer.Argument(help=help, min=least, max=shown, parser=_whole(least, most))


def decimal_option(
    *names: str,
    help: str,  # noqa: A002
    least: float = 0.0,
    most: float = DECIMAL_MAX,
) -> Any:
    """Make an option that is a number from `least` to `most`, with or without a decimal point."""
    shown = None if most == DECIMAL_MAX else most
    read = _told(lambda text: read_decimal(text, least, most))
    return typer.Option(*names, help=help, min=least, max=shown, parser=read)


def _whole(least: int, most: int) -> Callable[[str], int]:
    return _told(lambda text: read_whole(text, least, most))


def _told(read: Callable[[str], N]) -> Callable[[str | N], N]:
    """Turn a reader's fault into one of the command line. A default is a number already."""

    def parse(given: str | N) -> N:
        if not isinstance(given, str):
            return given
        try:
            return read(given)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    return parse
