"""Tables for analysis out of a stopped node's store: accounts, lots, transfers.

One walk, row by row, so memory does not grow with the chain. Amounts are whole units and exact;
who wants litres divides by a million. Ids are hex, addresses bech32m, times milliseconds.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ledger.primitives.keys import Address, format_address
from ledger.state.tables import ACCOUNTS, LOTS, MODULE_ACCOUNTS, PROVEN
from ledger.store.chain import ChainStore
from ledger.types.mandate import ChargeMandate
from ledger.types.transaction import decode_transaction
from ledger.types.transfer import Transfer
from node.errors import BadArgument

if TYPE_CHECKING:
    import pyarrow

GROUP_ROWS: Final = 10_000
"""Rows that a Parquet file takes at once."""
_FORMULA_SIGNS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")

Value = str | int | None
Row = tuple[Value, ...]


class ExportSubject(StrEnum):
    """What is exported."""

    ACCOUNTS = "accounts"
    LOTS = "lots"
    TRANSFERS = "transfers"


class Format(StrEnum):
    """How it is written."""

    CSV = "csv"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class ExportTable:
    """A table: its columns, each with whether it holds numbers, and where its rows come from."""

    columns: Sequence[tuple[str, bool]]
    rows: Callable[[ChainStore, str], Iterator[Row]]


def _account_rows(store: ChainStore, prefix: str) -> Iterator[Row]:
    names = {address: name for name, address in MODULE_ACCOUNTS.items()}
    for key, raw in store.state():
        if key[:1] == ACCOUNTS.prefix:
            address, held = Address(key[1:]), ACCOUNTS.decode(raw)
            yield format_address(address, prefix), held.units, held.nonce, names.get(address, "")


def _lot_rows(store: ChainStore, prefix: str) -> Iterator[Row]:
    for key, raw in store.state():
        if key[:1] == LOTS.prefix:
            lot, proven = LOTS.decode(raw), PROVEN.get(store, key[1:])
            farms = sorted({each.farm for each in proven.sources}) if proven else []
            yield (
                key[1:].hex(),
                lot.kind,
                lot.plant,
                lot.line,
                format_address(Address(lot.mmu), prefix),
                lot.status,
                lot.height,
                lot.units,
                lot.remaining_units,
                lot.packed_units,
                lot.expires_ms,
                lot.readings_root.hex(),
                " ".join(format_address(Address(farm), prefix) for farm in farms),
            )


def _transfer_rows(store: ChainStore, prefix: str) -> Iterator[Row]:
    head = store.head()
    for height in range(store.kept_from, 0 if head is None else head.height + 1):
        found = store.block(height)
        if found is None:
            raise BadArgument(f"block {height} is missing: `billcoin audit` says what is wrong")
        time_ms = found.block.header.time_ms
        pairs = zip(found.block.transactions, found.receipts, strict=True)
        for index, (raw, receipt) in enumerate(pairs):
            transaction = decode_transaction(raw)
            body = transaction.intent.body
            if isinstance(body, Transfer):
                to, units, mandate = format_address(body.to, prefix), int(body.units), ""
            elif isinstance(body, ChargeMandate):
                to, units = format_address(transaction.sender, prefix), None
                mandate = body.mandate.hex()
            else:
                continue
            yield (
                receipt.txid.hex(),
                height,
                index,
                time_ms,
                "transfer" if isinstance(body, Transfer) else "charge_mandate",
                format_address(transaction.sender, prefix),
                to,
                units,
                receipt.fee_units,
                body.reference.hex(),
                " ".join(f"{part.lot.hex()}:{part.units}" for part in body.redeem),
                sum(part.units for part in body.redeem),
                receipt.code,
                mandate,
            )


TEXT, NUMBER = False, True
TABLES: Final = {
    ExportSubject.ACCOUNTS: ExportTable(
        (("address", TEXT), ("units", NUMBER), ("nonce", NUMBER), ("module", TEXT)), _account_rows
    ),
    ExportSubject.LOTS: ExportTable(
        (
            ("lot", TEXT),
            ("kind", TEXT),
            ("plant", TEXT),
            ("line", TEXT),
            ("mmu", TEXT),
            ("status", TEXT),
            ("height", NUMBER),
            ("minted_units", NUMBER),
            ("remaining_units", NUMBER),
            ("packed_units", NUMBER),
            ("expires_ms", NUMBER),
            ("readings_root", TEXT),
            ("farms", TEXT),
        ),
        _lot_rows,
    ),
    ExportSubject.TRANSFERS: ExportTable(
        (
            ("txid", TEXT),
            ("height", NUMBER),
            ("index", NUMBER),
            ("time_ms", NUMBER),
            ("kind", TEXT),
            ("sender", TEXT),
            ("to", TEXT),
            ("units", NUMBER),
            ("fee_units", NUMBER),
            ("reference", TEXT),
            ("redeemed", TEXT),
            ("redeemed_units", NUMBER),
            ("code", TEXT),
            ("mandate", TEXT),
        ),
        _transfer_rows,
    ),
}


def harmless(value: Value) -> Value:
    """Keep a spreadsheet from taking a text for a formula: what looks like one gets a quote."""
    if isinstance(value, str) and value.startswith(_FORMULA_SIGNS):
        return f"'{value}"
    return value


def write_csv(table: ExportTable, rows: Iterable[Row], out: Path) -> int:
    """Write rows as CSV (RFC 4180); give their number."""
    count = 0
    with out.open("x", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(name for name, _ in table.columns)
        for row in rows:
            writer.writerow(map(harmless, row))
            count += 1
    return count


def require_parquet() -> None:
    """Raise `BadArgument` unless Parquet can be written here."""
    try:
        import pyarrow.parquet  # noqa: F401 - is it there?
    except ImportError:
        raise BadArgument(
            "Parquet needs pyarrow, which is not installed: pip install 'billcoin[export]', "
            "or write --format csv"
        ) from None


def write_parquet(table: ExportTable, rows: Iterable[Row], out: Path) -> int:
    """Write rows as Parquet, in groups; give their number. Numbers are 64 bits, texts UTF-8."""
    require_parquet()
    import pyarrow.parquet

    schema = pyarrow.schema(
        [(name, pyarrow.int64() if number else pyarrow.string()) for name, number in table.columns]
    )
    source, count = iter(rows), 0
    with pyarrow.parquet.ParquetWriter(out, schema) as writer:
        while group := list(islice(source, GROUP_ROWS)):
            writer.write_table(_columns(group, schema))
            count += len(group)
    return count


def _columns(group: list[Row], schema: "pyarrow.Schema") -> "pyarrow.Table":
    import pyarrow

    arrays = [
        pyarrow.array(column, type=field.type)
        for column, field in zip(zip(*group, strict=True), schema, strict=True)
    ]
    return pyarrow.Table.from_arrays(arrays, schema=schema)


def export(store: ChainStore, prefix: str, subject: ExportSubject, form: Format, out: Path) -> int:
    """Write one table to a new file; give the number of rows."""
    table = TABLES[subject]
    if form is Format.PARQUET:
        require_parquet()
    if out.exists():
        raise BadArgument(f"{out} exists: nothing is overwritten; name another file")
    write = write_csv if form is Format.CSV else write_parquet
    aside = out.with_name(f".{out.name}.part")
    try:
        aside.unlink(missing_ok=True)
        try:
            count = write(table, table.rows(store, prefix), aside)
            aside.rename(out)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        why = error.strerror or str(error)
        raise BadArgument(f"{out} can't be written: {why}; name another file") from error
    return count
