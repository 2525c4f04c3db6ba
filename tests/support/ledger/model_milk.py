"""The model's milk: tanks, lots, packs, losses and challenges, in dictionaries.

Part of `tests.support.ledger.model`, which has the money and the clock.
"""

import copy

from tests.support.ledger.dairy import bill
from tests.support.ledger.model_trade import DAY, shared

BOND_LEAST = bill(15)
"""What an MMU must vouch with to mint."""


class MilkModel:
    """What becomes of milk."""

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

    def judge_basket(self, basket):
        """Say what is wrong with a basket before anything is taken."""
        names = [name for name, _ in basket]
        if not all(units for _, units in basket):
            return "zero_units"
        if names != sorted(set(names)):
            return "unordered_basket"
        codes = (self.sellable(name, units)[0] for name, units in basket)
        return next(filter(None, codes), "")

    def sell_basket(self, basket):
        for name, units in basket:
            code, lot, packed = self.sellable(name, units)
            if code := code or self.sale_date(lot):
                return code
            self.sell(name, lot, packed, units)
        return ""

    def wholly(self, act):
        """Do all of it; what is refused halfway leaves the milk as it was."""
        kept = copy.deepcopy((self.lots, self.products, self.redeemed))
        if code := act():
            self.lots, self.products, self.redeemed = kept
        return code

    def pay(self, who, to, units, basket=()):
        burned = sum(part for _, part in basket)
        if not units:
            return "zero_units"
        if code := self.judge_basket(basket):
            return code
        if burned > units:
            return "redeems_too_much"
        if self.units[who] < units:
            return "insufficient_funds"
        if code := self.wholly(lambda: self.sell_basket(basket)):
            return code
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
        if 0 < units <= sum(self.tank.values()) and self.time - self.oldest > 3 * DAY:
            return "old_milk"
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
        rolled = 0
        if old is not None:
            lot = self.lots[old]
            if lot["mmu"] != "mmu":
                return "foreign_lot"
            if not lot["left"]:
                return "short_lot"
            rolled = min(units, lot["left"])
            if self.deficit and units > rolled:
                return "deficit_open"
        if self.bond < BOND_LEAST:
            return "low_bond"
        if old is not None and self.time < lot["expires"]:
            return "fresh_lot"
        if age > 3 * DAY:
            return "old_milk"
        mmu, validators, attestors, reserve, farms = self.split(brought, units - rolled)
        bought = self.split(brought, rolled)[4]
        if self.units["mmu"] + mmu < sum(bought):
            return "insufficient_funds"
        self.runs.add(name)
        self.lots[name] = {
            "left": units, "unsold": 0, "expires": expires, "status": "sound", "mmu": "mmu",
            "units": units, "false": 0,
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
        if who != "mmu":
            return "role_missing"
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
        if lot["mmu"] != "mmu" and self.units["reserve"] < units:
            return "short_reserve"
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
        self.deficit += left
        return ""

    def write_off(self, who, lot_name, units, reason):
        lot = self.lots[lot_name]
        if not units:
            return "zero_units"
        if units > lot["left"] - (lot["unsold"] if reason == "spilled" else 0):
            return "short_lot"
        if reason == "spilled" and lot["mmu"] != who:
            return "foreign_lot"
        fresh_until = lot["expires"] + (0 if lot["mmu"] == who else DAY)
        fresh = {"expired": self.time < fresh_until, "recalled": lot["status"] != "recalled"}
        if fresh.get(reason):
            return "fresh_lot"
        return self.burn(lot, units, blamed=reason == "spilled")

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
        if self.lots[lot_name]["mmu"] == who:
            return "own_cause"
        if (lot_name, who) in self.challenges:
            return "challenged_already"
        if deposit < self.deposit:
            return "low_deposit"
        if code := self.move(who, "deposits", deposit):
            return code
        lot = self.lots[lot_name]
        if lot["mmu"] == "mmu" and not self.doubters(lot_name):
            self.held[lot_name] = lot["units"] - lot["false"]
        self.challenges[lot_name, who] = deposit
        return ""

    def doubters(self, lot_name):
        return [who for lot, who in self.challenges if lot == lot_name]

    def resolve(self, judge, lot_name, who, false_units):
        if (lot_name, who) not in self.challenges:
            return "not_challenged"
        lot = self.lots[lot_name]
        deposit = self.challenges[lot_name, who]
        if who == judge:
            return "own_cause"
        if false_units > lot["units"] - lot["false"]:
            return "false_units_over_lot"
        gone = min(false_units, lot["left"])
        if code := self.burn(lot, gone, blamed=True):
            return code
        del self.challenges[lot_name, who]
        if not self.doubters(lot_name):
            self.held.pop(lot_name, None)
        if not false_units:
            return self.move("deposits", "reserve", deposit)
        self.move("deposits", who, deposit)
        lot["false"] += false_units
        if lot["mmu"] != "mmu":
            return ""
        cut = min(self.bond, false_units - gone)
        self.bond -= cut
        return self.move("bonds", "reserve", cut)
