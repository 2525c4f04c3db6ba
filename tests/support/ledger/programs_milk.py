"""Rules of random programs for milk: from the meter to the pack, and what is lost or doubted.

One line draws from one tank, and all of its instruments are honest and always heard: what is drawn
at random is what farms bring, who brings it, what of it flows, and what of that is claimed.
"""

import hypothesis.strategies as st
from hypothesis.stateful import rule
from msgspec.structs import replace

from ledger.primitives.hashing import Domain
from ledger.types.doubt import AskEvidence, RefuteLot, ShowEvidence, VoidUnanswered
from ledger.types.milk import (
    ChallengeLot,
    FreezeLot,
    LossReason,
    PackLot,
    PostBond,
    RecallLot,
    ReleaseBond,
    ResolveChallenge,
    WriteOff,
)
from ledger.types.reading import sign_reading
from ledger.types.tank import CondemnMilk, CondemnReason, MoveMilk
from ledger.types.window import CollectMilk, MintWindow, ReleaseShare, RollWindow
from tests.support.ledger.dairy import PLANT, bill
from tests.support.ledger.milking import BATCH_MS, MILKED_AGO_MS, MILKING_MS, WINDOW_S
from tests.support.ledger.model_tanks import Stretch
from tests.support.ledger.programs import (
    ADDRESS,
    DAIRY,
    FARMS,
    NONE,
    TANKS,
    amounts,
    baskets,
    mostly,
    payers,
    people,
    picks,
)

