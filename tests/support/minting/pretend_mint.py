"""A gateway's core before a real ledger, in pretend time: no process, no network, no waiting.

Judge, archive, shelf, following, core and attestors' check are the real ones. Devices sign as real
ones do; how their envelopes come to the gateway is the test's business (`MilkPost`).
"""

import asyncio
from dataclasses import dataclass, field
from random import Random

from iot_minting.device.signer import NO_CHAIN, DeviceSettings, ReadingSigner
from iot_minting.gateway.archive import Archive
from iot_minting.gateway.collecting import MeterCollection
from iot_minting.gateway.cutting import WindowRules
from iot_minting.gateway.following import Following, TankNames
from iot_minting.gateway.linking import LinkJudge
from iot_minting.gateway.minting import Claim, MinterCore, Waits
from iot_minting.gateway.registry import Registry
from iot_minting.gateway.shelf import PieceShelf
from iot_minting.gateway.types import RegisteredDevice
from iot_minting.wire.topics import readings_topic
from ledger.evidence import check_window, claimed_envelopes, evidence_root
from ledger.params import HOUR_MS
from ledger.primitives.amounts import Units
from ledger.primitives.keys import Policy, SigningKey, address_of
from ledger.rules.fees import price_intent
from ledger.state.tables import account, parameters, supply
from ledger.types.evidence import Instrument, MilkKind
from ledger.types.reading import FIRST_OF_CHAIN, Stream, Unit
from ledger.types.transaction import Intent, sign
from ledger.types.window import CollectMilk, MintWindow, WindowAttestation
from simulator.dairy.fleet import MEASURES
from simulator.dairy.setup import DeviceIdentity, device_key
from tests.support.ledger.dairy import key
from tests.support.minting.ledger_chain import LedgerChain

SILENCE_MS = 600_000
MILK_MS = 26 * HOUR_MS


@dataclass
class PretendClock:
    """Time that passes when someone waits."""

    ms: int

    def now_ms(self):
        return self.ms

    def pause(self, seconds):
        self.ms += int(seconds * 1_000)
        return True


class PretendDevice:
    """A device that signs, and keeps what is not receipted; `unit` is its meter's."""

    def __init__(self, identity: DeviceIdentity, seed, chain_id, unit):
        stream, usual = MEASURES[identity.kind]
        if identity.kind is Instrument.MILK_METER and unit is not Unit.MILLILITRE:
            stream, usual = Stream.MASS_TOTAL, unit
        self.identity = identity
        self.settings = DeviceSettings(
            identity.name, identity.plant, identity.line, stream, usual, chain_id,
            key("ingest").public, "", 0,
        )  # fmt: skip
        self._signer = ReadingSigner(self.settings, device_key(seed, identity), 0, NO_CHAIN)
        self.held: list[tuple[tuple[int, int], bytes]] = []

    @property
    def value(self):
        return self._signer.end.value

    @property
    def last_ms(self):
        return self._signer.end.last_ms

    def record(self, samples):
        signed = self._signer.sign(samples, tamper=False)
        self.held.append(((self._signer.boot, signed.seq), signed.raw))

    def restart(self):
        """Count the boot up, as after kill -9."""
        assert self._signer.end.digest != FIRST_OF_CHAIN
        self._signer.boot, self._signer.seq = self._signer.boot + 1, 0


@dataclass
class MilkPost:
    """Brings envelopes to a judge as a bad network does; `loss` of 100, the others in any order."""

    random: Random
    loss: int = 0
    doubled: int = 0
    sent: int = field(default=0, init=False)

    def bring(self, mint: "PretendMint"):
        """Send what every device holds; a receipt comes for what is stored, but may be lost too."""
        for device in mint.devices.values():
            raws = [raw for _, raw in device.held if not self._happens(self.loss)]
            raws += [raw for raw in raws if self._happens(self.doubled)]
            self.random.shuffle(raws)
            for raw in raws:
                mint.deliver(device, raw)
            self.sent += len(raws)
            if not self._happens(self.loss):
                self._receipt(mint, device)

    def _happens(self, percent):
        return self.random.randrange(100) < percent

    def _receipt(self, mint, device):
        boot = mint.judge.newest(device.identity.key)
        if boot is not None:
            settled = mint.judge.settled(device.identity.key, boot)
            device.held = [each for each in device.held if each[0] > (settled.boot, settled.seq)]


