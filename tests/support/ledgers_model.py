"""What a person with a pencil would keep of the ledger: dictionaries and plain sums.

`Model` decides for itself what becomes of every transaction and gives the code. It pushes where
the ledger pulls (rewards are written to each delegator at once), and copies nothing from it but
the law. Names stand for accounts; the law's own accounts bear their own names.
"""

from collections import defaultdict
from fractions import Fraction

from tests.support.ledgers import FEE, bill

DAY = 86_400_000
EPOCH, UNBONDING, EVIDENCE, JAIL = 3, 4, 2, 2
ATTESTORS = [f"attestor-{i}" for i in range(4)]
PARTS = 1 << 64


def shared(total, weights):
    """Whole parts by largest remainder, equal remainders to the earlier."""
    exact = [Fraction(total) * weight / sum(weights) for weight in weights]
    parts = [int(each) for each in exact]
    order = sorted(range(len(parts)), key=lambda i: (parts[i] - exact[i], i))
    for i in order[: total - sum(parts)]:
        parts[i] += 1
    return parts


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


class Model:
    def __init__(self, units, stakes, keys, farmers):
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
        self.offences, self.paid = set(), defaultdict(int)
        self.lots, self.products, self.runs = {}, {}, set()
        self.tank, self.tank_sealed, self.tank_lost = {}, 0, 0
        self.oldest = 0
        self.sealed, self.challenges = {}, {}
        self.bond = self.deficit = self.stock_deficit = self.minted = self.redeemed = 0
        self.price = self.day = self.day_ms = self.price_ms = self.round = 0
        self.rate = self.cap = self.funded = 0
        self.claims, self.months = [], {}
        self.offers, self.deals, self.mandates = {}, {}, {}
        self.deposit, self.changes = bill(10), []
        self.roles, self.devices = set(), {}

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

    def fee(self, who):
        self.units[who] -= FEE
        self.fees += FEE

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
        if self.height % EPOCH == 0:
            self.end_epoch()
        due = [c for c in self.changes if c[0] <= self.height + 1]
        for _, value in sorted(due, key=lambda c: c[0]):
            self.deposit = value
        self.changes = [c for c in self.changes if c not in due]

    def end_epoch(self):
        seats = self.committees[self.epoch]
        order = sorted(seats, key=self.keys.__getitem__)
        levy, self.units["validators"] = self.units["validators"], 0
        if levy:
            for name, part in zip(order, shared(levy, [seats[n] for n in order]), strict=True):
                self.reward(name, part)
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
        if not shares:
            return "stake_out_of_range"
        if code := self.move(who, "stake", units):
            return code
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
        owed = left = min(-(-seats[name] // 20), seats[name] - self.paid[name, epoch])
        for began in range(max(epoch - 1, 0), self.epoch + 1):
            if (name, began) in self.pools:
                begun, units, held = self.pools[name, began]
                cut = min(-(-begun // 20), units, left)
                self.pools[name, began] = (begun, units - cut, held)
                left -= cut
        cut = min(v.stake, left)
        taken = owed - left + cut
        if not taken:
            return "nothing_at_stake"
        v.stake -= cut
        self.offences.add((name, epoch, view))
        self.paid[name, epoch] += taken
        self.move("stake", who, taken // 20)
        self.move("stake", "reserve", taken - taken // 20)
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

    # Milk.

    def sellable(self, name, units):
        lot_name = self.products[name][0] if name in self.products else name
        lot = self.lots[lot_name]
        packed = name in self.products
        unsold = lot["unsold"]
        left = min(self.products[name][1], unsold) if packed else lot["left"] - unsold
        return "short_lot" if units > left else "", lot, packed

    def sale_date(self, lot):
        if self.time >= lot["expires"]:
            return "expired_lot"
        return "unsound_lot" if lot["status"] != "sound" else ""

    def sell(self, name, lot, packed, units):
        lot["left"] -= units
        self.redeemed += units
        if packed:
            lot["unsold"] -= units
            self.products[name][1] -= units

    def pay(self, who, to, units, name=None, burned=0):
        if units == 0 or (name and not burned):
            return "zero_units"
        if name:
            if burned > units:
                return "redeems_too_much"
            code, lot, packed = self.sellable(name, burned)
            if code:
                return code
        if self.units[who] < units:
            return "insufficient_funds"
        if name:
            if code := self.sale_date(lot):
                return code
            self.sell(name, lot, packed, burned)
        self.units[who] -= units
        self.units[to] += units - burned
        return ""

    def collect(self, farm, units, first_ms):
        self.oldest = min(self.oldest, first_ms) if self.tank else first_ms
        self.tank[farm] = self.tank.get(farm, 0) + units
        return ""

    def draw(self, units):
        if not units:
            return "zero_units", {}
        if sum(self.tank.values()) < units:
            return "short_tank", {}
        farms = sorted(self.tank, key=self.keys.__getitem__)
        parts = shared(units, [self.tank[farm] for farm in farms])
        for farm, part in zip(farms, parts, strict=True):
            self.tank[farm] -= part
        self.tank = {farm: held for farm, held in self.tank.items() if held}
        return "", {farm: part for farm, part in zip(farms, parts, strict=True) if part}

    def seal(self, run, units):
        code, parts = self.draw(units)
        if not code:
            self.sealed[run] = (parts, self.oldest)
        return code

    def split(self, brought, units):
        validators, attestors, reserve = units * 12 // 1_000, units * 8 // 1_000, units // 100
        mmu = units * 7 // 100
        rest = units - validators - attestors - reserve - mmu
        return mmu, validators, attestors, reserve, shared(rest, list(brought.values()))

    def mint(self, name, brought, units, expires, old=None, age=0):
        """Mint a lot, or roll an old one onto it."""
        if old is None and self.deficit:
            return "deficit_open"
        if age > 3 * DAY:
            return "old_milk"
        rolled = 0
        if old is not None:
            lot = self.lots[old]
            if lot["mmu"] != "mmu":
                return "foreign_lot"
            if not lot["left"]:
                return "short_lot"
            if self.time < lot["expires"]:
                return "fresh_lot"
            rolled = min(units, lot["left"])
        mmu, validators, attestors, reserve, farms = self.split(brought, units - rolled)
        bought = self.split(brought, rolled)[4]
        if self.units["mmu"] + mmu < sum(bought):
            return "insufficient_funds"
        self.runs.add(name)
        self.lots[name] = {
            "left": units, "unsold": 0, "expires": expires, "status": "sound", "mmu": "mmu",
            "units": units,
        }  # fmt: skip
        self.minted += units
        self.subsidies(brought, units)
        if rolled:
            self.lose(lot, rolled)
            self.redeemed += rolled
        self.units["mmu"] += mmu - sum(bought)
        self.units["validators"] += validators
        self.units["attestors"] += attestors
        self.units["reserve"] += reserve
        for farm, part, more in zip(brought, farms, bought, strict=True):
            self.units[farm] += part + more
        return ""

    @staticmethod
    def lose(lot, units):
        lot["left"] -= units
        lot["unsold"] = min(lot["unsold"], lot["left"])

    def pack(self, who, name, lot_name, packs, each):
        lot = self.lots[lot_name]
        if lot["mmu"] != who:
            return "foreign_lot"
        if packs * each > lot["left"] - lot["unsold"]:
            return "short_lot"
        if code := self.sale_date(lot):
            return code
        lot["unsold"] += packs * each
        self.products[name] = [lot_name, packs * each]
        return ""

    def burn(self, lot, units, *, blamed):
        sources = ["bonds", "reserve"] if blamed else ["reserve", "bonds"]
        left = units
        for source in sources:
            have = self.bond if source == "bonds" else self.units["reserve"]
            mine = source == "reserve" or lot["mmu"] == "mmu"
            cut = min(left, have) if mine else 0
            self.units[source] -= cut
            self.bond -= cut if source == "bonds" else 0
            left -= cut
        self.lose(lot, units)
        self.redeemed += units - left
        if lot["mmu"] == "mmu":
            self.deficit += left
        else:
            self.stock_deficit += left

    def write_off(self, who, lot_name, units, reason):
        lot = self.lots[lot_name]
        if not units:
            return "zero_units"
        if units > lot["left"] - (lot["unsold"] if reason == "spilled" else 0):
            return "short_lot"
        if reason == "spilled" and lot["mmu"] != who:
            return "foreign_lot"
        fresh = {"expired": self.time < lot["expires"], "recalled": lot["status"] != "recalled"}
        if fresh.get(reason):
            return "fresh_lot"
        self.burn(lot, units, blamed=reason == "spilled")
        return ""

    def post_bond(self, who, units):
        if who != "mmu":
            return "role_missing"
        if not units:
            return "zero_units"
        if self.units[who] < units:
            return "insufficient_funds"
        covered = min(self.deficit, units)
        self.units[who] -= units
        self.units["bonds"] += units - covered
        self.bond += units - covered
        self.deficit -= covered
        self.redeemed += covered
        return ""

    def challenge(self, who, lot_name, deposit):
        if lot_name in self.challenges:
            return "challenged_already"
        if deposit < self.deposit:
            return "low_deposit"
        if code := self.move(who, "deposits", deposit):
            return code
        self.challenges[lot_name] = (who, deposit)
        return ""

    def resolve(self, lot_name, false_units):
        if lot_name not in self.challenges:
            return "not_challenged"
        lot = self.lots[lot_name]
        if false_units > lot["units"]:
            return "false_units_over_lot"
        who, deposit = self.challenges.pop(lot_name)
        if not false_units:
            return self.move("deposits", "mmu" if lot["mmu"] == "mmu" else "reserve", deposit)
        self.move("deposits", who, deposit)
        gone = min(false_units, lot["left"])
        self.burn(lot, gone, blamed=True)
        if lot["mmu"] != "mmu":
            return ""
        cut = min(self.bond, false_units - gone)
        self.bond -= cut
        return self.move("bonds", "reserve", cut)

    # Price, subsidy, market, mandates.

    def feed(self, value):
        if not self.price:
            self.price = self.day = min(max(value, 10**6), 50 * 10**6)
            self.day_ms = self.time
        else:
            if self.time - self.day_ms >= DAY:
                self.day, self.day_ms = self.price, self.time
            low, high = -(-self.day * 95 // 100), self.day * 105 // 100
            self.price = min(max(min(max(value, low), high), 10**6), 50 * 10**6)
        self.price_ms = self.time
        self.round += 1
        return ""

    def subsidies(self, brought, units):
        if not self.rate or not self.price:
            return
        for farm, part in zip(brought, shared(units, list(brought.values())), strict=True):
            if farm not in self.farmers:
                continue
            month = self.time // (30 * DAY)
            had = self.months.get((farm, month), 0)
            claim = min(part * self.rate // self.price, max(0, self.cap - had))
            if claim:
                self.months[farm, month] = had + claim
                self.claims.append([farm, claim])
        self.pay_claims()

    def pay_claims(self):
        while self.claims and self.units["subsidy"]:
            farm, claim = self.claims[0]
            part = min(claim, self.units["subsidy"])
            self.move("subsidy", farm, part)
            self.claims[0][1] -= part
            if part == claim:
                self.claims.pop(0)

    def fund(self, who, units):
        if not units:
            return "zero_units"
        code = self.move(who, "subsidy", units)
        if not code:
            self.pay_claims()
        return code

    def accept(self, who, name, offer, quantity):
        seller, price, left, until = self.offers.get(offer, (None, 0, 0, 0))
        if not left:
            return "unknown_offer"
        if seller == who:
            return "own_offer"
        if left < quantity:
            return "short_offer"
        if until <= self.time:
            return "offer_over"
        if code := self.move(who, "escrow", price * quantity):
            return code
        self.offers[offer] = (seller, price, left - quantity, until)
        self.deals[name] = [who, seller, price * quantity, self.time, False]
        return ""

    def confirm(self, who, name):
        if name not in self.deals:
            return "unknown_deal"
        buyer, seller, units, at, disputed = self.deals[name]
        if who == seller:
            if disputed:
                return "deal_disputed"
            if self.time < at + 3 * DAY:
                return "not_yet_released"
        elif who != buyer:
            return "foreign_deal"
        del self.deals[name]
        return self.move("escrow", seller, units)

    def dispute(self, who, name):
        if name not in self.deals:
            return "unknown_deal"
        if self.deals[name][0] != who:
            return "foreign_deal"
        if self.deals[name][4]:
            return "deal_disputed"
        self.deals[name][4] = True
        return ""

    def rule(self, name, units):
        if name not in self.deals:
            return "unknown_deal"
        buyer, seller, held, _, disputed = self.deals[name]
        if not disputed:
            return "deal_undisputed"
        if units > held:
            return "ruling_over_deal"
        del self.deals[name]
        self.move("escrow", buyer, units)
        return self.move("escrow", seller, held - units)

    def charge(self, name):
        mandate = self.mandates.get(name)
        if mandate is None:
            return "unknown_mandate"
        if self.time >= mandate["end"]:
            return "mandate_over"
        period = (self.time - mandate["start"]) // mandate["period"]
        if period in mandate["charged"]:
            return "period_charged"
        per = 10**6
        if mandate["mode"] == "market":
            if not self.price:
                return "no_price"
            if self.time - self.price_ms > 2 * DAY:
                return "stale_price"
            per = self.price
        units = mandate["milk"] * mandate["price"] // per
        if not units:
            return "zero_units"
        if units > mandate["cap"]:
            return "over_charge_cap"
        if sum(mandate["charged"].values()) + units > mandate["total"]:
            return "over_total_cap"
        if code := self.move(mandate["payer"], "bob", units):
            return code
        mandate["charged"][period] = units
        return ""
