"""`billcoin audit`: check everything that stopped nodes have on disk, and say what is wrong where.

Exit code 0 says that every check that was made held (the last line names those that were not made);
1 says that something is wrong, or could not be looked at.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from ledger.primitives.amounts import Units, format_bill
from node.tools.audit import AuditReport, NodeAudit, audit_homes
from node.tools.homes import find_homes

Folder = Annotated[Path, typer.Argument(help="A node's home, or a whole testnet's folder.")]
Quick = Annotated[
    bool, typer.Option("--quick", help="Don't execute all blocks again; says what that leaves out.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Write one JSON object.")]


def audit(folder: Folder, quick: Quick = False, as_json: AsJson = False) -> None:
    """Check what stopped nodes have stored: blocks, state, indexes, replay, that nodes agree."""
    report = audit_homes(find_homes(folder), quick=quick, watch=_watch)
    if as_json:
        typer.echo(json.dumps(msgspec.to_builtins(report)))
    else:
        _show(report)
    if not report.ok:
        raise typer.Exit(1)


class _Rate(ProgressColumn):
    """Blocks a second."""

    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:,.0f} blocks/s")


@contextmanager
def _watch(node: str, blocks: int) -> Iterator[Callable[[], None]]:
    """Show on stderr how far a replay is, how fast, and when it will be done."""
    columns = (
        TextColumn(f"replaying {node}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=blocks)
        yield lambda: progress.advance(task)


def _show(report: AuditReport) -> None:
    for node in report.nodes:
        _show_node(node)
    if len(report.nodes) > 1:
        for finding in report.findings:
            typer.echo(f"WRONG  {finding.where}: {finding.what}")
        if report.common_height >= 0 and not report.findings:
            unread = any(node.height < 0 for node in report.nodes)
            who = "the nodes that can be read" if unread else "all nodes"
            typer.echo(f"{who} hold the same chain up to block {report.common_height}")
    if report.not_checked:
        laws = ", ".join(str(law) for law in report.not_checked)
        typer.echo(f"not checked: {laws} of the 13 invariants")
    well = "what was checked is well" if report.not_checked else "all is well"
    typer.echo(well if report.ok else "something is wrong")


def _show_node(node: NodeAudit) -> None:
    if node.height < 0:
        typer.echo(f"{node.node}: its chain can't be read")
    else:
        typer.echo(f"{node.node}: block {node.height}, {node.head[:16]}")
    if node.records:
        supply = format_bill(Units(max(0, node.minted_units - node.redeemed_units)))
        typer.echo(
            f"  {node.transactions} transactions, {node.finalizations} certificates, "
            f"{node.records} records, {node.accounts} accounts, {node.lots} lots, {supply} BILL"
            f"{', replayed from genesis' if node.replayed else ''}"
        )
    for note in node.notes:
        typer.echo(f"  note: {note}")
    for finding in node.findings:
        typer.echo(f"  WRONG  {finding.where}: {finding.what}")
    if node.findings_count > len(node.findings):
        typer.echo(f"  ... and {node.findings_count - len(node.findings)} more")
