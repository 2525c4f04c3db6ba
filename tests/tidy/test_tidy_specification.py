"""The specification says what the code does, wherever a table or a number can be compared.

A stranger builds from docs/spec alone: an order that is told wrong there is another chain there.
"""

import ast
import re
from itertools import chain
from typing import get_args

import msgspec
import pytest

from consensus.messages import MESSAGE_BYTES_MAX
from consensus.params import Params
from ledger.genesis import Genesis
from ledger.params import Parameters
from ledger.primitives.amounts import Units
from ledger.primitives.hashing import Domain
from ledger.types.block import BLOCK_BYTES_MAX, BLOCK_TRANSACTIONS_MAX, Header
from ledger.types.reading import ENVELOPE_BYTES_MAX, SAMPLES_MAX
from ledger.types.transaction import TRANSACTION_BYTES_MAX, Body
from node.client.views import AccountView, Submission, TransactionState, TransactionView, present
from node.config import NodeConfig
from node.core import wire
from node.core.mempool import NONCE_AHEAD_MAX
from node.lightclient import PROOF_BYTES_MAX
from node.lightclient.anchor import ANCHOR_BYTES_MAX
from node.lightclient.types import LINKS_MAX, PATH_HEADERS_MAX, STEPS_MAX
from tests.support.encoding import shapes
from tests.support.ledger.strict_ed25519 import SMALL_Y
from tests.tidy.test_tidy_documents import ROOT

SPEC = ROOT / "docs/spec"
SECONDS = {"ms": 1, "s": 1_000}


def section(page: str, begin: str, end: str) -> str:
    text = (SPEC / page).read_text("utf-8")
    return text[text.index(begin) : text.index(end, text.index(begin))]


def last_section(page: str, begin: str) -> str:
    return (SPEC / page).read_text("utf-8").partition(begin)[2]


