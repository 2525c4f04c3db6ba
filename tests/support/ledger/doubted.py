"""A lot that a window proved, straight into the state, and readings of its instruments."""

from msgspec.structs import replace

from ledger.primitives.amounts import UNITS_PER_BILL
from ledger.primitives.hashing import ZERO_HASH
from ledger.primitives.keys import address_of
from ledger.primitives.merkle import merkle_path, merkle_root
from ledger.rules.doubts import judged_by
from ledger.state.lines import Tip
from ledger.state.names import tip_name
from ledger.state.proven import ClaimedSpan, ProvenInterval
from ledger.state.records import Role
from ledger.state.tables import (
    ATTESTOR_BONDS,
    LINES,
    LOCKED_ACCOUNT,
    PROVEN,
    TIPS,
    credit,
    debit,
    grant_role,
)
from ledger.types.doubt import (
    AskEvidence,
    ReadingPlace,
    RefuteLot,
    ShowEvidence,
    VoidUnanswered,
)
from ledger.types.evidence import Instrument, MilkKind
from ledger.types.milk import PostBond
from ledger.types.reading import (
    READING_VERSION,
    Envelope,
    Reading,
    Stream,
    Unit,
    reading_bytes,
    sign_reading,
)
from tests.support.ledger.dairy import NOW_MS, RUN_STARTED_MS, Dairy, bill, key
from tests.support.ledger.town import PURSES, Town, parameters

FLOW, HOLD, OUTLET, VALVE, GAUGE = (
    Instrument.FLOW_METER,
    Instrument.HOLD_THERMOMETER,
    Instrument.OUTLET_THERMOMETER,
    Instrument.DIVERSION_VALVE,
    Instrument.TANK_GAUGE,
)
MEASURES = {
    FLOW: (Stream.VOLUME_TOTAL, Unit.MILLILITRE, 5_000_000),
    HOLD: (Stream.HOLD_TEMPERATURE, Unit.MILLIDEGREE, 75_000),
    OUTLET: (Stream.OUTLET_TEMPERATURE, Unit.MILLIDEGREE, 3_000),
    VALVE: (Stream.VALVE_FORWARD, Unit.FLAG, 1),
    GAUGE: (Stream.TANK_VOLUME, Unit.MILLILITRE, 5_000_000),
}
"""What each instrument measures, in what, and a value that no law minds."""

FROM_MS = RUN_STARTED_MS
FIRST = (FROM_MS + 60_000, FROM_MS + 120_000)
SECOND = (FROM_MS + 180_000, FROM_MS + 240_000)
TO_MS = FROM_MS + 300_000
OPEN_UNTIL_MS = NOW_MS + 3_600_000
BOOT, AFTER, LAST = 3, 9, 99
FLOW_MAX_L_PER_H = 12_000


