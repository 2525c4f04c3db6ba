"""Windows of a line's good readings, as a gateway asks attestors about them."""

from dataclasses import dataclass

from msgspec.structs import replace

from iot_minting.attestor.facts import FinalFacts
from iot_minting.attestor.judging import judge
from iot_minting.wire.windows import DeviceBundle, KeptRange, sign_request
from ledger.evidence import Bundle, claim_window, claimed_envelopes, reach, trim_bundle
from ledger.primitives.codec import encode
from ledger.types.evidence import MilkKind
from ledger.types.window import WindowClaim
from tests.support.evidence import rig as rig_module
from tests.support.evidence.rig import MMU_KEY, LineRig


@dataclass(frozen=True)
class Window:
    claim: WindowClaim
    bundle: Bundle

    @property
    def lot(self):
        return self.claim.lot_id()

    @property
    def envelopes(self):
        return claimed_envelopes(self.claim, self.bundle)

    def but(self, **changes):
        """Give the window with another claim over the same readings."""
        return Window(replace(self.claim, **changes), self.bundle)

    def request(self, height=0, **how):
        return request(self.claim, devices_of(self.bundle), height, **how)


def request(claim, devices, height=0, asker=MMU_KEY, chain_id=None):
    """Ask for a claim in the name of the rig's MMU, with whatever devices a test puts in."""
    chain_id = rig_module.CHAIN if chain_id is None else chain_id
    return encode(sign_request(asker, chain_id, height, claim, tuple(devices)))


def devices_of(bundle):
    return tuple(DeviceBundle(key, (), tuple(bundle[key])) for key in sorted(bundle))


def named(envelopes):
    """Name a device's envelopes of one boot in place of sending them."""
    first, last = envelopes[0].reading(), envelopes[-1].reading()
    return (KeptRange(first.boot, first.seq, last.seq),)


def make_window(rig=None, seconds=60, *, to_ms=None):
    """Claim all that a line's readings prove; a rig that has measured nothing does so first."""
    rig = rig or LineRig()
    if not rig.devices[0].envelopes:
        rig.run(seconds)
    facts, bundle = rig.facts, rig.bundle()
    end_ms = to_ms or reach(facts, bundle)
    claim = claim_window(facts, bundle, MilkKind.WHOLE, end_ms)
    return Window(claim, trim_bundle(facts, bundle, claim))


class RigFacts:
    """What a node would say of a rig's line, at a height that a test sets."""

    def __init__(self, rig, height=7):
        self.rig, self.height = rig, height
        self.fault = None
        self.contestable = {}

    async def line(self, line):
        if self.fault:
            raise self.fault
        facts = self.rig.facts
        return FinalFacts(self.height, facts if line == facts.line_id else None)

    async def contestable_until_ms(self, lot, height):
        if self.fault:
            raise self.fault
        return self.contestable.get(lot)


class InlineJudge:
    """Judges at once, and counts; or raises what a test wants."""

    def __init__(self):
        self.judged = 0
        self.fault = None

    async def judge(self, asked):
        self.judged += 1
        if self.fault:
            raise self.fault
        return judge(asked)
