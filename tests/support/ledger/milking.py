"""A dairy's days: its farms' milk is collected and pasteurized, batch after batch, as the law asks.

`Milking` signs what meters and instruments measure and builds the transactions that turn it into
lots. Batches follow each other, as windows do: each needs those before it on the chain.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from ledger.evidence import LineFacts, claim_window, evidence_root, trim_bundle
from ledger.evidence.claims import Chooser
from ledger.genesis import genesis_state
from ledger.primitives.amounts import Units
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import PublicKey, SigningKey, address_of
from ledger.state.lines import Line, Tip, tip_after
from ledger.state.tables import DEVICES, LINES, account, parameters
from ledger.types.evidence import Instrument, MilkKind
from ledger.types.line import line_id
from ledger.types.reading import Envelope
from ledger.types.transaction import Body
from ledger.types.window import CollectMilk, MintWindow, WindowAttestation, WindowClaim
from tests.support.evidence.rig import DeviceRig, good_value
from tests.support.ledger.dairy import LINE, PLANT, RUN_STARTED_MS, TANK, Chain, Dairy, bill

BATCH_MS = 60_000
"""How far apart batches begin at least."""
WINDOW_S, HEARD_S = 25, 56
"""A window's end after its batch began, and until when the instruments speak."""
MILKING_MS = 50_000
MILKED_AGO_MS = 1_800_000
"""How long before a batch its milk was metered."""
FLOW_L_PER_S = 100
SHARES = (bill(40), bill(35), bill(25))
"""What three farms bring into a batch."""


@dataclass(frozen=True)
class Batch:
    """Milk from its meters to its lot: who sends what, in this order."""

    collections: tuple[CollectMilk, ...]
    mint: MintWindow
    mmu: SigningKey

    @property
    def claim(self) -> WindowClaim:
        """Give the window's claim."""
        return self.mint.claim

    @property
    def lot(self) -> Hash:
        """Name the lot."""
        return self.mint.claim.lot_id()

    @property
    def steps(self) -> list[tuple[SigningKey, Body]]:
        """List senders and bodies: the collections, then the window."""
        return [(self.mmu, body) for body in (*self.collections, self.mint)]