class Doubted(Town):
    """A town with a lot of two intervals, 40 and 60 litres, that two attestors signed for."""

    def __init__(
        self, *, locked=5 * UNITS_PER_BILL, attestors_bond=50 * UNITS_PER_BILL, refuter_bp=1_000
    ):
        rules = parameters(mmu_bond_least_units=bill(1), doubt={"refuter_bp": refuter_bp})
        names = [f"attestor-{i}" for i in range(4)]
        super().__init__(
            Dairy(
                parameters=rules, balances=PURSES | dict.fromkeys(names, bill(200)), bond=bill(300)
            )
        )
        grant_role(self.state, Role.ARBITER, self.address("carol"))
        self.lot = self.make_lot()
        self.signers = [key(name) for name in names[:2]]
        for signer in (key(name) for name in names[:3]):
            if attestors_bond:
                self.must(signer, PostBond(attestors_bond))
        self.prove(locked)

    def must(self, who, body):
        assert self.do(who, body) == "", type(body).__name__

    def prove(self, locked, **fields):
        """Say what proved the lot, and how much of the MMU's share is locked."""
        line = LINES.get(self.state, self.proven.line)
        slow = replace(line, flow_max_l_per_h=FLOW_MAX_L_PER_H)
        self.lock(locked)
        spans = tuple(
            ClaimedSpan(each.public, (BOOT, AFTER), BOOT, LAST)
            for each in sorted((self.key(kind) for kind in MEASURES), key=lambda k: k.public)
        )
        for span in spans:
            tip = Tip(ZERO_HASH, BOOT, LAST, TO_MS, 0)
            TIPS.put(self.state, tip, tip_name(self.proven.line, span.device))
        proven = replace(
            self.proven,
            from_ms=FROM_MS,
            to_ms=TO_MS,
            intervals=(
                ProvenInterval(*FIRST, 40_000, bill(40)),
                ProvenInterval(*SECOND, 60_000, bill(60)),
            ),
            spans=spans,
            attestors=tuple(signer.public for signer in self.signers),
            judged_by=judged_by(self.dairy.genesis.parameters, slow, MilkKind.WHOLE),
            contestable_until_ms=OPEN_UNTIL_MS,
            locked_units=locked,
        )
        PROVEN.put(self.state, replace(proven, **fields), self.lot)

    def lock(self, locked):
        """Let so much of the share be locked, whatever the mint locked of it."""
        held, mmu = self.proven.locked_units, self.address("mmu")
        debit(self.state, LOCKED_ACCOUNT, held)
        credit(self.state, mmu, held)
        debit(self.state, mmu, locked)
        credit(self.state, LOCKED_ACCOUNT, locked)

    def key(self, kind):
        return self.dairy.line_keys[kind]

    def change(self, **fields):
        """Change what proved the lot; its sources are what its intervals count."""
        if "intervals" in fields:
            units = sum(each.units for each in fields["intervals"])
            fields["sources"] = (replace(self.proven.sources[0], units=units),)
        PROVEN.put(self.state, replace(self.proven, **fields), self.lot)

    @property
    def proven(self):
        return PROVEN.get(self.state, self.lot)

    def spans(self, kind, **fields):
        """Give the lot's spans, with one device's changed."""
        device = self.key(kind).public
        return tuple(
            replace(span, **fields) if span.device == device else span for span in self.proven.spans
        )

    def envelope(
        self, kind, at_ms, *values, seq=20, boot=BOOT, every_ms=1_000, offsets=None, signer=None,
        **fields,
    ):  # fmt: skip
        """A signed reading of an instrument: samples a second apart, good ones unless said."""
        stream, unit, good = MEASURES[kind]
        values = values or (good,) * 10
        offsets = offsets or [i * every_ms for i in range(len(values))]
        reading = Reading(
            READING_VERSION, self.key(kind).public, boot, seq, at_ms, stream, unit,
            tuple(zip(offsets, values, strict=True)), "cal", "fw", False, b"\x07" * 32,
        )  # fmt: skip
        return sign_reading(
            replace(reading, **fields), self.dairy.chain_id, signer or self.key(kind)
        )

    def raw(self, kind, body):
        """Bytes that an instrument signed as if they were a reading."""
        return Envelope(body, self.key(kind).sign(reading_bytes(self.dairy.chain_id, body)))

    def refute(self, kind, *envelopes, interval=0, who="alice", place=None):
        body = RefuteLot(self.lot, interval, self.key(kind).public, envelopes, place)
        return self.do(who, body)

    def place(self, envelope):
        """Let a reading be one of three that the window claimed; give where it stands."""
        leaves = [b"one", envelope.digest(), b"other"]
        self.change(readings_root=merkle_root(leaves), readings_count=3)
        return ReadingPlace(1, tuple(merkle_path(leaves, 1)))

    def ask(self, kind, seq, boot=BOOT, who="alice", deposit=10 * UNITS_PER_BILL):
        return self.do(who, AskEvidence(self.lot, self.key(kind).public, boot, seq, deposit))

    def show(self, kind, seq, *envelopes, boot=BOOT, who="bob"):
        return self.do(who, ShowEvidence(self.lot, self.key(kind).public, boot, seq, envelopes))

    def void(self, kind, seq, boot=BOOT, who="bob"):
        return self.do(who, VoidUnanswered(self.lot, self.key(kind).public, boot, seq))

    def bond(self, name):
        """Give what an attestor has at stake."""
        held = ATTESTOR_BONDS.get(self.state, address_of(key(name).public))
        return held.bond_units if held else 0
