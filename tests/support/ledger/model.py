"""What a person with a pencil would keep of the ledger: dictionaries and plain sums.

`Model` decides for itself what becomes of every transaction and gives the code. It pushes where
the ledger pulls (rewards are written to each delegator at once), and copies nothing from it but
the law. Names stand for accounts; the law's own accounts bear their own names.
"""

from collections import Counter, defaultdict

from ledger.primitives.amounts import UNITS_MAX
from tests.support.ledger.dairy import GENESIS_MS, bill
from tests.support.ledger.model_milk import MilkModel
from tests.support.ledger.model_tanks import Tank
from tests.support.ledger.model_trade import DAY, TradeModel, shared

EPOCH, UNBONDING, EVIDENCE, JAIL = 3, 4, 2, 2
ATTESTORS = [f"attestor-{i}" for i in range(4)]
PARTS = 1 << 64


class Validator:
    def __init__(self, owner, stake=0, commission=0):
        self.owner, self.stake, self.commission = owner, stake, commission
        self.shares = defaultdict(int, {owner: stake})
        self.parts = defaultdict(int)
        self.rest = self.rewards = self.jailed = 0

    @property
    def all_shares(self):
        return sum(self.shares.values())

    def worth(self, who):
        return self.stake * self.shares[who] // self.all_shares if self.shares[who] else 0


