"""Random programs of every type of transaction against a person with a pencil.

The model (`tests.support.ledger.model`) decides each code by itself. After every block all
accounts, lots, stakes and books agree with it, every record reads back (however near to the
bounds the amounts were), and an audit of the whole state finds nothing. At the end the chain is
replayed from its genesis. Rules for milk and trade stand in `tests.support`.
"""

from collections import Counter

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from ledger.invariants import audit
from ledger.primitives.votes import VoteKind
from ledger.replay import replay
from ledger.rules import LAWS
from ledger.rules.context import Call
from ledger.state.names import epoch_name
from ledger.state.records import Role
from ledger.state.tables import (
    LOTS,
    MILK_TANKS,
    PRICE,
    TANK_HOURS,
    VALIDATORS,
    account,
    parameters,
    supply,
)
from ledger.store import MemoryStore
from ledger.types.registry import (
    CalibrateDevice,
    FreezeAccount,
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
from ledger.types.votes import SignedVote
from tests.support.ledger import dairy, programs_lines, programs_milk, programs_trade
from tests.support.ledger.dairy import NOW_MS, Chain, bill, key
from tests.support.ledger.milking import Milking
from tests.support.ledger.model import Model, Validator
from tests.support.ledger.model_trade import DAY
from tests.support.ledger.programs import (
    ACCOUNT,
    ADDRESS,
    BLOCK_MAX,
    DAIRY,
    DEVICE_BODIES,
    FARMS,
    HOUR,
    KEYS,
    NAMES,
    OLD,
    PROPOSERS,
    TANKS,
    amounts,
    payers,
    people,
    picks,
)
from tests.support.ledger.programs_lines import LinePrograms
from tests.support.ledger.programs_milk import MilkPrograms
from tests.support.ledger.programs_trade import TradePrograms
from tests.support.ledger.records import unreadable


class Programs(LinePrograms, MilkPrograms, TradePrograms, RuleBasedStateMachine):
    """Blocks of any transactions, at any distance in time."""

    @initialize()
    def begin(self):
        self.chain = Chain(DAIRY, MemoryStore())
        genesis = DAIRY.genesis
        stakes = {n: (f"owner-{i}", bill(100)) for i, n in enumerate(OLD)}
        self.model = m = Model(DAIRY.balances, stakes, KEYS, FARMS[:2], DAIRY.bond)
        for stock in genesis.stock:
            m.minted += stock.units
            m.lots[stock.lot_id()] = {
                "left": stock.units, "units": stock.units, "unsold": 0, "false": 0, "mmu": "",
                "locked": 0, "expires": stock.expires_ms, "status": "sound",
            }  # fmt: skip
        m.height, m.time = 1, NOW_MS
        self.nonces = dict.fromkeys(NAMES, 0)
        self.pending, self.codes = [], []
        self.milking, self.collected, self.windows = Milking(DAIRY), [], []
        self.views, self.roles = 0, set()

    # How a transaction goes in.

    def name(self, who, domain):
        return Call(ADDRESS[who], self.nonces[who], 0).name(domain)

    def send(self, who, body, decide):
        """Send a body if its sender can; give the code that the model decides on."""
        transaction = DAIRY.transaction(body, key(who), self.nonces[who])
        fee = transaction.intent.fee_units
        if self.model.units[who] < fee or who in self.model.frozen:
            return None
        self.model.fee(who, fee)
        code = decide()
        self.codes.append(code)
        self.pending.append(transaction)
        self.nonces[who] += 1
        if len(self.pending) == BLOCK_MAX:
            self.finish(1, "owner-0")
        return code

    def pick(self, table, number):
        names = list(table)
        return names[number % len(names)] if names else None

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
                m.calibrated.setdefault(pick, [m.time])
                return "known_device" if known else ""
            if known != "good":
                return "device_revoked" if known else "device_unregistered"
            if what is RevokeDevice:
                m.devices[pick] = "revoked"
            elif what is CalibrateDevice:
                m.calibrated[pick].append(m.time)
            return ""

        self.send("regulator", bodies[what], decide)

    @rule(who=st.sampled_from(["regulator", "regulator", "bob"]), of=payers, frozen=st.booleans())
    def freeze(self, who, of, frozen):
        m = self.model

        def decide():
            if who != "regulator" or of == "regulator":
                return "own_account" if who == "regulator" else "role_missing"
            (m.frozen.add if frozen else m.frozen.discard)(of)
            return ""

        self.send(who, FreezeAccount(ADDRESS[of], frozen), decide)

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
            got = (found.remaining_units, found.packed_unsold_units, found.status.value)
            assert got == (lot["left"], lot["unsold"], lot["status"])
        for name, validator in m.validators.items():
            found = VALIDATORS.get(store, KEYS[name])
            got = (found.stake_units, found.shares, found.rewards_units, found.jailed_until)
            assert got == (
                validator.stake, validator.all_shares, validator.rewards, validator.jailed,
            )  # fmt: skip
        books = supply(store)
        assert (books.minted_units, books.redeemed_units) == (m.minted, m.redeemed)
        assert books.deficit_units == m.deficit
        assert sum(m.units.values()) == books.units
        for name, tank in m.tanks.items():
            assert self.tank(TANKS[name]) == (
                +tank.gone,
                dict(tank.debts),
                [(ADDRESS[p.farm], p.units) for p in tank.portions],
            )
        if m.price:
            assert PRICE.get(store).value == m.price
        assert parameters(store).challenge_deposit_units == m.deposit
        assert unreadable(store.state()) == []
        found = audit(store.state(), store.accumulator, parameters(store))
        assert found.findings == []

    def tank(self, name):
        """Give what went out of a tank, what it owes, and what is in it, in order."""
        store, found = self.chain.store, MILK_TANKS.get(self.chain.store, name)
        if found is None:
            return Counter(), {}, []
        fates = ("drawn", "lost", "lapsed", "void", "moved")
        gone = +Counter({fate: getattr(found, f"{fate}_units") for fate in fates})
        hours = [TANK_HOURS.get(store, name + epoch_name(hour)) for hour in found.hours]
        held = [(each.farm, each.units) for hour in hours for each in hour.portions]
        return gone, dict(found.debts), held

    def teardown(self):
        if getattr(self, "chain", None):
            store = self.chain.store
            blocks = [store.block(height).block for height in range(1, store.head().height + 1)]
            assert replay(DAIRY.genesis, blocks) == []


Programs.TestCase.settings = settings(max_examples=40, stateful_step_count=60, deadline=None)
TestPrograms = Programs.TestCase


def test_the_programs_speak_every_type_of_transaction():
    # Who imports a type sends it: the linter lets no import stand unused.
    here = (globals(), vars(programs_milk), vars(programs_trade), vars(programs_lines), vars(dairy))
    assert [kind for kind in LAWS if not any(kind in names.values() for names in here)] == []
