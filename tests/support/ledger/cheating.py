"""A plant that cheats: its claims are shown to an honest attestor, and to the chain by liars.

Every signature holds: the plant has the keys of its instruments, and attestors that lie sign
whatever they are shown. `judged` is what an honest attestor says, `minted` what the chain says of
the same claim where all attestors lie.
"""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from ledger.errors.base import LedgerFault
from ledger.evidence import check_window, trim_bundle
from ledger.primitives.keys import PublicKey
from ledger.primitives.merkle import merkle_root
from ledger.state.tables import MILK_TANKS, supply
from ledger.state.tanks import MilkTank
from ledger.types.evidence import Instrument
from ledger.types.reading import Envelope, sign_reading
from ledger.types.window import DeviceWindow, Interval, WindowClaim
from tests.support.evidence.rig import DeviceRig, good_value
from tests.support.ledger.window import START_MS, WindowTown

FLOW, HOLD, OUTLET, VALVE, GAUGE = (
    Instrument.FLOW_METER,
    Instrument.HOLD_THERMOMETER,
    Instrument.OUTLET_THERMOMETER,
    Instrument.DIVERSION_VALVE,
    Instrument.TANK_GAUGE,
)


class Cheat(WindowTown):
    """A town whose plant may sign, leave out and claim what it likes."""

    def judged(
        self, claim: WindowClaim, bundle: Mapping[PublicKey, Sequence[Envelope]] | None = None
    ) -> str:
        """Give the code by which an honest attestor refuses a claim, or nothing if it signs."""
        facts = self.line.facts(self.state)
        shown = trim_bundle(facts, bundle or self.line.bundle(self.state), claim)
        try:
            check_window(facts, claim, shown)
        except LedgerFault as fault:
            return fault.code
        return ""

    def signed(self, claim: WindowClaim) -> WindowClaim:
        """Give a claim that an honest attestor signs; it must."""
        assert self.judged(claim) == ""
        return claim

    def tank(self) -> MilkTank:
        """Give the line's tank."""
        tank = MILK_TANKS.get(self.state, self.line.tank_id)
        assert tank is not None
        return tank

    def minted_units(self) -> int:
        """Give what was minted since the genesis."""
        return supply(self.state).minted_units - supply(self.genesis).minted_units

    def good(self, *devices: DeviceRig, begin: int, end: int) -> None:
        """Let devices measure good milk, once a second."""
        for device in devices:
            device.measure(good_samples(device.instrument, begin, end))
        self.time_ms = max(self.time_ms, START_MS + end * 1_000)

    def odd(self, device: DeviceRig, samples: Sequence[tuple[int, int]], **fields: object) -> None:
        """Sign an envelope of a device's chain as no honest one is; its chain goes on after it."""
        device.carried = None
        device.sign(samples)
        self.resign(device, len(device.envelopes) - 1, **fields)
        device.previous = device.envelopes[-1].digest()

    def resign(self, device: DeviceRig, place: int, **fields: object) -> Envelope:
        """Sign another envelope in the place of one."""
        reading = replace(device.envelopes[place].reading(), **fields)
        device.envelopes[place] = sign_reading(reading, self.dairy.chain_id, device.key)
        return device.envelopes[place]


def good_samples(kind: Instrument, begin: int, end: int) -> list[tuple[int, int]]:
    """Give samples of good milk from a second to another, once a second."""
    return [(at * 1_000, good_value(kind, at * 1_000)) for at in range(begin, end + 1)]


def over_all(claim: WindowClaim, steps: int, units: int) -> WindowClaim:
    """Claim so much over all of a window, whatever became of it."""
    fates = claim.counted_steps + claim.diverted_steps + claim.cleaning_steps + claim.lost_steps
    return replace(
        claim,
        intervals=(Interval(claim.from_ms, claim.to_ms, steps),),
        counted_steps=steps,
        diverted_steps=0,
        cleaning_steps=0,
        lost_steps=max(0, fates - steps),
        units=units,
    )


def showing(claim: WindowClaim, device: PublicKey, **fields: object) -> WindowClaim:
    """Show one device otherwise, and count what is shown of it."""

    def changed(each: DeviceWindow) -> DeviceWindow:
        return replace(each, **fields) if each.device == device else each

    devices = tuple(changed(each) for each in claim.devices)
    return replace(claim, devices=devices, readings_count=sum(each.count for each in devices))


def root_of(claim: WindowClaim, bundle: Mapping[PublicKey, Sequence[Envelope]]) -> WindowClaim:
    """Give a claim the root of what a bundle has of each device, as far as it counts."""
    leaves = [
        each.digest() for shown in claim.devices for each in bundle[shown.device][: shown.count]
    ]
    return replace(claim, readings_root=merkle_root(leaves))
