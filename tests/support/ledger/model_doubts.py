"""The model's bonds and doubts: what an MMU must vouch with, and how its lots turn out false.

Part of `tests.support.ledger.model`, which has the money and the clock.
"""

from tests.support.ledger.model_trade import DAY

BOND_LEAST = 15 * 10**6
"""What an MMU must vouch with to mint."""
BOND_BP = 2_000
CONTESTED_MS = 2 * DAY
ANSWER_MS = 60_000


class DoubtModel:
    """Who stands for what, and for how long."""

    # Bonds.

    @property
    def bond_day(self):
        return self.time // (CONTESTED_MS // 14)

    def minted_lately(self):
        return sum(units for day, units in self.vouched if day >= self.bond_day - 14)

    def bond_needed(self, more=0):
        return max(BOND_LEAST, -(-(self.minted_lately() + more) * BOND_BP // 10_000))

    def vouched_for(self, units):
        """What a line mints beyond twice its mean of 28 days counts fourfold."""
        today = self.bond_day
        if not self.line_days or today - self.line_days[0][0] < 28:
            return units
        earlier = sum(part for day, part in self.line_days if today - 28 <= day < today)
        now = units + sum(part for day, part in self.line_days if day == today)
        over = max(0, 28 * now - 2 * earlier) // 28
        return units + 3 * min(over, units)

    def release_bond(self, units):
        if not units or units > self.bond:
            return "short_bond" if units else "zero_units"
        bound = self.bond_needed() if self.minted_lately() else 0
        if self.bond - units < bound + sum(self.held.values()):
            return "bound_bond"
        self.bond -= units
        return self.move("bonds", "mmu", units)

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

    # Doubts.

    def doubts(self, name):
        return [each for each in (*self.challenges, *self.questions) if each[0] == name]

    def hold(self, name):
        """The first doubt about a lot holds its MMU's bond for as much as the lot has."""
        lot = self.lots[name]
        if lot["mmu"] == "mmu" and not self.doubts(name):
            self.held[name] = lot["units"] - lot["false"]

    def let_go(self, name):
        if not self.doubts(name):
            self.held.pop(name, None)

    def is_open(self, name):
        """Tell whether a new doubt may be raised; of stock of the genesis always."""
        until = self.lots[name].get("until")
        return until is None or self.time <= until

    def challenge(self, who, name, deposit):
        if self.lots[name]["mmu"] == who:
            return "own_cause"
        if (name, who) in self.challenges:
            return "challenged_already"
        if deposit < self.deposit:
            return "low_deposit"
        if self.units[who] < deposit:
            return "insufficient_funds"
        if not self.is_open(name):
            return "window_over"
        self.hold(name)
        self.challenges[name, who] = deposit
        return self.move(who, "deposits", deposit)

    def resolve(self, judge, name, who, false_units):
        if (name, who) not in self.challenges:
            return "not_challenged"
        lot, deposit = self.lots[name], self.challenges[name, who]
        if who == judge:
            return "own_cause"
        if false_units > lot["units"] - lot["false"]:
            return "false_units_over_lot"
        if code := self.find_false(name, false_units) if false_units else "":
            return code
        del self.challenges[name, who]
        self.let_go(name)
        return self.move("deposits", who if false_units else "reserve", deposit)

    def find_false(self, name, units):
        """The locked share of the lot pays, then the bond, then the reserve."""
        lot = self.lots[name]
        units = min(units, lot["units"] - lot["false"])
        gone = min(units, lot["left"])
        forfeit = min(lot["locked"], units)
        lot["locked"] -= forfeit
        self.bond += forfeit
        self.move("locked", "bonds", forfeit)
        if code := self.burn(lot, gone, blamed=True):
            return code
        lot["false"] += units
        if lot["mmu"] != "mmu":
            return ""
        cut = min(self.bond, units - gone)
        self.bond -= cut
        return self.move("bonds", "reserve", cut)

    def release_share(self, name):
        lot = self.lots[name]
        if not lot["locked"]:
            return "no_share"
        if self.is_open(name) or self.doubts(name):
            return "share_locked"
        units, lot["locked"] = lot["locked"], 0
        return self.move("locked", "mmu", units)

    def refute(self, name, number, *, doubled):
        lot = self.lots[name]
        if "until" not in lot:
            return "unproven_lot"
        if not (self.is_open(name) or self.doubts(name)):
            return "window_over"
        if number >= len(lot["intervals"]):
            return "unknown_interval"
        if lot["intervals"][number] is None:
            return "void_interval"
        if not doubled:
            return "nothing_refuted"
        units, lot["intervals"][number] = lot["intervals"][number], None
        return self.find_false(name, units)

    def ask(self, who, name, deposit):
        """Ask for the one reading of a lot that is ever asked for here."""
        if "until" not in self.lots[name]:
            return "unproven_lot"
        if who == "mmu":
            return "own_cause"
        if (name,) in self.questions:
            return "open_question"
        if deposit < self.deposit:
            return "low_deposit"
        if self.units[who] < deposit:
            return "insufficient_funds"
        if not self.is_open(name):
            return "window_over"
        self.hold(name)
        self.questions[name,] = (who, deposit, self.time)
        return self.move(who, "deposits", deposit)

    def show(self, name):
        if (name,) not in self.questions:
            return "unknown_question"
        _, deposit, _ = self.questions.pop((name,))
        self.let_go(name)
        return self.move("deposits", "reserve", deposit)

    def void_unanswered(self, name):
        if (name,) not in self.questions:
            return "unknown_question"
        who, deposit, asked = self.questions[name,]
        if self.time <= asked + ANSWER_MS:
            return "answer_pending"
        lot = self.lots[name]
        self.move("deposits", who, deposit)
        self.find_false(name, lot["units"])
        lot["intervals"] = [None] * len(lot["intervals"])
        del self.questions[name,]
        self.let_go(name)
        return ""
