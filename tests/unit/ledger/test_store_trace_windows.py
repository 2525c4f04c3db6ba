"""From a lot that a window proved back to the line's instruments and the farms."""

from dataclasses import replace

from ledger.state import Overlay
from ledger.store import MemoryStore
from ledger.trace import trace
from tests.support.ledger.dairy import Chain, Dairy, bill
from tests.support.ledger.window import START_MS, WindowLine


def test_a_lot_of_a_window_leads_to_its_instruments_and_its_farms():
    dairy, store = Dairy(), MemoryStore()
    chain = Chain(dairy, store)
    # The line stands in the state before the block, as if it had been registered.
    before = Overlay(store)
    line = WindowLine(dairy)
    line.register(before)
    line.fill(before, bill(60), bill(60))
    line.run(120)
    claim = line.claim(before)
    sent = dairy.next(before, line.mint(before, claim), dairy.mmu)
    step, outcome = chain.execute(before, store.head(), [sent], START_MS + 120_000)
    assert outcome.receipts[0].code == ""
    store.commit([replace(step, changes={**before.changes, **step.changes})])
    for subject in (claim.lot_id(), sent.id):
        [way] = trace(store, subject).milk
        assert way.lot.minted.txid == sent.id
        assert (way.run.started_ms, way.run.ended_ms) == (claim.from_ms, claim.to_ms)
        devices = {each.device for each in way.run.instruments}
        assert devices == {each.public for each in line.devices}
        assert all(each.first_seq == 0 for each in way.run.instruments)
        assert sum(farm.units for farm in way.farms) == claim.units
        assert not way.complete
