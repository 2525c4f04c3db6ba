"""One vat behind two lines: what each sees leave is what the other pours in raw.

While two flows drain a vat, its level falls for both. Raw milk that comes in as fast as one of them
flows is hidden from the other, whose own flow the level still bears out: each line would count a
vat of one hold. So a vat feeds one line alone.
"""

import pytest

from ledger.primitives.hashing import ZERO_HASH
from ledger.types.evidence import HeatProcess
from tests.support.evidence.vats import GAUGE, Pour, VatStory
from tests.support.ledger.dairy import bill
from tests.support.ledger.lines import admit, bare_town, register
from tests.support.ledger.vats import VatTown

VAT = {"process": HeatProcess.BATCH, "flow_max_l_per_h": 0, "vat_units": bill(400)}
TUBE = {"process": HeatProcess.CONTINUOUS, "flow_max_l_per_h": 12_000, "vat_units": 0}
WATCHERS = ("flow_meter", "hold_thermometer", "outlet_thermometer", "diversion_valve")


def line(town, name, gauge, shape, tank="tank-1"):
    own = [admit(town, f"{name} {kind}", kind) for kind in WATCHERS]
    devices = tuple(sorted((*own, gauge)))
    return town.do(
        "regulator", register(town.dairy, line=name, devices=devices, tank=tank, **shape)
    )


@pytest.mark.parametrize("shapes", [(VAT, VAT), (VAT, TUBE), (TUBE, VAT)])
def test_a_vat_feeds_one_line_alone(shapes):
    town = bare_town()
    gauge = admit(town, "level", GAUGE)
    assert line(town, "one", gauge, shapes[0]) == ""
    assert line(town, "two", gauge, shapes[1]) == "shared_vat"
    assert line(town, "three", admit(town, "other", GAUGE), shapes[1], tank="tank-2") == ""


def test_a_level_that_falls_for_another_flow_hides_raw_milk():
    """Why: this line's judge, who sees its own flow and the level, finds nothing wrong."""
    drained, unmetered, raw = (Pour(1_900, 150, 2_000) for _ in range(3))
    town = VatTown(VatStory(fills=(raw,), drains=(drained,)))
    assert town.windows() < 20_000
    town = VatTown(VatStory(fills=(raw,), drains=(drained, unmetered)))
    flow = [total // 2 for total in town.day.totals]
    assert flow[-1] == 300_000
    device = town.line.devices[0]
    device.envelopes.clear()
    device.seq, device.previous, device.carried = 0, ZERO_HASH, None
    device.measure([(at, flow[at // 1_000]) for at, _ in town.day.samples(device.instrument)], 60)
    assert town.windows() == 300_000
