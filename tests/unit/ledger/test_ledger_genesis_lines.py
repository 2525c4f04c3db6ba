"""A chain may begin with lines and permits: by the rules that later ones meet."""

import pytest
from msgspec.structs import replace

from ledger.errors.store import BadGenesis
from ledger.genesis import format_genesis, genesis_state, parse_genesis
from ledger.invariants import audit
from ledger.params import DAY_MS
from ledger.primitives.keys import PublicKey
from ledger.rules.permits import permit_terms
from ledger.state.records import NOBODY
from ledger.state.tables import DEVICES, LINES
from tests.support.ledger.dairy import GENESIS_MS, Dairy, key
from tests.support.ledger.lines import NAME, with_line
from tests.support.ledger.town import Town

GENESIS = with_line(Dairy().genesis)
LINE, PERMIT = GENESIS.lines[0], GENESIS.permits[0]
METER = PublicKey(key("meter-0").public)


def test_a_file_with_lines_and_permits_reads_back():
    assert parse_genesis(format_genesis(GENESIS)) == GENESIS
    named = replace(GENESIS, permits=(replace(PERMIT, meter=METER, collector=NOBODY),))
    assert parse_genesis(format_genesis(named)) == named


def test_block_0_has_the_line_and_the_permit():
    state = genesis_state(GENESIS)
    line = LINES.get(state, NAME)
    assert (line.through_ms, line.height) == (GENESIS_MS, 0)
    assert tuple(entry.device for entry in line.devices) == LINE.devices
    flow = DEVICES.get(state, key("flow_meter").public)
    assert flow.line == NAME
    terms = permit_terms(state, PERMIT.farm, METER, PERMIT.mmu, GENESIS_MS, GENESIS_MS + 1)
    assert terms is not None
    entries = [(k, v) for k, v in state.changes.items() if v is not None]
    assert audit(entries, state.accumulator).findings == []


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"lines": (LINE, LINE)}, "lines[1]"),
        ({"lines": (replace(LINE, flow_max_l_per_h=0),)}, "lines[0]"),
        ({"lines": (replace(LINE, devices=LINE.devices[1:]),)}, "lines[0]"),
        ({"lines": (replace(LINE, mmu=Town.address("alice")),)}, "lines[0]"),
        ({"permits": (PERMIT, PERMIT)}, "permits[1]"),
        ({"permits": (replace(PERMIT, mmu=Town.address("alice")),)}, "permits[0]"),
        ({"permits": (replace(PERMIT, until_ms=GENESIS_MS + 401 * DAY_MS),)}, "permits[0]"),
        ({"permits": (replace(PERMIT, meter=key("flow_meter").public),)}, "permits[0]"),
    ],
)
def test_what_the_rules_refuse_begins_no_chain(changes, where):
    with pytest.raises(BadGenesis) as caught:
        replace(GENESIS, **changes).check()
    assert caught.value.numbers["where"] == where
