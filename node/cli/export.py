"""`billcoin export`: accounts, lots or transfers of a stopped node as CSV or Parquet."""

import json
from pathlib import Path
from typing import Annotated

import typer

from node.tools.export import ExportSubject, Format
from node.tools.export import export as write
from node.tools.homes import find_home, stopped


def export(
    subject: Annotated[ExportSubject, typer.Argument(help="What to write.")],
    out: Annotated[Path, typer.Option("--out", help="The file to write; never overwritten.")],
    home: Annotated[
        Path, typer.Option("--home", "--dir", help="A stopped node's home, or a testnet's folder.")
    ],
    form: Annotated[Format, typer.Option("--format", help="The file's format.")] = Format.CSV,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON object.")] = False,
) -> None:
    """Write accounts, lots or transfers to a file, for a spreadsheet or a data frame."""
    found = find_home(home)
    with stopped(found) as store:
        rows = write(store, found.genesis().prefix, subject, form, out)
        kept_from = store.kept_from
    if as_json:
        shown = {"file": str(out), "rows": rows, "kept_from": kept_from}
        typer.echo(json.dumps(shown))
        return
    typer.echo(f"{rows} {subject.value} in {out}")
    if subject is ExportSubject.TRANSFERS and kept_from > 1:
        typer.echo(f"bodies below block {kept_from} are pruned here: theirs are not in it")