def rows(text: str) -> list[list[str]]:
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def ticked(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def test_the_tables_of_shapes_are_current():
    assert shapes.pages(written=False) == shapes.shown(), "python -m tests.support.encoding.shapes"


def test_every_body_of_a_transaction_has_its_row():
    shown = chain.from_iterable(shapes.bodies(union) for union in shapes.FAMILIES.values())
    assert sorted(shown, key=repr) == sorted(get_args(Body), key=repr)


def test_every_struct_and_word_that_a_row_names_has_a_row():
    tables = shapes.shown()
    told = {row[0] for table in tables.values() for row in rows(table)}
    told |= {row[1] for table in tables.values() for row in rows(table)}
    named = re.compile(r"\b[A-Z][A-Za-z]+\b")
    for place, table in tables.items():
        for row in rows(table)[1:]:
            assert set(named.findall(row[-1])) <= told, place


def test_the_structs_that_are_maps_are_named_and_no_other():
    text = section("encoding.md", "## 1.", "## 2.")
    said = re.search(r"(\w+) structs are maps instead[^:]*: ([^.]+)\.", text)
    kinds = {*shapes.ENVELOPE, *shapes.WITHIN, *shapes.BLOCKS, *shapes.GENESIS, *get_args(Body)}
    maps = {kind.__name__ for kind in kinds if shapes.head(kind) == "map"}
    assert said is not None
    assert set(ticked(said[2])) == maps
    assert (said[1], len(maps)) == ("Five", 5)


def test_every_domain_stands_in_its_table_once():
    told = [
        name
        for row in rows(section("encoding.md", "## 2. Hashes", "## 3."))[1:]
        for name in ticked(row[0])
    ]
    assert sorted(told) == sorted(domain.value.decode() for domain in Domain)


def test_the_points_of_small_order_are_told_in_all_their_spellings():
    told = re.findall(r"^[0-9a-f]{64}$", section("encoding.md", "### 3.1", "### 3.2"), re.MULTILINE)
    assert sorted(map(bytes.fromhex, told)) == sorted(SMALL_Y)


def test_the_fields_of_a_genesis_file_are_told_in_the_order_of_their_encoding():
    told = [ticked(row[0])[0] for row in rows(section("ledger.md", "## 3. Genesis", "## 4."))[1:]]
    assert [name.removesuffix("[]") for name in told] == list(Genesis.__struct_fields__)


def test_parameters_are_told_in_the_order_of_their_encoding():
    table = section("ledger.md", "## 4. Parameters", "| rule set |")
    told = []
    for row in rows(table)[1:]:
        names = ticked(row[0])
        part = names[0].rpartition(".")[0]
        told += [f"{part}.{name.rpartition('.')[2]}".lstrip(".") for name in names]
    parts = {"split": "Split", "staking": "Staking", "price": "Pricing", "doubt": "Doubting"}
    info = msgspec.structs.fields(Parameters)
    expected = [
        f"{field.name}.{inner}" if field.name in parts else field.name
        for field in info
        for inner in (field.type.__struct_fields__ if field.name in parts else ("",))
    ]
    assert told == expected


def test_the_header_of_a_proof_is_that_of_a_block():
    words = {"bytes 0…80": "byte string, at most 80"}
    told = [row[2] for row in rows(section("proofs.md", "### 2.3", "### 2.4"))[1:]]
    forms = re.findall(r"`\w+` ([^`]+?)(?:, |$)", shapes.fields(Header))
    assert told == [words.get(each, each) for each in forms]


@pytest.mark.parametrize(
    ("page", "told"),
    [
        ("encoding.md", f"| `Transaction` | {TRANSACTION_BYTES_MAX:,} bytes |"),
        ("encoding.md", f"{BLOCK_BYTES_MAX:,} bytes, {BLOCK_TRANSACTIONS_MAX:,} transactions"),
        ("encoding.md", f"{ENVELOPE_BYTES_MAX:,} bytes, {SAMPLES_MAX} samples"),
        ("minting.md", f"at most {ENVELOPE_BYTES_MAX:,} bytes in all and {SAMPLES_MAX} samples"),
        ("proofs.md", f"at most {PROOF_BYTES_MAX:,} bytes"),
        ("proofs.md", f"array of 0 to {LINKS_MAX} links"),
        ("proofs.md", f"array of 0 to {PATH_HEADERS_MAX} headers"),
        ("proofs.md", f"array of 0 to {STEPS_MAX} steps"),
        ("proofs.md", f"at most {ANCHOR_BYTES_MAX >> 20} MiB of UTF-8"),
        (
            "wire.md",
            f"at most {MESSAGE_BYTES_MAX:,} and "
            f"{wire.SYNC_REPLY_BYTES_MAX + BLOCK_BYTES_MAX:,} bytes",
        ),
        ("wire.md", f"stands alone, of at most {wire.TX_BATCH_BYTES_MAX:,}"),
        ("wire.md", f"more than {NONCE_AHEAD_MAX} ahead of the next"),
    ],
)
def test_limits_are_told_as_the_code_has_them(page, told):
    assert told in (SPEC / page).read_text("utf-8")


def test_the_times_of_consensus_are_a_nodes():
    told = {row[0]: row[1] for row in rows(section("consensus.md", "### 1.5", "### 1.6"))}
    params, config = Params(), NodeConfig()
    expected = {
        "Δ": config.delta_ms,
        "heartbeat": config.heartbeat_ms,
        "pace": config.block_interval_ms,
        "retry": params.retry_ms,
        "T_skip": params.skip_ms,
    }
    for name, value_ms in expected.items():
        number, unit = told[name].split()
        assert int(number) * SECONDS[unit] == value_ms, name
    assert config.delta_ms == params.delta_ms
    assert told["T_S"] == (
        f"{params.standstill_ms // 1_000} s, doubling to {params.standstill_max_ms // 1_000} s"
    )


def node_codes() -> set[str]:
    """Find the codes with which a node itself refuses a transaction, beside the law."""
    found = set()
    for name, place in (("mempool", 0), ("intake", 1)):
        tree = ast.parse((ROOT / "node/core" / f"{name}.py").read_text("utf-8"))
        for call in ast.walk(tree):
            match call:
                case ast.Call(func=ast.Name(id="PoolFault" | "Submission"), args=args):
                    code = args[place]
                    if isinstance(code, ast.Constant) and code.value:
                        found.add(code.value)
    return found


def test_every_code_of_a_submission_stands_in_the_specification():
    codes = node_codes()
    assert {"malformed", "busy", "pool_full"} <= codes
    laws = section("ledger.md", "### 2.1 Codes", "## 3.")
    assert codes <= {*ticked(last_section("wire.md", "## 7. HTTP")), *ticked(laws)}
    assert "malformed" in ticked(laws)


def test_the_names_of_accounts_submissions_and_transactions_are_told():
    text = last_section("wire.md", "## 7. HTTP")
    zeros = bytes(32)
    for view, begin in (
        (AccountView(zeros, Units(1), 0, 0), "An account is"),
        (Submission(zeros, "", ""), "A submission is"),
        (TransactionView(zeros, TransactionState.FINAL), "A transaction is"),
    ):
        names = list(present(view, "dbill"))
        said = text[text.index(begin) :]
        assert ticked(said)[: len(names)] == names, begin
