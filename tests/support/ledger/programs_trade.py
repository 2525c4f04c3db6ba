"""Rules of random programs for price, subsidy, market, mandates and governance."""

import hypothesis.strategies as st
from hypothesis.stateful import precondition, rule

from ledger.primitives.hashing import Domain
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
from ledger.types.price import FeedPrice, FundSubsidy, SetSubsidy
from ledger.types.transfer import Redemption
from tests.support.ledger.dairy import bill
from tests.support.ledger.model_trade import DAY
from tests.support.ledger.programs import (
    ADDRESS,
    NONE,
    amounts,
    baskets,
    extremes,
    mostly,
    people,
    picks,
)


class TradePrograms:
    """Mixed into the machine, which sends and compares."""

    # Price, subsidy, market, mandates, governance.

    @rule(value=st.integers(10**5, 10**8))
    def feed(self, value):
        self.send("alice", FeedPrice(self.model.round, value), lambda: self.model.feed(value))

    @rule(who=people, units=amounts)
    def fund(self, who, units):
        self.send(who, FundSubsidy(units), lambda: self.model.fund(who, units))

    @rule(rate=st.integers(0, 3 * 10**6), cap=st.integers(0, bill(30)) | extremes)
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
        self.send("carol", RuleDispute(deal, units), lambda: self.model.rule("carol", deal, units))

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

    @rule(pick=picks, parts=baskets, tidy=mostly)
    def charge(self, pick, parts, tidy):
        name = self.pick(self.model.mandates, pick) or NONE
        basket = self.fill(parts, tidy=tidy)
        redeem = tuple(Redemption(lot, units) for lot, units in basket)
        body = ChargeMandate(name, NONE, redeem)
        self.send("bob", body, lambda: self.model.charge(name, basket))

    @precondition(lambda self: self.model.mandates)
    @rule(who=people, pick=picks)
    def cancel(self, who, pick):
        m, name = self.model, self.pick(self.model.mandates, pick)

        def decide():
            if m.mandates[name]["payer"] != who and m.time < m.mandates[name]["end"]:
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
