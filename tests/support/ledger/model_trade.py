"""The model's trade: price, subsidy, market and mandates, in dictionaries.

Part of `tests.support.ledger.model`, which has the money and the clock.
"""

from fractions import Fraction

DAY = 86_400_000


def shared(total, weights):
    """Whole parts by largest remainder, equal remainders to the earlier."""
    exact = [Fraction(total) * weight / sum(weights) for weight in weights]
    parts = [int(each) for each in exact]
    order = sorted(range(len(parts)), key=lambda i: (parts[i] - exact[i], i))
    for i in order[: total - sum(parts)]:
        parts[i] += 1
    return parts


class TradeModel:
    """What is paid beside sales."""

    # Price, subsidy, market, mandates.

    def feed(self, value):
        hour = self.time // (DAY // 24)
        if self.price:
            lately = [self.price, *(p for when, p in self.prices if when >= hour - 24)]
            low, high = -(-max(lately) * 95 // 100), min(lately) * 105 // 100
            value = min(max(value, low), high)
            self.prices.append((hour, self.price))
        self.price = min(max(value, 10**6), 50 * 10**6)
        self.prices.append((hour, self.price))
        self.price_ms = self.time
        self.round += 1
        return ""

    def subsidies(self, brought):
        if not self.rate or not self.price:
            return
        for farm, part in brought.items():
            if farm not in self.farmers:
                continue
            month = self.time // (30 * DAY)
            had = self.months.get((farm, month), 0)
            claim = min(part * self.rate // self.price, max(0, self.cap - had))
            if claim:
                self.months[farm, month] = had + claim
                self.claims.append([farm, claim])

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
        return self.move(who, "subsidy", units)

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
            if buyer in self.frozen:
                return "buyer_frozen"
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

    def rule(self, judge, name, units):
        if name not in self.deals:
            return "unknown_deal"
        buyer, seller, held, _, disputed = self.deals[name]
        if judge in (buyer, seller) and (judge, units) != (seller, held):
            return "own_cause"
        if not disputed and judge != seller:
            return "deal_undisputed"
        if units > held:
            return "ruling_over_deal"
        del self.deals[name]
        self.move("escrow", buyer, units)
        return self.move("escrow", seller, held - units)

    def charge(self, name, basket=()):
        mandate = self.mandates.get(name)
        if mandate is None:
            return "unknown_mandate"
        if mandate["payer"] in self.frozen:
            return "payer_frozen"
        if code := self.judge_basket(basket):
            return code
        if self.time >= mandate["end"]:
            return "mandate_over"
        period = (self.time - mandate["start"]) // mandate["period"]
        if period in mandate["charged"]:
            return "period_charged"
        code, per = self.price_of_token(mandate["mode"])
        if code:
            return code
        units = mandate["milk"] * mandate["price"] // per
        if not units:
            return "zero_units"
        if units > mandate["cap"]:
            return "over_charge_cap"
        if sum(mandate["charged"].values()) + units > mandate["total"]:
            return "over_total_cap"
        code = self.wholly(lambda: self.collect_charge(mandate["payer"], units, basket))
        if not code:
            mandate["charged"][period] = units
        return code

    def price_of_token(self, mode):
        if mode == "tokens_a_litre":
            return "", 10**6
        if not self.price:
            return "no_price", 0
        return ("stale_price" if self.time - self.price_ms > 2 * DAY else ""), self.price

    def collect_charge(self, payer, units, basket):
        burned = sum(part for _, part in basket)
        if code := self.sell_basket(basket):
            return code
        if burned > units:
            return "redeems_too_much"
        if code := self.move(payer, "bob", units):
            return code
        self.units["bob"] -= burned
        return ""
