"""Every way to be refused has a code of its own, and the specification names it."""

import importlib
import pkgutil
import re
from pathlib import Path

import ledger.errors
from ledger.errors.base import LedgerFault
from ledger.errors.bundle import BundleFault
from ledger.errors.store import BadGenesis, StoreFault

SPECIFICATION = Path(__file__).parents[3] / "docs/spec/ledger.md"

for module in pkgutil.iter_modules(ledger.errors.__path__, "ledger.errors."):
    importlib.import_module(module.name)


def family(kind):
    return [kind, *(deeper for child in kind.__subclasses__() for deeper in family(child))]


FAULTS = {kind.__name__: kind for kind in family(LedgerFault)}


def drawn_branches():
    """Give each name that the drawn tree has a branch for, with the names on it."""
    tree = ledger.errors.__doc__.partition("\n\n")[2].partition("\n\n")[0]
    for branch in tree.split("+-- "):
        root, *leaves = re.findall(r"\b[A-Z]\w+", branch)
        yield root, leaves


def test_every_fault_has_a_code_of_its_own():
    codes = [kind.code for kind in family(LedgerFault)]
    assert len(codes) == len(set(codes))


def test_the_drawn_tree_names_every_fault_once_and_no_other():
    drawn = [name for root, leaves in drawn_branches() for name in (root, *leaves)]
    assert sorted(drawn) == sorted(FAULTS)


def test_the_drawn_tree_puts_every_fault_on_its_familys_branch():
    branches = dict(drawn_branches())
    for root, leaves in branches.items():
        children = {kind.__name__ for kind in FAULTS[root].__subclasses__()}
        assert set(leaves) == children - set(branches)


def test_every_code_that_a_transaction_can_meet_stands_in_the_specification():
    text = SPECIFICATION.read_text("utf-8")
    table = text[text.index("### 2.1 Codes") : text.index("## 3. Genesis")]
    rows = "".join(line for line in table.splitlines() if line.startswith("|"))
    told = set(re.findall(r"`([a-z_]+)`", rows))
    ends = {kind.code for kind in family(LedgerFault) if not kind.__subclasses__()}
    assert told == ends - {
        kind.code for kind in (*family(StoreFault), *family(BundleFault), BadGenesis)
    }