brought = st.integers(0, 61).map(lambda litres: litres if litres < 61 else 1_000)
"""Litres of a farm; so many as a thousand are more than its meter lets through."""
tanks = st.sampled_from(list(TANKS))
collectors = st.sampled_from(["mmu", "mmu", "alice"])
rolls = st.none() | picks


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

    def pick_proven(self, number):
        """Give a lot that a window proved, the oldest first; any, while there is none."""
        lots = self.model.lots
        proven = [name for name, lot in lots.items() if lot["mmu"]]
        return self.pick(proven or lots, number)

    # Milk.

    def begin_batch(self):
        """Let the line's next batch begin: lately, and a minute after the one before."""
        self.milking.begun_ms = max(self.milking.begun_ms + BATCH_MS, self.model.time - 120_000)

    @rule(
        litres=st.tuples(*[brought] * 3), who=collectors, over=st.sampled_from([0, 0, 0, 0, 3]),
        claims=st.booleans(), lot=rolls,
    )  # fmt: skip
    def milk(self, litres, who, over, claims, lot):
        """Collect, and let flow what came in; or more, which nobody brought."""
        self.begin_batch()
        since = self.milking.begun_ms - MILKED_AGO_MS
        bodies: list[CollectMilk] = self.milking.collect([bill(each) for each in litres])
        before = self.model.came
        for body in bodies:
            farm = FARMS[[each.public for each in self.milking.meters].index(body.meter)]
            stretch = Stretch(farm, since, since + MILKING_MS, body.units)
            self.model.stretches.append(stretch)
            self.collected.append((body, stretch))
            self.bring(who, body, stretch)
        self.milking.flow(self.model.came - before + bill(over))
        if claims:
            self.window(lot, 4, tidy=True)

    def bring(self, who, body, stretch):
        self.send(who, body, lambda: self.model.collect(who, stretch))

    @rule(pick=picks, who=collectors)
    def collect_again(self, pick, who):
        """What was refused may be brought later; it does not flow."""
        if self.collected:
            body, stretch = self.collected[-1 - pick % len(self.collected)]
            self.bring(who, body, stretch)

    @rule(lot=rolls, signers=st.sampled_from([4, 3, 2]), tidy=mostly)
    def claim_window(self, lot, signers, tidy):
        self.window(lot, signers, tidy=tidy)

    def window(self, lot, signers, *, tidy):
        """Claim what flowed; tidily, so much of it as is fresh and in the tank."""
        old = None if lot is None else self.pick_proven(lot)
        if self.milking.begun_ms + WINDOW_S * 1_000 <= self.model.through:
            self.begin_batch()
            self.milking.flow(0)
        mint: MintWindow = self.milking.window(
            signers=signers, choose=self.what_fits if tidy else None
        )
        body = mint if old is None else RollWindow(old, mint)
        if self.send("mmu", body, lambda: self.model.mint(mint.claim, signers, old)) == "":
            self.milking.accept(mint)
            self.windows.append(mint)

    def what_fits(self, window):
        intervals = window.intervals()
        chosen = self.model.what_fits(intervals)
        return [replace(intervals[place], steps=steps) for place, steps in chosen]

    @rule(pick=picks, who=st.sampled_from(["mmu", "bob"]), known=st.booleans())
    def claim_again(self, pick, who, known):
        """What the chain has, of its line or of one that is not there; also by who may not."""
        if self.windows:
            mint = self.windows[pick % len(self.windows)]
            body = mint if known else replace(mint, claim=replace(mint.claim, line=NONE))
            code = "wrong_window" if known else "unknown_line"
            self.send(who, body, lambda: code if who == "mmu" else "role_missing")

    @rule(who=people, pick=picks)
    def release_share(self, who, pick):
        lot = self.pick_proven(pick)
        self.send(who, ReleaseShare(lot), lambda: self.model.release_share(lot))

    @rule(who=st.sampled_from(["mmu", "mmu", "bob"]), source=tanks, into=tanks, units=amounts)
    def move_milk(self, who, source, into, units):
        body = MoveMilk(PLANT, source, into, units)
        self.send(who, body, lambda: self.model.move_milk(who, source, into, units))

    @rule(who=st.sampled_from(["mmu", "mmu", "bob"]), tank=tanks, units=amounts)
    def spill_tank(self, who, tank, units):
        body = WriteOff(TANKS[tank], units, LossReason.SPILLED)
        self.send(who, body, lambda: self.model.lose_raw(who, tank, units, "lost"))

    @rule(tank=st.none() | tanks, lot=picks, units=amounts)
    def condemn(self, tank, lot, units):
        """A tank's milk, or a lot's."""
        lot, m = self.pick(self.model.lots, lot), self.model
        body = CondemnMilk(TANKS.get(tank, lot), units, CondemnReason.SPOILED)
        self.send(
            "regulator",
            body,
            lambda: m.lose_raw("regulator", tank, units, "void") if tank else m.condemn(lot, units),
        )

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
        body = ReleaseBond(ADDRESS["mmu"], units)
        self.send("regulator", body, lambda: self.model.release_bond(units))

    # Doubts.

    def shown(self, lot):
        """Give the last reading that a lot's window shows of its first device; of others any."""
        for mint in self.windows:
            if mint.claim.lot_id() == lot:
                return next(each.end for each in mint.claim.devices if each.end)
        return self.milking.meters[0].sign([(self.model.time, 0)])

    def signed_anew(self, envelope):
        """Let a reading's device sign another under the same number."""
        reading = replace(envelope.reading(), firmware="another")
        (rig,) = [
            each
            for each in (*self.milking.devices, *self.milking.meters)
            if each.public == reading.device
        ]
        return sign_reading(reading, DAIRY.chain_id, rig.key)

    @rule(who=people, lot=picks, deposit=st.integers(bill(9), bill(12)))
    def challenge(self, who, lot, deposit):
        lot = self.pick(self.model.lots, lot)
        body = ChallengeLot(lot, deposit, NONE)
        self.send(who, body, lambda: self.model.challenge(who, lot, deposit))

    @rule(who=people, lot=picks, number=st.sampled_from([0, 0, 1]), doubled=st.booleans())
    def refute(self, who, lot, number, doubled):
        lot = self.pick_proven(lot)
        envelope = self.shown(lot)
        envelopes = (envelope, self.signed_anew(envelope))[: 1 + doubled]
        body = RefuteLot(lot, number, envelope.reading().device, envelopes)
        self.send(who, body, lambda: self.model.refute(lot, number, doubled=doubled))

    @rule(who=people, lot=picks, what=st.sampled_from([AskEvidence, ShowEvidence, VoidUnanswered]))
    def question(self, who, lot, what):
        m, lot = self.model, self.pick_proven(lot)
        envelope = self.shown(lot)
        reading = envelope.reading()
        asked = (lot, reading.device, reading.boot, reading.seq)
        bodies = {
            AskEvidence: (AskEvidence(*asked, bill(10)), lambda: m.ask(who, lot, bill(10))),
            ShowEvidence: (ShowEvidence(*asked, (envelope,)), lambda: m.show(lot)),
            VoidUnanswered: (VoidUnanswered(*asked), lambda: m.void_unanswered(lot)),
        }
        self.send(who, *bodies[what])

    @rule(pick=picks, who=people, units=amounts)
    def resolve(self, pick, who, units):
        m = self.model
        lot, doubter = self.pick(m.challenges, pick) or (self.pick(m.lots, pick), who)
        body = ResolveChallenge(lot, ADDRESS[doubter], units)
        self.send("carol", body, lambda: m.resolve("carol", lot, doubter, units))
