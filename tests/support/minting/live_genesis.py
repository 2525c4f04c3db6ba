"""Chains that begin now, with the devices, line and permits of a simulated plant."""

from functools import cached_property

from msgspec.structs import astuple, replace

from iot_minting.even_clock import wall_ms
from ledger.genesis import GenesisDevice, GenesisLine, GenesisPermit
from ledger.params import DAY_MS
from ledger.primitives.keys import address_of
from simulator.dairy.lines import line_of, permit_for
from simulator.dairy.recording import read_recording
from simulator.dairy.replay import replay_identities
from simulator.dairy.setup import identify
from tests.support.ledger.dairy import FOREVER, Dairy
from tests.support.minting.hurrying_clock import PAST_MS

SEED = b"\x22" * 32
RECORDING = read_recording(
    "Device,Begin,Yield\na,2021-04-01 08:00,10.01\nb,2021-04-01 08:01,20.02\n"
    "a,2021-04-01 09:00,0.00\nb,yesterday,3\na,2021-04-01 10:00,7.77",
    "yield=Yield:lb",
)


class LiveGenesis(Dairy):
    """A dairy whose chain begins now, with the simulated dairy's devices, line and permits.

    Or it began `past_ms` ago: then what its devices tell of that time is old enough to be minted.
    """

    past_ms = 0

    @cached_property
    def identities(self):
        return identify(SEED, FOREVER).devices

    @property
    def consenting(self):
        """Name the accounts of the farms that consent."""
        return {each.operator for each in self.identities if each.operator}

    @cached_property
    def genesis(self):
        mmu, now_ms = address_of(self.mmu.public), wall_ms()
        usual = Dairy(bond=self.bond).genesis
        permit = astuple(permit_for(mmu, now_ms + 9 * DAY_MS))
        begun = replace(
            usual,
            time_ms=now_ms - self.past_ms,
            devices=tuple(self._device(each, mmu) for each in self.identities),
            stock=tuple(replace(each, expires_ms=now_ms + DAY_MS) for each in usual.stock),
            lines=(GenesisLine(*astuple(line_of(self.identities, mmu))),),
            permits=tuple(GenesisPermit(farm, *permit) for farm in sorted(self.consenting)),
        )
        begun.check()
        return begun

    def _device(self, each, mmu):
        limit = each.flow_max_l_per_h
        return GenesisDevice(each.key, each.kind, each.plant, each.operator or mmu, FOREVER, limit)


class RecordedGenesis(LiveGenesis):
    """A chain that knows the plant of a recording, which hurries through its past."""

    past_ms = PAST_MS

    @cached_property
    def identities(self):
        return replay_identities(SEED, "replay-1", RECORDING, FOREVER)
