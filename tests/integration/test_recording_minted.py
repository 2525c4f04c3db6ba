"""A recording's litres through the whole mint in pretend time, over a bad network too."""

from random import Random

import pytest

from ledger.primitives.amounts import UNITS_PER_BILL
from ledger.rules.measure import exact_volume
from ledger.types.evidence import Instrument
from simulator.dairy.herd import say_idle
from simulator.dairy.line import LiveLine
from simulator.dairy.player import RUN_MS, CollectedMilk, meter_name
from simulator.dairy.recording import read_recording
from simulator.dairy.replay import replay_identities
from simulator.dairy.setup import LINE, LINE_INSTRUMENTS
from tests.support.ledger.dairy import FOREVER
from tests.support.minting.live_genesis import SEED, LiveGenesis
from tests.support.minting.pretend_mint import MilkPost, PretendMint
from tests.support.minting.recorded_farm import COLUMNS, UNITS, recorded_farm

BATCH = 20
"""Milkings of one run."""
BOND = 1_000_000 * UNITS_PER_BILL
SETTLED_S = 180


class RecordedGenesis(LiveGenesis):
    """A chain that knows the plant of a recording."""

    recording = None
    identities = property(lambda self: replay_identities(SEED, "replay-1", self.recording, FOREVER))


class Played:
    """A recording played into a mint; `misery` happens between two runs."""

    def __init__(self, path, recording, post, misery=lambda mint, run: None):
        dairy = RecordedGenesis(bond=BOND)
        dairy.recording = recording
        self.mint = PretendMint(path, dairy, SEED, recording.unit)
        self.recording, self.post, self._misery = recording, post, misery
        devices, self._clock = self.mint.devices, self.mint.clock
        self._meters = {
            name: devices[meter_name(index)] for index, name in enumerate(recording.meters)
        }
        instruments: dict[Instrument, object] = {
            kind: devices[f"{LINE}-{kind.value}"] for kind in LINE_INSTRUMENTS
        }
        self._line = LiveLine(instruments, Random(1), self._clock)
        density = dairy.genesis.parameters.density_mg_per_l
        self.batch = CollectedMilk(density, recording.unit)
        self.exact = exact_volume(recording.unit, recording.steps, density)
        self.flow = instruments[Instrument.FLOW_METER]

    def play(self):
        milkings = self.recording.milkings
        for run, begin in enumerate(range(0, len(milkings), BATCH)):
            for milking in milkings[begin : begin + BATCH]:
                self._meter(milking)
            units = self.batch.close()
            assert self._line.pasteurize(units, self.batch.last_ms, RUN_MS, self._clock.pause)
            self._idle()
            self._misery(self.mint, run)
            self._act()
        for _ in range(SETTLED_S):
            self._idle()
            self._act()
        self.mint.archive.close()

    def _act(self):
        self.post.bring(self.mint)
        self.mint.step()

    def _meter(self, milking):
        meter = self._meters[milking.device]
        end_ms = max(self._clock.now_ms(), meter.last_ms + 2)
        meter.record([(end_ms - 1, meter.value), (end_ms, meter.value + milking.steps)])
        self.batch.add(milking.steps, max(end_ms, self.batch.last_ms))
        self._clock.ms = end_ms

    def _idle(self):
        self._clock.pause(1)
        self._line.idle()
        for meter in self._meters.values():
            say_idle(meter, self._clock.now_ms())

    def holds(self):
        """Assert that all that flowed is minted, but for the floors of collections and claims."""
        mint, flowed = self.mint, sum(self.batch.expected)
        assert mint.refused == []
        assert self.flow.value == flowed
        assert 0 <= self.exact - flowed < len(self.batch.expected)
        assert 0 <= flowed - mint.minted <= mint.collections + mint.claims, mint.waits


def some_recording(rows):
    random = Random(7)
    lines = [f"{'ab'[row % 2]},{random.randrange(600, 4_000) / 100:.2f}" for row in range(rows)]
    return read_recording("Device,Yield\n" + "\n".join(lines), "yield=Yield:lb,device=Device")


def test_every_litre_of_the_recorded_farm_is_minted(tmp_path):
    recording = read_recording(recorded_farm().read_text("utf-8-sig"), COLUMNS)
    played = Played(tmp_path / "mint.sqlite", recording, MilkPost(Random(0)))
    assert round(played.exact) == UNITS
    played.play()
    played.holds()


@pytest.mark.parametrize("seed", range(4))
def test_loss_doubles_disorder_kills_and_restarts_change_no_litre(tmp_path, seed):
    random = Random(seed)

    def misery(mint, run):
        if run % 3 == 1:
            mint.kill()
        if run % 4 == 2:
            random.choice(list(mint.devices.values())).restart()

    post = MilkPost(random, loss=30, doubled=20)
    played = Played(tmp_path / "mint.sqlite", some_recording(240), post, misery)
    played.play()
    played.holds()
