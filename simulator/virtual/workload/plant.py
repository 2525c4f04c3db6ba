"""A small plant whose instruments sign: milk is collected, pasteurized, claimed, batch by batch.

Batches follow each other, as windows do. They are a pure function of the chain, so each is signed
once a process and used in every seed of the same genesis.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from ledger.evidence import LineFacts, claim_window, evidence_root, trim_bundle
from ledger.genesis import Genesis, genesis_state
from ledger.params import MARGIN_MS
from ledger.primitives.amounts import UNITS_PER_BILL, Units
from ledger.primitives.hashing import ZERO_HASH, Hash
from ledger.primitives.keys import PublicKey, SigningKey, address_of
from ledger.state.lines import Tip, tip_after
from ledger.state.records import Device
from ledger.state.tables import DEVICES, LINES, parameters
from ledger.types.evidence import Instrument, MilkKind
from ledger.types.line import line_id
from ledger.types.reading import READING_VERSION, Envelope, Reading, Stream, Unit, sign_reading
from ledger.types.window import CollectMilk, MintWindow, WindowAttestation
from simulator.virtual.topology import (
    ATTESTORS,
    BEGIN_MS,
    INSTRUMENTS,
    LINE,
    MMU,
    PLANT,
    TANK,
)

BATCH_MS: Final = 2_000
BATCH_UNITS: Final = 40 * UNITS_PER_BILL
MILKED_MS: Final = BEGIN_MS
FLOWS_MS: Final = BEGIN_MS + 2 * BATCH_MS
"""A batch flows once its milk was metered, two batches before."""

_SHOWN: Final = {
    Instrument.FLOW_METER: (Stream.VOLUME_TOTAL, Unit.MILLILITRE, 0),
    Instrument.HOLD_THERMOMETER: (Stream.HOLD_TEMPERATURE, Unit.MILLIDEGREE, 75_000),
    Instrument.OUTLET_THERMOMETER: (Stream.OUTLET_TEMPERATURE, Unit.MILLIDEGREE, 3_000),
    Instrument.DIVERSION_VALVE: (Stream.VALVE_FORWARD, Unit.FLAG, 1),
    Instrument.MILK_METER: (Stream.VOLUME_TOTAL, Unit.MILLILITRE, 0),
}


@dataclass(frozen=True)
class PlantBatch:
    """A farm's milk on its way into the tank, and the window in which it was pasteurized."""

    collection: CollectMilk
    mint: MintWindow

    @property
    def lot(self) -> Hash:
        """Name the lot."""
        return self.mint.claim.lot_id()


@dataclass
class _Signer:
    """A device, and where its chain of envelopes stands."""

    key: SigningKey
    instrument: Instrument
    chain_id: Hash
    begin_ms: int
    envelopes: list[Envelope] = field(default_factory=list)
    previous: Hash = ZERO_HASH

    def measure(self) -> Envelope:
        """Sign the next two seconds: a total that counts rises by a batch."""
        seq = len(self.envelopes)
        stream, unit, shown = _SHOWN[self.instrument]
        rise = BATCH_UNITS // 1_000 if shown == 0 else 0
        values = [shown + rise * seq + rise * part // 2 for part in range(3)]
        samples = tuple((part * BATCH_MS // 2, value) for part, value in enumerate(values))
        reading = Reading(
            READING_VERSION,
            self.key.public,
            1,
            seq,
            self.begin_ms + seq * BATCH_MS,
            stream,
            unit,
            samples,
            "cal-1",
            "fw-1",
            tamper=False,
            previous=self.previous,
        )
        envelope = sign_reading(reading, self.chain_id, self.key)
        self.envelopes.append(envelope)
        self.previous = envelope.digest()
        return envelope


class Plant:
    """The plant of one chain, and its batches so far."""

    def __init__(self, genesis: Genesis) -> None:
        state = genesis_state(genesis)
        self._chain_id, self._rules = genesis.chain_id, parameters(state)
        self._line_id = line_id(PLANT, LINE)
        line = LINES.get(state, self._line_id)
        assert line is not None, "a simulation with milk registers its line"
        self._line = line
        self._records: dict[PublicKey, Device] = {}
        for each in line.devices:
            record = DEVICES.get(state, each.device)
            assert record is not None
            self._records[PublicKey(each.device)] = record
        self._tips: dict[PublicKey, Tip] = {}
        self._meter = self._signer(Instrument.MILK_METER, MILKED_MS)
        kinds = [kind for kind in _SHOWN if kind is not Instrument.MILK_METER]
        self._signers = [self._signer(kind, FLOWS_MS) for kind in kinds]
        self._batches: list[PlantBatch] = []

    def _signer(self, kind: Instrument, begin_ms: int) -> _Signer:
        return _Signer(INSTRUMENTS[kind], kind, self._chain_id, begin_ms)

    def batch(self, number: int) -> PlantBatch:
        """Give a batch; it holds once those before it are on the chain."""
        while len(self._batches) <= number:
            self._batches.append(self._next(len(self._batches)))
        return self._batches[number]

    def _next(self, number: int) -> PlantBatch:
        metered = self._meter.measure()
        collection = CollectMilk(
            address_of(MMU.public),
            PLANT,
            TANK,
            self._meter.key.public,
            Units(BATCH_UNITS),
            metered,
            metered,
        )
        to_ms = FLOWS_MS + (number + 1) * BATCH_MS
        for signer in self._signers:
            while signer.begin_ms + len(signer.envelopes) * BATCH_MS < to_ms + MARGIN_MS:
                signer.measure()
        return PlantBatch(collection, self._mint(to_ms))

    def _mint(self, to_ms: int) -> MintWindow:
        facts = LineFacts(
            self._line_id, self._line, self._records, self._tips, self._rules, self._chain_id
        )
        bundle = {each.key.public: self._after_tip(each) for each in self._signers}
        claim = claim_window(facts, bundle, MilkKind.WHOLE, to_ms)
        trimmed = trim_bundle(facts, bundle, claim)
        envelopes = [envelope for name in sorted(trimmed) for envelope in trimmed[name]]
        given = []
        for attestor in ATTESTORS:
            root = evidence_root(attestor.public, envelopes)
            signature = attestor.sign(claim.signing_bytes(self._chain_id, root))
            given.append(WindowAttestation(attestor.public, root, signature))
        for shown in claim.devices:
            if shown.last is not None:
                self._tips[PublicKey(shown.device)] = tip_after(shown.last, to_ms)
        self._line = replace(self._line, through_ms=to_ms)
        return MintWindow(claim, tuple(given))

    def _after_tip(self, signer: _Signer) -> Sequence[Envelope]:
        tip = self._tips.get(signer.key.public)
        return signer.envelopes if tip is None else signer.envelopes[tip.seq + 1 - tip.again :]


_PLANTS: Final[dict[Hash, Plant]] = {}


def plant_of(genesis: Genesis) -> Plant:
    """Give the plant of a chain, the same one each time."""
    if genesis.chain_id not in _PLANTS:
        _PLANTS[genesis.chain_id] = Plant(genesis)
    return _PLANTS[genesis.chain_id]
