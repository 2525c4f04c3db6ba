"""Random programs of every type of transaction against a person with a pencil.

The model (`tests.support.ledgers_model`) decides each code by itself. After every block all
accounts, lots, stakes and books agree with it, and an audit of the whole state finds nothing. At
the end the chain is replayed from its genesis.
"""

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from msgspec.structs import replace

from ledger.genesis import GenesisRole
from ledger.invariants import audit
from ledger.params import default_parameters
from ledger.primitives.hashing import Domain
from ledger.primitives.keys import address_of
from ledger.replay import replay
from ledger.rules import LAWS
from ledger.rules.context import Call
from ledger.state.records import Role
from ledger.state.tables import (
    LOTS,
    MODULE_ACCOUNTS,
    PRICE,
    VALIDATORS,
    account,
    parameters,
    supply,
)
from ledger.store import MemoryStore
from ledger.types.governance import SetParameter
from ledger.types.mandate import CancelMandate, ChargeMandate, GrantMandate, PriceMode
from ledger.types.market import (
    AcceptOffer,
    ConfirmDelivery,
    DisputeOffer,
    OfferService,
    RuleDispute,
    ServiceKind,
)  # fmt: skip
from ledger.types.milk import (
    ChallengeLot,
    FreezeLot,
    LossReason,
    MintLot,
    PackLot,
    PostBond,
    RecallLot,
    RecordCollection,
    ReleaseBond,
    ResolveChallenge,
    RollLot,
    SealRun,
    WriteOff,
    tank_id,
)  # fmt: skip
from ledger.types.price import FeedPrice, FundSubsidy, SetSubsidy
from ledger.types.registry import (
    CalibrateDevice,
    GrantRole,
    RegisterDevice,
    RevokeDevice,
    RevokeRole,
)  # fmt: skip
from ledger.types.staking import (
    Bond,
    ClaimRewards,
    ClaimUnbonded,
    RegisterValidator,
    SubmitEvidence,
    Unbond,
    Unjail,
    possession_bytes,
)  # fmt: skip
from ledger.types.transfer import Transfer
from ledger.types.votes import SignedVote, VoteKind
from tests.support.ledgers import FEE, NOW_MS, PLANT, Chain, Dairy, bill, key
from tests.support.ledgers_model import DAY, EPOCH, EVIDENCE, JAIL, UNBONDING, Model, Validator

HOUR = DAY // 24
NONE = bytes(32)
PEOPLE = ("alice", "bob", "carol", "mmu", "regulator", "treasury")
FARMS = ("farm-0", "farm-1", "farm-2")
OLD = [f"validator-{i}" for i in range(4)]
NAMES = (*PEOPLE, *FARMS, *(f"owner-{i}" for i in range(4)), *(f"attestor-{i}" for i in range(4)))
ADDRESS = {name: address_of(key(name).public) for name in NAMES}
ACCOUNT = {**ADDRESS, **MODULE_ACCOUNTS}
KEYS = {**{name: key(name).public for name in (*OLD, "vote-new")}, **ADDRESS}
TANK = tank_id(ADDRESS["mmu"], PLANT, "t")


class Town(Dairy):
    """A dairy whose people are licensed."""

    def _roles(self):
        more = {
            Role.MERCHANT: ["bob"], Role.ARBITER: ["carol"], Role.ORACLE: ["alice"],
            Role.TREASURY: ["treasury"], Role.FARMER: FARMS[:2], Role.COLLECTOR: ["alice"],
        }  # fmt: skip
        return (
            *super()._roles(),
            *(GenesisRole(role, ADDRESS[who]) for role, held in more.items() for who in held),
        )


def _rules():
    rules = default_parameters(development=True)
    short = replace(
        rules.staking, epoch_blocks=EPOCH, unbonding_epochs=UNBONDING,
        evidence_epochs=EVIDENCE, jail_epochs=JAIL,
    )  # fmt: skip
    return replace(rules, staking=short)


DAIRY = Town(
    parameters=_rules(),
    balances={name: bill(300) for name in PEOPLE} | {"owner-0": bill(5), "owner-1": bill(5)},
)
people = st.sampled_from(PEOPLE)
payers = st.sampled_from([*PEOPLE, *FARMS, "owner-0"])
amounts = st.one_of(st.integers(0, 3), st.integers(1, bill(40)), st.integers(1, bill(400)))
BLOCK_MAX = 3
"""Small blocks, so that a program has many of them, and epochs."""
DEVICE_BODIES = (RegisterDevice, CalibrateDevice, RevokeDevice)
PROPOSERS = ("owner-0", "alice")
picks = st.integers(0, 30)


