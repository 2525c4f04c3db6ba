"""What a recording needs of the chain before it is played: devices, a line, a farm's consent."""

import asyncio

import pytest

from ledger.primitives.keys import address_of
from ledger.rules.permits import ALL_METERS
from ledger.state.names import permit_name
from ledger.state.tables import DEVICES, LINES, PERMITS
from ledger.types.evidence import Instrument
from ledger.types.line import line_id
from node.client.line_views import PermitView
from node.home.key_file import keep_seed
from simulator.dairy.chain import register
from simulator.dairy.errors import NotRegistered
from simulator.dairy.recording import read_recording
from simulator.dairy.replay import farm_key, replay_identities
from simulator.dairy.setup import CALIBRATION_DAYS, DAY_MS, LINE, LINE_INSTRUMENTS
from tests.support.ledger.dairy import NOW_MS, Dairy, seed_of
from tests.support.minting.ledger_chain import LedgerChain

SEED = b"\x33" * 32
UNTIL_MS = NOW_MS + CALIBRATION_DAYS * DAY_MS


class PermittingChain(LedgerChain):
    """A chain that shows permits, as a node does."""

    async def permits(self, farm):
        held = PERMITS.get(self.overlay, permit_name(farm, ALL_METERS))
        if held is None:
            return []
        terms = held.terms
        return [
            PermitView(
                meter=ALL_METERS,
                mmu=terms.mmu,
                collector=terms.collector,
                litres_a_day=terms.litres_a_day,
                from_ms=terms.from_ms,
                until_ms=terms.until_ms,
                record=b"",
            )
        ]


@pytest.fixture
def chain():
    return PermittingChain(Dairy(), lambda: NOW_MS)


@pytest.fixture
def regulator(tmp_path):
    keep_seed(tmp_path / "regulator.key", lambda: seed_of("regulator"))
    return tmp_path / "regulator.key"


def identities(plant):
    rows = ["Yield,Device,Begin", "1,a,2021-04-01 08:00", "2,b,2021-04-01 09:00"]
    recording = read_recording("\n".join(rows), "yield=Yield:lb")
    return replay_identities(SEED, plant, recording, UNTIL_MS)


def play_in(chain, key_file, plant):
    devices = identities(plant)
    asyncio.run(register(chain, chain.dairy.genesis, key_file, devices, farm_key(SEED)))
    return devices


def test_devices_their_line_and_the_farms_consent_are_on_the_chain(chain, regulator):
    devices = play_in(chain, regulator, "replay-1")
    mmu, farm = (address_of(key.public) for key in (chain.dairy.mmu, farm_key(SEED)))
    line = LINES.get(chain.overlay, line_id("replay-1", LINE))
    assert line.mmu == mmu
    watching = {d.key for d in devices if d.kind is not Instrument.MILK_METER}
    assert {entry.device for entry in line.devices} == watching
    assert len(watching) == len(LINE_INSTRUMENTS)
    for device in devices:
        held = DEVICES.get(chain.overlay, device.key)
        assert (held.line == line_id("replay-1", LINE)) == (device.key in watching)
    permit = PERMITS.get(chain.overlay, permit_name(farm, ALL_METERS))
    assert (permit.terms.mmu, permit.terms.until_ms) == (mmu, UNTIL_MS)


def test_another_recording_goes_under_the_consent_that_stands(chain, regulator):
    play_in(chain, regulator, "replay-1")
    before = chain.height
    devices = play_in(chain, regulator, "replay-2")
    assert chain.height - before == len(devices) + 1


def test_what_the_chain_refuses_is_told_with_the_devices(chain, regulator, tmp_path):
    with pytest.raises(NotRegistered, match="regulator_key_file"):
        play_in(chain, None, "replay-1")
    keep_seed(tmp_path / "alice.key", lambda: seed_of("alice"))
    with pytest.raises(NotRegistered, match="role_missing"):
        play_in(chain, tmp_path / "alice.key", "replay-1")
