"""A device whose boot went ahead and came back strands nobody's milk."""

import copy

from hypothesis import given
from hypothesis import strategies as st

from iot_minting.gateway.policy import CutRun
from iot_minting.gateway.verdicts import Accepted
from ledger.primitives.hashing import ZERO_HASH
from ledger.rules.evidence import consume
from tests.support.minting.milk_line import START_MS, MilkLine
from tests.support.minting.minted import LITRE, apply, mint


def test_a_device_that_came_back_from_a_backup_drags_nobodys_milk_down():
    """It goes on in an old boot, signs anew what was minted, then milks: all that is new counts."""
    line = MilkLine()
    overlay = line.dairy.state()
    old, twin = line.meters[0], copy.copy(line.meters[0])
    milking = [(line.now_ms + 100, 0), (line.now_ms + 200, 9_000)]
    twin.reboot()
    line.accept(twin, milking)
    line.pasteurize(9 * LITRE, 3_000)
    (first,) = [d for d in line.step(30_000) if isinstance(d, CutRun)]
    assert apply(line, overlay, mint(line, first)) == ""
    assert [v.entry.code for v in line.send(old, milking)] == ["overtaken_boot"]
    old.boot, old.seq, old.previous = twin.boot + 1, 0, ZERO_HASH
    assert [v.entry.code for v in line.send(old, milking)] == ["overtaken_time"]
    line.milk(0, 4_000)
    line.milk(1, 20_000)
    line.pasteurize(24 * LITRE, 3_000)
    (second,) = [d for d in line.step(30_000) if isinstance(d, CutRun)]
    body = mint(line, second)
    assert [each.units for each in body.claim.collections] == [4 * LITRE, 20 * LITRE]
    assert apply(line, overlay, body, 1) == ""


READINGS = st.lists(st.tuples(st.integers(1, 3), st.integers(-30, 30)), max_size=30)


@given(READINGS)
def test_whatever_boots_and_times_a_device_signs_the_chain_takes_what_is_accepted(readings):
    """Boots go ahead and come back, and so do clocks."""
    line = MilkLine()
    overlay = line.dairy.state()
    lives = {}
    for boot, at_ms in readings:
        life = lives.setdefault(boot, copy.copy(line.meters[0]))
        life.boot = boot
        for verdict in line.send(life, [(START_MS + at_ms, 0), (START_MS + at_ms + 5, 1)]):
            if isinstance(verdict, Accepted):
                reading = verdict.stored.reading
                consume(overlay, reading.device, reading, reading)