class Programs(RuleBasedStateMachine):
    """Blocks of any transactions, at any distance in time."""

    @initialize()
    def begin(self):
        self.chain = Chain(DAIRY, MemoryStore())
        genesis = DAIRY.genesis
        stakes = {n: (f"owner-{i}", bill(100)) for i, n in enumerate(OLD)}
        self.model = m = Model(DAIRY.balances, stakes, KEYS, FARMS[:2])
        for stock in genesis.stock:
            m.minted += stock.units
            m.lots[stock.lot_id()] = {
                "left": stock.units, "units": stock.units, "unsold": 0, "mmu": "",
                "expires": stock.expires_ms, "status": "sound",
            }  # fmt: skip
        m.height, m.time = 1, NOW_MS
        self.nonces = dict.fromkeys(NAMES, 0)
        self.pending, self.codes = [], []
        self.number = self.views = 0
        self.roles = set()

    # How a transaction goes in.

    def name(self, who, domain):
        return Call(ADDRESS[who], self.nonces[who], 0).name(domain)

    def send(self, who, body, decide):
        if self.model.units[who] < FEE:
            return
        self.model.fee(who)
        self.codes.append(decide())
        self.pending.append(DAIRY.transaction(body, key(who), self.nonces[who]))
        self.nonces[who] += 1
        if len(self.pending) == BLOCK_MAX:
            self.finish(1, "owner-0")

    def pick(self, table, number):
        names = list(table)
        return names[number % len(names)] if names else None

    # Money.

    @rule(who=payers, to=payers, units=amounts, burned=amounts, lot=picks, sells=st.booleans())
    def pay(self, who, to, units, burned, lot, sells):
        m = self.model
        name = self.pick([*m.lots, *m.products], lot) if sells else None
        burned = burned if name else 0
        body = DAIRY.pay(ADDRESS[to], units, (name, burned) if name else None)
        self.send(who, body, lambda: m.pay(who, to, units, name, burned))

    # Staking.

    @rule(commission=st.sampled_from([0, 1_000, 10_000]))
    def register(self, commission):
        vote, vrf = key("vote-new"), key("vrf-new").public
        proof = vote.sign(possession_bytes(DAIRY.chain_id, ADDRESS["alice"], vote.public, vrf))
        body = RegisterValidator(vote.public, vrf, "new", commission, proof)

        def decide():
            if "vote-new" in self.model.validators:
                return "known_validator"
            self.model.validators["vote-new"] = Validator("alice", 0, commission)
            return ""

        self.send("alice", body, decide)

    @rule(who=payers, pick=picks, units=amounts)
    def bond(self, who, pick, units):
        name = self.pick(self.model.validators, pick)
        body = Bond(KEYS[name], units)
        self.send(who, body, lambda: self.model.bond_stake(who, name, units))

    @rule(who=payers, pick=picks, units=amounts, whole=st.booleans())
    def unbond(self, who, pick, units, whole):
        name = self.pick(self.model.validators, pick)
        if whole:
            units = self.model.validators[name].worth(who) or units
        body = Unbond(KEYS[name], units)
        self.send(who, body, lambda: self.model.unbond(who, name, units))

    @rule(who=payers, pick=picks, back=st.integers(0, 6))
    def claim(self, who, pick, back):
        m, name = self.model, self.pick(self.model.validators, pick)
        tickets = [t for t in m.tickets if t[0] == name and t[2] == who]
        epoch = tickets[0][1] if tickets else max(0, m.epoch - back)
        body = ClaimUnbonded(KEYS[name], epoch)
        self.send(who, body, lambda: m.claim_unbonded(who, name, epoch))

    @rule(who=payers, pick=picks)
    def claim_rewards(self, who, pick):
        name = self.pick(self.model.validators, pick)
        body = ClaimRewards(KEYS[name])
        self.send(who, body, lambda: self.model.claim_rewards(who, name))

    @rule(who=people, pick=picks, back=st.integers(0, 3), again=st.booleans())
    def accuse(self, who, pick, back, again):
        m, name = self.model, self.pick(self.model.validators, pick)
        epoch, view = max(0, m.epoch - back), max(0, self.views - again)
        self.views = view + 1
        votes = [
            SignedVote(VoteKind.FINALIZE, epoch, view, 0, block * 32, bytes(64))
            for block in (b"a", b"b")
        ]
        body = SubmitEvidence(KEYS[name], *votes)
        self.send(who, body, lambda: m.accuse(who, name, epoch, view))

    @rule(pick=picks, honest=st.booleans())
    def unjail(self, pick, honest):
        name = self.pick(self.model.validators, pick)
        who = self.model.validators[name].owner if honest else "bob"
        self.send(who, Unjail(KEYS[name]), lambda: self.model.unjail(who, name))

    # Registry.

    @rule(who=st.sampled_from(["regulator", "alice"]), to=people, give=st.booleans())
    def license(self, who, to, give):
        body = (GrantRole if give else RevokeRole)(Role.LAB, ADDRESS[to])

        def decide():
            if who != "regulator":
                return "role_missing"
            if give == (to in self.roles):
                return "role_held" if give else "role_not_held"
            (self.roles.add if give else self.roles.discard)(to)
            return ""

        self.send(who, body, decide)

    @rule(pick=st.integers(0, 2), what=st.sampled_from(DEVICE_BODIES))
    def devices(self, pick, what):
        m, device = self.model, key(f"spare-{pick}").public
        until = m.time + DAY
        bodies = {
            RegisterDevice: RegisterDevice(device, "tank_gauge", "p", ADDRESS["mmu"], until),
            CalibrateDevice: CalibrateDevice(device, until),
            RevokeDevice: RevokeDevice(device),
        }

        def decide():
            known = m.devices.get(pick)
            if what is RegisterDevice:
                m.devices.setdefault(pick, "good")
                return "known_device" if known else ""
            if known != "good":
                return "device_revoked" if known else "device_unregistered"
            if what is RevokeDevice:
                m.devices[pick] = "revoked"
            return ""

        self.send("regulator", bodies[what], decide)

    # Milk.

    def evidence_times(self):
        self.number += 1
        first = self.number * 10
        ended = self.model.time - HOUR
        span = {"started_ms": ended - HOUR, "ended_ms": ended}
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

    @rule(farm=st.integers(0, 2), litres=st.integers(1, 60), who=st.sampled_from(["alice", "mmu"]))
    def collect(self, farm, litres, who):
        _, extra = self.evidence_times()
        meter = DAIRY.total(DAIRY.meter_keys[farm], litres * 1_000, boot=2, **extra)
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
            m.bond -= units
            return m.move("bonds", "mmu", units)

        self.send("regulator", ReleaseBond(ADDRESS["mmu"], units), decide)

    @rule(who=people, lot=picks, deposit=st.integers(bill(9), bill(12)))
    def challenge(self, who, lot, deposit):
        lot = self.pick(self.model.lots, lot)
        body = ChallengeLot(lot, deposit, NONE)
        self.send(who, body, lambda: self.model.challenge(who, lot, deposit))

    @rule(pick=picks, units=amounts)
    def resolve(self, pick, units):
        m = self.model
        lot = self.pick(m.challenges, pick) or self.pick(m.lots, pick)
        body = ResolveChallenge(lot, units)
        self.send("carol", body, lambda: m.resolve(lot, units))

    # Price, subsidy, market, mandates, governance.

    @rule(value=st.integers(10**5, 10**8))
    def feed(self, value):
        self.send("alice", FeedPrice(self.model.round, value), lambda: self.model.feed(value))

    @rule(who=people, units=amounts)
    def fund(self, who, units):
        self.send(who, FundSubsidy(units), lambda: self.model.fund(who, units))

    @rule(rate=st.integers(0, 3 * 10**6), cap=st.integers(0, bill(30)))
    def set_subsidy(self, rate, cap):
        def decide():
            self.model.rate, self.model.cap = rate, cap
            return ""

        self.send("treasury", SetSubsidy(rate, cap), decide)

    @rule(price=st.integers(1, bill(30)), quantity=st.integers(1, 4), days=st.integers(1, 9))
    def offer(self, price, quantity, days):
        name, until = self.name("bob", Domain.OFFER), self.model.time + days * DAY

        def decide():
            self.model.offers[name] = ("bob", price, quantity, until)
            return ""

        self.send("bob", OfferService(ServiceKind.FEED, price, quantity, until, NONE), decide)

    @precondition(lambda self: self.model.offers)
    @rule(who=people, pick=picks, quantity=st.integers(1, 4))
    def accept(self, who, pick, quantity):
        offer, name = self.pick(self.model.offers, pick), self.name(who, Domain.DEAL)
        body = AcceptOffer(offer, quantity)
        self.send(who, body, lambda: self.model.accept(who, name, offer, quantity))

    @rule(who=people, pick=picks, what=st.sampled_from([ConfirmDelivery, DisputeOffer]))
    def close_deal(self, who, pick, what):
        m, deal = self.model, self.pick(self.model.deals, pick) or NONE
        if what is ConfirmDelivery:
            self.send(who, ConfirmDelivery(deal), lambda: m.confirm(who, deal))
        else:
            self.send(who, DisputeOffer(deal, NONE), lambda: m.dispute(who, deal))

    @rule(pick=picks, units=amounts)
    def rule_deal(self, pick, units):
        deal = self.pick(self.model.deals, pick) or NONE
        self.send("carol", RuleDispute(deal, units), lambda: self.model.rule(deal, units))

    @rule(
        who=people, milk=st.integers(1, bill(5)), price=st.integers(1, 3 * 10**6),
        mode=st.sampled_from(PriceMode), days=st.integers(1, 3),
    )  # fmt: skip
    def grant_mandate(self, who, milk, price, mode, days):
        m, name = self.model, self.name(who, Domain.MANDATE)
        end = m.time + 20 * DAY
        body = GrantMandate(
            ADDRESS["bob"], days * DAY, milk, mode, price, bill(8), bill(20), end
        )  # fmt: skip

        def decide():
            m.mandates[name] = {
                "payer": who, "period": days * DAY, "milk": milk, "mode": mode.value,
                "price": price, "cap": bill(8), "total": bill(20), "start": m.time, "end": end,
                "charged": {},
            }  # fmt: skip
            return ""

        self.send(who, body, decide)

    @rule(pick=picks)
    def charge(self, pick):
        name = self.pick(self.model.mandates, pick) or NONE
        self.send("bob", ChargeMandate(name, NONE, None), lambda: self.model.charge(name))

    @precondition(lambda self: self.model.mandates)
    @rule(who=people, pick=picks)
    def cancel(self, who, pick):
        m, name = self.model, self.pick(self.model.mandates, pick)

        def decide():
            if m.mandates[name]["payer"] != who:
                return "foreign_mandate"
            del m.mandates[name]
            return ""

        self.send(who, CancelMandate(name), decide)

    @rule(value=st.integers(0, bill(12)), ahead=st.integers(0, 4))
    def govern(self, value, ahead):
        m = self.model
        height = m.height + ahead

        def decide():
            if not ahead:
                return "past_height"
            if len(m.changes) >= 32:
                return "too_many_changes"
            m.changes.append((height, value))
            return ""

        self.send("regulator", SetParameter("challenge_deposit_units", value, height), decide)

    # Blocks.

    @rule(hours=st.sampled_from([0, 0, 1, 12, 30, 60]), proposer=st.sampled_from(PROPOSERS))
    def end_block(self, hours, proposer):
        self.finish(hours, proposer)

    def finish(self, hours, proposer):
        m, chain = self.model, self.chain
        chain.dairy.proposer = ADDRESS[proposer]
        outcome = chain.block(*self.pending, time_ms=m.time)
        assert [receipt.code for receipt in outcome.receipts] == self.codes
        m.end_block(proposer)
        self.compare()
        m.height += 1
        m.time += hours * HOUR + 1_000
        self.pending, self.codes = [], []

    def compare(self):
        m, store = self.model, self.chain.store
        held = {name: account(store, address).units for name, address in ACCOUNT.items()}
        apart = {n: (units, m.units[n]) for n, units in held.items() if units != m.units[n]}
        assert not apart, apart
        for name, lot in m.lots.items():
            found = LOTS.get(store, name)
            got = (found.remaining, found.unsold, found.status.value)
            assert got == (lot["left"], lot["unsold"], lot["status"])
        for name, validator in m.validators.items():
            found = VALIDATORS.get(store, KEYS[name])
            got = (found.stake, found.shares, found.rewards, found.jailed_until)
            assert got == (
                validator.stake, validator.all_shares, validator.rewards, validator.jailed,
            )  # fmt: skip
        books = supply(store)
        assert (books.minted, books.redeemed) == (m.minted, m.redeemed)
        assert books.deficit == m.deficit + m.stock_deficit
        assert sum(m.units.values()) == books.units
        if m.price:
            assert PRICE.get(store).value == m.price
        assert parameters(store).challenge_deposit_units == m.deposit
        found = audit(store.state(), store.accumulator, parameters(store))
        assert found.findings == []

    def teardown(self):
        if getattr(self, "chain", None):
            store = self.chain.store
            blocks = [store.block(height).block for height in range(1, store.head().height + 1)]
            assert replay(DAIRY.genesis, blocks) == []


Programs.TestCase.settings = settings(max_examples=40, stateful_step_count=60, deadline=None)
TestPrograms = Programs.TestCase


def test_the_programs_speak_every_type_of_transaction():
    used = {
        Bond, ClaimRewards, ClaimUnbonded, RegisterValidator, SubmitEvidence, Unbond, Unjail,
        CalibrateDevice, GrantRole, RegisterDevice, RevokeDevice, RevokeRole, Transfer, MintLot,
        ChallengeLot, FreezeLot, PackLot, PostBond, RecallLot, RecordCollection, ReleaseBond,
        ResolveChallenge, RollLot, SealRun, WriteOff, FeedPrice, FundSubsidy, SetSubsidy,
        AcceptOffer, ConfirmDelivery, DisputeOffer, OfferService, RuleDispute, CancelMandate,
        ChargeMandate, GrantMandate, SetParameter,
    }  # fmt: skip
    assert used == set(LAWS)
