"""`billcoin export` and `billcoin trace --home`: what a stopped node knows, exact and harmless."""

import csv
import json
import sys

import pytest
import typer
from typer.testing import CliRunner

from ledger.errors.store import UnknownSubject
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import address_of, format_address
from ledger.state.tables import account
from ledger.store import MemoryStore
from ledger.store.disk import DiskStore
from ledger.types.mandate import ChargeMandate
from node.cli.export import export
from node.cli.trace import trace
from node.errors import BadArgument
from node.tools.export import TABLES, ExportSubject, Format, harmless, write_csv
from tests.support.ledger.dairy import Chain, Dairy, key
from tests.support.ledger.milking import Milking
from tests.support.node.final_chain import TO_BOB, make_home

BATCH = Milking(Dairy()).next()


def run(command, *words):
    app = typer.Typer()
    app.command()(command)
    return CliRunner().invoke(app, [str(word) for word in words])


def exported(home, subject, out, *words):
    result = run(export, subject, "--home", home, "--out", out, *words)
    assert result.exit_code == 0, result.exception
    with out.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def home(tmp_path):
    make_home(tmp_path / "node-0")
    return tmp_path / "node-0"


def test_every_account_is_exported_with_its_units(home, tmp_path):
    rows = exported(home, "accounts", tmp_path / "out.csv")
    with_bob = {row["address"]: int(row["units"]) for row in rows}
    store = DiskStore(home / "ledger")
    assert with_bob[format_address(TO_BOB, "dbill")] == account(store, TO_BOB).units
    store.close()
    assert {"stake", "reserve"} <= {row["module"] for row in rows}


def test_every_lot_is_exported_with_its_farms(home, tmp_path):
    rows = {row["lot"]: row for row in exported(home, "lots", tmp_path / "out.csv")}
    minted = rows[BATCH.lot.hex()]
    assert int(minted["minted_units"]) - int(minted["remaining_units"]) == 4 * 7
    assert len(minted["farms"].split()) == 3
    assert len(rows) == 3


def test_every_transfer_is_exported_with_what_it_redeemed(home, tmp_path):
    rows = exported(home, "transfers", tmp_path / "out.csv")
    assert len(rows) == 8
    assert sum(int(row["redeemed_units"]) for row in rows) == 4 * 7
    assert {row["redeemed"] for row in rows} == {"", f"{BATCH.lot.hex()}:7"}
    assert {row["to"] for row in rows} == {format_address(TO_BOB, "dbill")}
    places = [(int(row["height"]), int(row["index"])) for row in rows]
    assert places == sorted(places)


def test_a_charge_is_exported_with_its_mandate():
    dairy, store = Dairy(), MemoryStore()
    charge = ChargeMandate(Hash(b"\7" * 32), bytes(32), ())
    Chain(dairy, store).block(dairy.transaction(charge, key("alice"), 0))
    table = TABLES[ExportSubject.TRANSFERS]
    (row,) = (
        dict(zip((name for name, _ in table.columns), cells, strict=True))
        for cells in table.rows(store, "dbill")
    )
    assert (row["kind"], row["mandate"], row["units"]) == ("charge_mandate", "07" * 32, None)
    assert (row["sender"], row["code"]) == (row["to"], "role_missing")


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_text_becomes_a_formula_in_a_spreadsheet(sign, tmp_path):
    text = f'{sign}HYPERLINK("http://x"),1'
    write_csv(TABLES[ExportSubject.ACCOUNTS], [(text, 5, 0, "")], tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["address"] == f"'{text}"
    assert harmless("plain-text") == "plain-text"
    assert harmless(-5) == -5


def test_a_testnets_folder_exports_its_first_node_and_nothing_is_overwritten(home, tmp_path):
    out = tmp_path / "out.csv"
    exported(home.parent, "accounts", out)
    error = run(export, "lots", "--dir", home, "--out", out).exception
    assert isinstance(error, BadArgument)
    assert "nothing is overwritten" in str(error)


def test_a_file_that_cannot_be_written_is_told(home, tmp_path):
    (tmp_path / "file").touch()
    for out in (tmp_path / "nowhere" / "out.csv", tmp_path / "file" / "out.csv"):
        fault = run(export, "accounts", "--home", home, "--out", out).exception
        assert isinstance(fault, BadArgument)
        assert f"{out} can't be written: No" in str(fault)


def test_what_is_pruned_is_said_to_be_missing(tmp_path):
    make_home(tmp_path / "node", keep_blocks=2)
    out = tmp_path / "out.csv"
    result = run(export, "transfers", "--home", tmp_path / "node", "--out", out)
    assert "below block 5 are pruned" in result.output
    with out.open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 4


def test_parquet_without_pyarrow_says_what_to_install(home, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "pyarrow.parquet", raising=False)
    words = ["accounts", "--home", home, "--format", "parquet", "--out", tmp_path / "out"]
    error = run(export, *words).exception
    assert isinstance(error, BadArgument)
    assert "pip install 'billcoin[export]'" in str(error)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("subject", list(ExportSubject))
def test_parquet_holds_the_same_rows_as_csv(home, tmp_path, subject):
    parquet = pytest.importorskip("pyarrow.parquet", reason="an optional dependency")
    rows = exported(home, subject, tmp_path / "out.csv")
    out = tmp_path / "out.parquet"
    result = run(export, subject, "--home", home, "--format", Format.PARQUET, "--out", out)
    assert result.exit_code == 0, result.exception
    table = parquet.read_table(out)
    assert table.column_names == list(rows[0])
    told = [{name: "" if v is None else str(v) for name, v in r.items()} for r in table.to_pylist()]
    assert told == rows


def test_a_trace_is_told_from_the_sale_to_the_farms(home):
    store = DiskStore(home / "ledger")
    sold = store.history(TO_BOB, limit=1)[0].txid
    store.close()
    text = run(trace, sold.hex(), "--home", home).output
    order = [text.index(word) for word in ("sale ", "lot ", "window ", "tank ", "farm ")]
    assert order == sorted(order)
    for farm in Dairy().farm_keys:
        assert format_address(address_of(farm.public), "dbill") in text
    assert BATCH.claim.readings_root.hex() in text
    shown = json.loads(run(trace, sold.hex(), "--home", home, "--json").stdout)
    assert [way["lot"]["lot"] for way in shown["milk"]] == [BATCH.lot.hex()]
    assert shown["sale"]["redeemed_bill"] == "0.000007"
    assert shown["sale"]["sender"] == format_address(address_of(key("alice").public), "dbill")
    assert shown["complete"]


def test_an_id_that_is_none_and_one_that_nobody_knows_are_told(home):
    assert "64 digits of hex" in str(run(trace, "xyz", "--home", home).exception)
    unknown = run(trace, Hash(bytes(32)).hex(), "--home", home).exception
    assert isinstance(unknown, UnknownSubject)
