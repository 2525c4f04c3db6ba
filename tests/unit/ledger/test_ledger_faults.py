"""Every way to be refused has a code of its own, and the specification names it."""

import re
from pathlib import Path

from ledger.errors import BadGenesis, LedgerFault, StoreFault

SPECIFICATION = Path(__file__).parents[3] / "docs/spec/ledger.md"


def family(kind):
    return [kind, *(deeper for child in kind.__subclasses__() for deeper in family(child))]


def test_every_fault_has_a_code_of_its_own():
    codes = [kind.code for kind in family(LedgerFault)]
    assert len(codes) == len(set(codes))


def test_every_code_that_a_transaction_can_meet_stands_in_the_specification():
    text = SPECIFICATION.read_text("utf-8")
    table = text[text.index("### 2.1 Codes") : text.index("## 3. Genesis")]
    told = set(re.findall(r"`([a-z_]+)`", table))
    ends = {kind.code for kind in family(LedgerFault) if not kind.__subclasses__()}
    assert told == ends - {kind.code for kind in (*family(StoreFault), BadGenesis)}
