"""`billcoin`: one command whose parts come from the packages by entry points.

A package lists a Typer app, or a function that is one command, under `billcoin.commands`; nothing
here imports upward. Whatever fails ends in one line on stderr that says what, where and how to
mend it, and in an exit code: 0 done, 1 failed, 2 not understood. `BILLCOIN_TRACEBACK=1` shows the
traceback of a bug.
"""

import inspect
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import EntryPoint, entry_points, version
from typing import Annotated, Final

import typer

from node.cli.first_process import stay_behind
from node.environment import explain_environment, is_environment
from node.output import prepare_output

GROUP: Final = "billcoin.commands"
PACKAGES: Final = ("api", "consensus", "iot_minting", "ledger", "loadtest", "node", "simulator")
INTERRUPTED: Final = 130


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"billcoin {version('billcoin')}")
        raise typer.Exit


def _root(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """BillCoin: a ledger whose token is one litre of pasteurized milk."""


def wanted(arguments: list[str]) -> list[EntryPoint]:
    """Pick the entry points to load: the one that is called, or all for the list of commands."""
    found = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    first = next((word for word in arguments if not word.startswith("-")), None)
    named = [point for point in found if point.name == first]
    return named or found


def build(arguments: list[str]) -> typer.Typer:
    """Make the command for these arguments."""
    root = typer.Typer(
        name="billcoin",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        callback=_root,
    )
    points = wanted(arguments)
    for point in points:
        try:
            part = point.load()
        except ImportError as error:
            if len(points) == 1:
                raise
            typer.echo(f"billcoin: {point.name} is not available: {error}", err=True)
            continue
        if isinstance(part, typer.Typer):
            root.add_typer(part, name=point.name)
        else:
            root.command(name=point.name)(part)
    return root


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """Walk the exceptions inside groups: structured concurrency wraps each in one."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _is_fault(error: BaseException) -> bool:
    """Tell a fault, raised on purpose by one of our packages, from a bug."""
    ours = type(error).__module__.partition(".")[0] in PACKAGES
    return (ours and not isinstance(error, AssertionError)) or is_environment(error)


def explain(error: BaseException) -> tuple[str, int]:
    """Put an error into one line and an exit code."""
    leaves = list(_leaves(error))
    if any(isinstance(leaf, KeyboardInterrupt) for leaf in leaves):
        return "interrupted", INTERRUPTED
    bug = next((leaf for leaf in leaves if not _is_fault(leaf)), None)
    if bug is None and is_environment(leaves[0]):
        return f"error: {explain_environment(leaves[0])}", 1
    if bug is None:
        return f"error: {' '.join(str(leaves[0]).split())}", 1
    where = ""
    if frames := inspect.getinnerframes(bug.__traceback__) if bug.__traceback__ else []:
        where = f" in {os.path.basename(frames[-1].filename)}:{frames[-1].lineno}"
    text = " ".join(str(bug).split())[:300]
    return f"bug: {type(bug).__name__}{where}: {text} (BILLCOIN_TRACEBACK=1 shows more)", 1


def main() -> None:
    """Run the command line."""
    prepare_output()
    if os.getpid() == 1:
        stay_behind()
    try:
        build(sys.argv[1:])()
    except (Exception, KeyboardInterrupt) as error:
        if os.environ.get("BILLCOIN_TRACEBACK") == "1":
            raise
        line, code = explain(error)
        with suppress(OSError):  # The code tells it too, where nobody reads.
            typer.echo(f"billcoin: {line}", err=True)
        sys.exit(code)


if __name__ == "__main__":
    main()
