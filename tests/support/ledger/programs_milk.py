"""Rules of random programs for milk: from the meter to the pack, and what is lost."""

import hypothesis.strategies as st
from hypothesis.stateful import precondition, rule

from ledger.primitives.hashing import Domain
from ledger.types.doubt import AskEvidence, RefuteLot, ShowEvidence, VoidUnanswered
from ledger.types.evidence import COLLECTION_UNITS_MAX
from ledger.types.milk import (
    ChallengeLot,
    FreezeLot,
    LossReason,
    PackLot,
    PostBond,
    RecallLot,
    RecordCollection,
    ReleaseBond,
    ResolveChallenge,
    RollLot,
    SealRun,
    WriteOff,
)  # fmt: skip
from tests.support.ledger.dairy import PLANT, bill
from tests.support.ledger.model_trade import DAY
from tests.support.ledger.programs import (
    ADDRESS,
    DAIRY,
    FARMS,
    HOUR,
    NONE,
    TANK,
    amounts,
    baskets,
    mostly,
    payers,
    people,
    picks,
)

RUN_MS = 2_000
"""So short that runs one after another hardly ever are ahead of the blocks that mint them."""


class MilkPrograms:
    """Mixed into the machine, which sends and compares."""

    # Sales.

    def fill(self, parts, *, tidy):
        """Name the lots of a basket; a tidy one has each lot once, in order."""
        m = self.model
        basket = [(self.pick([*m.lots, *m.products], lot), units) for lot, units in parts]
        return sorted(dict(basket).items()) if tidy else basket

    @rule(who=payers, to=payers, units=amounts, parts=baskets, tidy=mostly)
    def pay(self, who, to, units, parts, tidy):
        basket = self.fill(parts, tidy=tidy)
        body = DAIRY.pay(ADDRESS[to], units, *basket)
        self.send(who, body, lambda: self.model.pay(who, to, units, basket))

    # Milk.

    def evidence_times(self):
        self.number += 1
        first = self.number * 10
        started = max(self.clock, self.model.time - 2 * HOUR)
        self.clock = started + RUN_MS
        span = {"started_ms": started, "ended_ms": self.clock}
        return span, {"first_seq": first, "last_seq": first + 9, **span}

    def run(self, litres, *, sealed=False):
        units = [bill(litre) for litre in litres]
        span, extra = self.evidence_times()
        return DAIRY.claim(
            self.number, units, **span, expires_ms=span["ended_ms"] + 2 * DAY,
            collections=() if sealed else DAIRY.collections(units, **extra),
            instruments=DAIRY.instruments(sum(units), **extra),
        )  # fmt: skip

    @rule(litres=st.tuples(*[st.integers(1, 60)] * 3))
    def mint(self, litres):
        claim = self.run(litres)
        brought = {farm: bill(litre) for farm, litre in zip(FARMS, litres, strict=True)}
        body = DAIRY.mint(claim)
        self.send("mmu", body, lambda: self.model.mint(
            claim.lot_id(), brought, claim.units, claim.expires_ms
        ))  # fmt: skip

    @rule(litres=st.integers(1, 60), lot=picks)
    def roll(self, litres, lot):
        claim, old = self.run([litres]), self.pick(self.model.lots, lot)
        self.send("mmu", RollLot(old, DAIRY.mint(claim)), lambda: self.model.mint(
            claim.lot_id(), {"farm-0": bill(litres)}, claim.units, claim.expires_ms, old
        ))  # fmt: skip

    @rule(
        farm=st.integers(0, 2),
        litres=st.integers(1, 60) | st.just(COLLECTION_UNITS_MAX // bill(1)),
        who=st.sampled_from(["alice", "mmu"]),
    )
    def collect(self, farm, litres, who):
        _, extra = self.evidence_times()
        meter = DAIRY.total(DAIRY.meter_keys[farm], litres * 1_000, **extra)
        name = FARMS[farm]
        body = RecordCollection(ADDRESS["mmu"], PLANT, "t", ADDRESS[name], bill(litres), meter)
        self.send(who, body, lambda: self.model.collect(name, bill(litres), extra["started_ms"]))

    @precondition(lambda self: self.model.tank)
    @rule(litres=st.integers(1, 90), mints=st.booleans())
    def seal(self, litres, mints):
        m, claim = self.model, self.run([litres], sealed=True)
        body = SealRun(claim.run, TANK, bill(litres))
        self.send("mmu", body, lambda: m.seal(claim.run, bill(litres)))
        if mints and self.codes[-1:] == [""] and claim.run in m.sealed:
            # Mostly in the same block: what one transaction made, the next can use.
            parts, oldest = m.sealed[claim.run]
            age = claim.started_ms - oldest
            self.send("mmu", DAIRY.mint(claim), lambda: m.mint(
                claim.lot_id(), parts, claim.units, claim.expires_ms, age=age
            ))  # fmt: skip

    @precondition(lambda self: self.model.tank)
    @rule(units=amounts)
    def spill_tank(self, units):
        body = WriteOff(TANK, units, LossReason.SPILLED)
        self.send("mmu", body, lambda: self.model.draw(units)[0])

    @rule(who=st.sampled_from(["mmu", "bob"]), lot=picks, packs=st.integers(1, 40))
    def pack(self, who, lot, packs):
        lot, name = self.pick(self.model.lots, lot), self.name(who, Domain.PRODUCT)
        body = PackLot(lot, packs, bill(1))
        self.send(who, body, lambda: self.model.pack(who, name, lot, packs, bill(1)))

    @rule(who=people, lot=picks, units=amounts, reason=st.sampled_from(LossReason))
    def write_off(self, who, lot, units, reason):
        lot = self.pick(self.model.lots, lot)
        units = min(units, self.model.lots[lot]["left"]) or units
        body = WriteOff(lot, units, reason)
        self.send(who, body, lambda: self.model.write_off(who, lot, units, reason.value))

    @rule(lot=picks, status=st.sampled_from(["sound", "frozen", "frozen", "recalled"]))
    def restrict(self, lot, status):
        name = self.pick(self.model.lots, lot)
        lot = self.model.lots[name]
        body = RecallLot(name) if status == "recalled" else FreezeLot(name, status == "frozen")

        def decide():
            if lot["status"] == "recalled":
                return "unsound_lot"
            lot["status"] = status
            return ""

        self.send("regulator", body, decide)

    @rule(who=st.sampled_from(["mmu", "mmu", "bob"]), units=amounts)
    def post_bond(self, who, units):
        self.send(who, PostBond(units), lambda: self.model.post_bond(who, units))

    @rule(units=amounts)
    def release_bond(self, units):
        m = self.model

        def decide():
            if not units or units > m.bond:
                return "short_bond" if units else "zero_units"
            if m.bond - units < sum(m.held.values()):
                return "bound_bond"
            m.bond -= units
            return m.move("bonds", "mmu", units)

        self.send("regulator", ReleaseBond(ADDRESS["mmu"], units), decide)

    @rule(who=people, lot=picks, deposit=st.integers(bill(9), bill(12)))
    def challenge(self, who, lot, deposit):
        lot = self.pick(self.model.lots, lot)
        body = ChallengeLot(lot, deposit, NONE)
        self.send(who, body, lambda: self.model.challenge(who, lot, deposit))

    @rule(who=people, lot=picks, kind=st.integers(0, 3))
    def doubt_what_no_window_proved(self, who, lot, kind):
        lot, meter = self.pick(self.model.lots, lot), DAIRY.total(DAIRY.meter_keys[0], 1)
        body, code = (
            (RefuteLot(lot, 0, meter.device, (meter.first,)), "unproven_lot"),
            (AskEvidence(lot, meter.device, 0, 0, bill(10)), "unproven_lot"),
            (ShowEvidence(lot, meter.device, 0, 0, (meter.first,)), "unknown_question"),
            (VoidUnanswered(lot, meter.device, 0, 0), "unknown_question"),
        )[kind]
        self.send(who, body, lambda: code)

    @rule(pick=picks, who=people, units=amounts)
    def resolve(self, pick, who, units):
        m = self.model
        lot, doubter = self.pick(m.challenges, pick) or (self.pick(m.lots, pick), who)
        body = ResolveChallenge(lot, ADDRESS[doubter], units)
        self.send("carol", body, lambda: m.resolve("carol", lot, doubter, units))
