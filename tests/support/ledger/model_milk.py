"""The model's milk: windows, lots, packs and losses, in dictionaries.

Part of `tests.support.ledger.model`, which has the money and the clock.
"""

import copy

from tests.support.ledger.model_doubts import BOND_LEAST, CONTESTED_MS, DoubtModel
from tests.support.ledger.model_tanks import SKEW, STEP, TankModel
from tests.support.ledger.model_trade import DAY, shared

SHELF = 2 * DAY


class MilkModel(TankModel, DoubtModel):
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

    def split(self, brought, units):
        validators, attestors, reserve = units * 12 // 1_000, units * 8 // 1_000, units // 100
        mmu = units * 7 // 100
        rest = units - validators - attestors - reserve - mmu
        return mmu, validators, attestors, reserve, shared(rest, list(brought.values()))

    def mint(self, claim, signers, old=None):
        """Take a window as done: mint a lot of what counted, or roll an old one onto it."""
        lot = None if old is None else self.lots[old]
        rolled = min(claim.units, lot["left"]) if lot else 0
        if code := self.may_mint(claim, lot, rolled) or self.window_holds(claim, signers):
            return code
        tank, brought = self.flow_out(claim)
        if tank is None:
            return "short_tank"
        bought = self.split(brought, rolled)[4] if rolled else [0] * len(brought)
        if self.units["mmu"] < sum(bought):
            return "insufficient_funds"
        self.tanks["tank-1"], self.through = tank, claim.to_ms
        if not claim.units:
            return ""
        self.units["mmu"] -= sum(bought)
        if lot:
            self.lose(lot, rolled)
            self.redeemed += rolled
        self.issue(claim, brought, claim.units - rolled, bought)
        return ""

    def may_mint(self, claim, lot, rolled):
        """Say what stops the MMU, whatever the window shows."""
        if lot:
            if lot["mmu"] != "mmu":
                return "foreign_lot"
            if not claim.units or not lot["left"]:
                return "short_lot" if claim.units else "zero_units"
        if lot and self.deficit and claim.units > rolled:
            return "deficit_open"
        if claim.from_ms != self.through:
            return "wrong_window"
        if not lot and claim.units and self.deficit:
            return "deficit_open"
        if claim.units and self.bond < BOND_LEAST:
            return "low_bond"
        return "fresh_lot" if lot and self.time < lot["expires"] else ""

    def window_holds(self, claim, signers):
        """Say what is wrong with a window that instruments and attestors stand behind."""
        if claim.to_ms > self.time + SKEW:
            return "wrong_window"
        if signers < 3:
            return "no_quorum"
        if not claim.units:
            return ""
        if not self.time + SHELF // 2 <= claim.expires_ms <= claim.intervals[0].from_ms + SHELF:
            return "bad_shelf_life"
        needed = self.bond_needed(self.vouched_for(claim.units))
        return "low_bond" if self.bond < needed else ""

    def issue(self, claim, brought, units, bought):
        """Make the lot; share what is new, the processor's part of it locked."""
        self.vouched.append((self.bond_day, self.vouched_for(claim.units)))
        self.line_days.append((self.bond_day, claim.units))
        locked, validators, attestors, reserve, farms = self.split(brought, units)
        self.lots[claim.lot_id()] = {
            "left": claim.units, "unsold": 0, "expires": claim.expires_ms, "status": "sound",
            "mmu": "mmu", "units": claim.units, "false": 0, "locked": locked,
            "until": self.time + CONTESTED_MS,
            "intervals": [each.steps * STEP for each in claim.intervals],
        }  # fmt: skip
        self.minted += claim.units
        self.subsidies(brought)
        self.units["locked"] += locked
        self.units["validators"] += validators
        self.units["attestors"] += attestors
        self.units["reserve"] += reserve
        for farm, part, more in zip(brought, farms, bought, strict=True):
            self.units[farm] += part + more

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

    def condemn(self, lot_name, units):
        lot = self.lots[lot_name]
        if not units or units > lot["left"]:
            return "short_lot" if units else "zero_units"
        return self.burn(lot, units, blamed=False)