class PretendMint:
    """The gateway of a dairy; `step` decides once, and makes final what was decided."""

    def __init__(self, path, dairy, seed, meter_unit, window_ms=10_000, collect_ms=5_000):
        self.dairy, self.path = dairy, path
        self.clock = PretendClock(dairy.genesis.time_ms + 1_000)
        self.chain = LedgerChain(dairy, self.clock.now_ms)
        self.devices = {
            each.name: PretendDevice(each, seed, dairy.genesis.chain_id, meter_unit)
            for each in dairy.identities
        }
        self.cut = WindowRules(MilkKind.WHOLE, window_ms, SILENCE_MS, MILK_MS, 20_000)
        self.collect_ms = collect_ms
        self.collections = self.claims = 0
        self.refused: list[str] = []
        self.waits: list[Waits] = []
        self.start()

    def start(self):
        """Start the gateway over its file, which holds all that it must know."""
        genesis = self.dairy.genesis
        self.archive = Archive(self.path)
        registry = Registry(
            RegisteredDevice(d.key, d.instrument, d.plant, d.operator) for d in genesis.devices
        )
        self._following = Following(
            self.chain, registry, genesis.parameters, address_of(self.dairy.mmu.public),
            TankNames(genesis, {}, lambda *_: None), {},
        )  # fmt: skip
        self.judge = LinkJudge(
            genesis.chain_id, registry, self.archive, self.archive.ends(), self._following.tip
        )
        self._shelf = PieceShelf(self.archive)
        self._core = MinterCore(self.cut, self.collect_ms, self.clock.ms)
        self._noted = 0

    def kill(self):
        """Kill the gateway and start it again."""
        self.archive.close()
        self.start()

    def deliver(self, device, raw):
        identity = device.identity
        topic = readings_topic(identity.plant, identity.line, identity.key)
        self.archive.record(self.judge.judge(topic, raw, self.clock.ms))

    def step(self):
        for block in self.chain.final[self._noted :]:
            self._following.note(block)
        self._noted = len(self.chain.final)
        facts = asyncio.run(self._following.fetch())
        actions = self._core.step(
            self.clock.ms, facts, self._shelf.after, self.archive.last_arrival_ms, frozenset()
        )
        self.waits = [each for each in actions if isinstance(each, Waits)]
        for action in actions:
            self._do(action, facts)

    def _do(self, action, facts):
        match action:
            case MeterCollection(meter=meter, first=first, last=last, units=units):
                mmu = address_of(self.dairy.mmu.public)
                body = CollectMilk(
                    mmu, meter.plant, meter.tank, meter.key, Units(units), first, last
                )
                self.collections += self._bring(meter.key, body)
            case Claim(line=line, cut=cut):
                check_window(facts.lines[line], cut.claim, cut.bundle)
                envelopes = claimed_envelopes(cut.claim, cut.bundle)
                signers = self.dairy.attestor_keys[:3]
                signed = tuple(self._attest(each, cut.claim, envelopes) for each in signers)
                self.claims += self._bring(line, MintWindow(cut.claim, signed))
            case Waits():
                pass
            case _:
                raise AssertionError(f"nothing else was expected: {action}")

    def _attest(self, signer: SigningKey, claim, envelopes):
        root = evidence_root(signer.public, envelopes)
        signature = signer.sign(claim.signing_bytes(self.dairy.chain_id, root))
        return WindowAttestation(signer.public, root, signature)

    def _bring(self, subject, body) -> bool:
        policy = Policy.single(self.dairy.mmu.public)
        held = account(self.chain.overlay, policy.address())
        intent = Intent(self.dairy.chain_id, policy, held.nonce, Units(0), 2**40, body)
        priced = price_intent(intent, parameters(self.chain.overlay))
        transaction = sign(priced, self.dairy.mmu)
        self.chain.include(transaction)
        _, code = self.chain.found[transaction.id]
        if code:
            self.refused.append(code)
            self._core.refused(subject, self.clock.ms)
        else:
            self._core.brought(subject)
        return not code

    @property
    def minted(self):
        begun = supply(self.dairy.state()).minted_units
        return supply(self.chain.overlay).minted_units - begun