class Milking:
    """The instruments of a dairy, and how far its line has been claimed.

    `next` does a whole batch. Who wants to do it in parts: `collect`, `flow`, `window`, and
    `accept` once the window is on the chain; one that was refused is claimed with the next.
    """

    def __init__(self, dairy: Dairy) -> None:
        state = genesis_state(dairy.genesis)
        self.dairy, self.line_id = dairy, line_id(PLANT, LINE)
        line = LINES.get(state, self.line_id)
        assert line is not None
        self.line: Line = line
        self.tips: dict[PublicKey, Tip] = {}
        self.rules = parameters(state)
        self.records = {
            each.device: record
            for each in line.devices
            if (record := DEVICES.get(state, each.device)) is not None
        }
        self.devices = [self._rig(dairy.line_keys[kind], kind) for kind in dairy.line_kinds]
        self.meters = [self._rig(meter, Instrument.MILK_METER) for meter in dairy.meter_keys]
        self.totals = [5_000] * len(self.meters)
        self.flowed = 0
        self.begun_ms = RUN_STARTED_MS - BATCH_MS

    def _rig(self, signer: SigningKey, kind: Instrument) -> DeviceRig:
        return DeviceRig(signer, kind, boot=1, chain_id=self.dairy.chain_id, start_ms=0)

    def next(
        self,
        litres: Sequence[int] = SHARES,
        kind: MilkKind = MilkKind.WHOLE,
        signers: int | None = None,
        at_ms: int = 0,
        **values: int,
    ) -> Batch:
        """Collect what each farm brings, in units, and pasteurize all of it.

        It begins at `at_ms`, or a minute after the one before. `values` say by an instrument's name
        what it shows instead of what is good.
        """
        self.begun_ms = max(at_ms, self.begun_ms + BATCH_MS)
        collections = self.collect(litres)
        self.flow(sum(litres), **values)
        mint = self.window(kind, signers)
        self.accept(mint)
        return Batch(collections, mint, self.dairy.mmu)

    def collect(self, litres: Sequence[int]) -> tuple[CollectMilk, ...]:
        """Let each farm's meter count so many units, half an hour before the batch."""
        collected = []
        begun_ms = self.begun_ms - MILKED_AGO_MS
        for place, (meter, units) in enumerate(zip(self.meters, litres, strict=False)):
            if not units:
                continue
            before = self.totals[place]
            self.totals[place] = total = before + units // 1_000
            # Idle until the milking begins, so that the milking's own envelope is short.
            meter.sign([(begun_ms, before)])
            envelope = meter.sign([(begun_ms + MILKING_MS, total)])
            collected.append(
                CollectMilk(
                    self.line.mmu, PLANT, TANK, meter.public, Units(units), envelope, envelope
                )
            )
        return tuple(collected)

    def flow(self, units: int, **values: int) -> None:
        """Let the instruments measure a batch, which flows from its first second on."""
        steps = units // 1_000
        seconds = max(5, -(-steps // (FLOW_L_PER_S * 1_000)))
        assert seconds < WINDOW_S, "a batch flows within its window"
        for device in self.devices:
            samples = []
            for second in range(HEARD_S + 1):
                value = values.get(device.instrument.value, good_value(device.instrument, 0))
                if device.instrument is Instrument.FLOW_METER:
                    value = self.flowed + steps * min(second, seconds) // seconds
                samples.append((self.begun_ms + second * 1_000, value))
            device.measure(samples, size=50)
        self.flowed += steps

    @property
    def facts(self) -> LineFacts:
        """Give what the chain says of the line, once it has all batches up to here."""
        return LineFacts(
            self.line_id, self.line, self.records, self.tips, self.rules, self.dairy.chain_id
        )

    def bundle(self) -> dict[PublicKey, list[Envelope]]:
        """Give each device's envelopes after its tip."""
        found = {}
        for device in self.devices:
            tip = self.tips.get(device.public)
            found[device.public] = device.envelopes[0 if tip is None else tip.seq + 1 - tip.again :]
        return found

    def window(
        self,
        kind: MilkKind = MilkKind.WHOLE,
        signers: int | None = None,
        choose: Chooser | None = None,
    ) -> MintWindow:
        """Claim all that counts up to the newest batch's end, or what is chosen of it, attested."""
        to_ms = self.begun_ms + WINDOW_S * 1_000
        claim = claim_window(self.facts, self.bundle(), kind, to_ms, choose=choose)
        return self.attest(claim, signers)

    def attest(self, claim: WindowClaim, signers: int | None = None) -> MintWindow:
        """Attest a claim of the open window, by all attestors or the first few."""
        trimmed = trim_bundle(self.facts, self.bundle(), claim)
        envelopes = [each for key in sorted(trimmed) for each in trimmed[key]]
        keys = self.dairy.attestor_keys[: self.dairy.attestors if signers is None else signers]
        given = []
        for attestor in keys:
            root = evidence_root(attestor.public, envelopes)
            signature = attestor.sign(claim.signing_bytes(self.dairy.chain_id, root))
            given.append(WindowAttestation(attestor.public, root, signature))
        return MintWindow(claim, tuple(given))

    def accept(self, mint: MintWindow) -> None:
        """Take a window as done: the next begins where it ends."""
        claim = mint.claim
        for shown in claim.devices:
            if shown.last is not None:
                self.tips[shown.device] = tip_after(shown.last, claim.to_ms)
        self.line = replace(self.line, through_ms=claim.to_ms)


def make_lots(chain: Chain, count: int) -> list[Hash]:
    """Let a chain that has no lot yet have so many, a block each; give their ids."""
    milking, made = Milking(chain.dairy), []
    for _ in range(count):
        batch = milking.next()
        nonce = account(chain.store, address_of(batch.mmu.public)).nonce
        chain.block(*[
            chain.dairy.transaction(body, sender, nonce + n)
            for n, (sender, body) in enumerate(batch.steps)
        ])  # fmt: skip
        made.append(batch.lot)
    return made