class Model(MilkModel, TradeModel):
    """Money, blocks and stake; milk and trade stand in files of their own."""

    def __init__(self, units, stakes, keys, farmers, bond):
        self.farmers = farmers
        self.units = defaultdict(int, units)
        self.validators = {n: Validator(o, s) for n, (o, s) in stakes.items()}
        self.units["stake"] = sum(v.stake for v in self.validators.values())
        self.keys = keys
        self.height, self.time = 0, 0
        self.fees = 0
        seats = {n: v.stake for n, v in self.validators.items()}
        self.committees = {0: seats, 1: dict(seats)}
        self.pools, self.tickets = {}, {}
        self.offences, self.paid, self.spent = set(), defaultdict(int), set()
        self.lots, self.products = {}, {}
        self.tanks = {"tank-1": Tank(), "silo": Tank()}
        self.stretches, self.days, self.came = [], defaultdict(Counter), 0
        self.through, self.vouched, self.line_days = GENESIS_MS, [], []
        self.challenges, self.questions, self.held = {}, {}, {}
        self.deficit = self.minted = self.redeemed = 0
        self.bond = self.units["bonds"] = bond
        self.price = self.price_ms = self.round = 0
        self.prices = []
        self.rate = self.cap = self.funded = 0
        self.claims, self.months = [], {}
        self.offers, self.deals, self.mandates = {}, {}, {}
        self.deposit, self.changes = bill(10), []
        self.roles, self.devices, self.frozen = set(), {}, set()
        self.line, self.stops, self.cleared, self.calibrated = {}, {}, {}, {}
        terms = (GENESIS_MS, GENESIS_MS + 300 * DAY, 10**6, "")
        self.permits = {(f"farm-{i}", False): [terms] for i in range(3)}

    # Money and blocks.

    @property
    def epoch(self):
        return (self.height - 1) // EPOCH

    def move(self, payer, payee, units):
        if self.units[payer] < units:
            return "insufficient_funds"
        self.units[payer] -= units
        self.units[payee] += units
        return ""

    def fee(self, who, units):
        self.units[who] -= units
        self.fees += units

    def reward(self, name, units):
        v = self.validators[name]
        delegated = v.all_shares - v.shares[v.owner]
        gross = units * delegated // v.all_shares if delegated else 0
        net = gross - gross * v.commission // 10_000
        self.units[v.owner] += units - net
        self.units["rewards"] += net
        v.rewards += net
        if net:
            each, v.rest = divmod(net * PARTS + v.rest, delegated)
            for who, shares in v.shares.items():
                if who != v.owner:
                    v.parts[who] += shares * each

    def end_block(self, proposer):
        mine = [n for n, v in self.validators.items() if v.owner == proposer]
        if mine:
            self.reward(mine[0], self.fees)
        else:
            self.units[proposer] += self.fees
        self.fees = 0
        self.pay_claims()
        if self.height % EPOCH == 0:
            self.end_epoch()
        due = [c for c in self.changes if c[0] <= self.height + 1]
        for _, value in sorted(due, key=lambda c: c[0]):
            self.deposit = value
        self.changes = [c for c in self.changes if c not in due]

    def share_levy(self):
        seats = self.committees[self.epoch]
        free = [n for n in seats if not self.validators[n].jailed]
        order = sorted(free, key=self.keys.__getitem__)
        levy = self.units["validators"]
        if levy and free:
            self.units["validators"] = 0
            for name, part in zip(order, shared(levy, [seats[n] for n in order]), strict=True):
                self.reward(name, part)

    def end_epoch(self):
        self.share_levy()
        each, self.units["attestors"] = divmod(self.units["attestors"], len(ATTESTORS))
        for name in ATTESTORS:
            self.units[name] += each
        free = {n: v.stake for n, v in self.validators.items() if v.stake and not v.jailed}
        self.committees[self.epoch + 2] = free or self.committees[self.epoch + 1]

    # Staking.

    def bond_stake(self, who, name, units):
        v = self.validators[name]
        if not units:
            return "zero_units"
        if v.all_shares and not v.stake:
            return "empty_stake"
        shares = units * v.all_shares // v.stake if v.stake else units
        if not 0 < shares <= UNITS_MAX - v.all_shares:
            return "stake_out_of_range"
        if self.units[who] < units:
            return "insufficient_funds"
        self.share_levy()
        self.move(who, "stake", units)
        v.shares[who] += shares
        v.stake += units
        return ""

    def unbond(self, who, name, units):
        v = self.validators[name]
        if not units:
            return "zero_units"
        if units > v.worth(who):
            return "short_stake"
        shares = -(-units * v.all_shares // v.stake) if units < v.worth(who) else v.shares[who]
        begun, left, held = self.pools.get((name, self.epoch), (0, 0, 0))
        if held and not left:
            return "empty_stake"
        tickets = units * held // left if left else units
        if not tickets:
            return "stake_out_of_range"
        v.shares[who] -= shares
        v.stake -= units
        if not v.shares[who] and who != v.owner:
            self.take(who, v)
            v.rest += v.parts.pop(who, 0)
        self.pools[name, self.epoch] = (begun + units, left + units, held + tickets)
        ticket = (name, self.epoch, who)
        self.tickets[ticket] = self.tickets.get(ticket, 0) + tickets
        return ""

    def take(self, who, v):
        units, v.parts[who] = divmod(v.parts[who], PARTS)
        v.rewards -= units
        self.units["rewards"] -= units
        self.units[who] += units
        return units

    def claim_rewards(self, who, name):
        v = self.validators[name]
        return "" if who != v.owner and self.take(who, v) else "no_rewards"

    def claim_unbonded(self, who, name, epoch):
        ticket = self.tickets.get((name, epoch, who))
        if ticket is None:
            return "nothing_unbonded"
        if self.epoch < epoch + UNBONDING:
            return "immature"
        begun, left, held = self.pools[name, epoch]
        units = left * ticket // held
        self.pools[name, epoch] = (begun, left - units, held - ticket)
        del self.tickets[name, epoch, who]
        return self.move("stake", who, units)

    def accuse(self, who, name, epoch, view):
        if not self.epoch - EVIDENCE <= epoch <= self.epoch:
            return "evidence_too_old"
        seats = self.committees[epoch]
        if name not in seats:
            return "not_a_member"
        if (name, epoch, view) in self.offences:
            return "known_offence"
        v = self.validators[name]
        if (name, epoch) in self.spent or self.paid[name, epoch] == seats[name]:
            return "nothing_at_stake"
        own = 0
        owed = left = min(-(-seats[name] // 20), seats[name] - self.paid[name, epoch])
        for began in range(max(epoch - 1, 0), self.epoch + 1):
            if (name, began) in self.pools:
                begun, units, held = self.pools[name, began]
                cut = min(-(-begun // 20), units, left)
                self.pools[name, began] = (begun, units - cut, held)
                own += cut * self.tickets.get((name, began, v.owner), 0) // max(held, 1)
                left -= cut
        cut = min(v.stake, left)
        taken = owed - left + cut
        if not taken:
            self.spent.add((name, epoch))
        own += cut * v.shares[v.owner] // max(v.all_shares, 1)
        v.stake -= cut
        self.offences.add((name, epoch, view))
        self.paid[name, epoch] += taken
        told = min(taken // 20, own)
        self.move("stake", who, told)
        self.move("stake", "reserve", taken - told)
        v.jailed = max(v.jailed, self.epoch + JAIL)
        return ""

    def unjail(self, who, name):
        v = self.validators[name]
        if v.owner != who:
            return "foreign_validator"
        if not v.jailed:
            return "not_jailed"
        if self.epoch < v.jailed:
            return "still_jailed"
        v.jailed = 0
        return ""
