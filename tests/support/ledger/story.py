"""A town in which everything has happened once: milk, trade, mandates, stake, doubts and slashing.

For tests that need a full state rather than a law at a time.
"""

from ledger.genesis import genesis_block
from ledger.invariants import Place
from ledger.params import DAY_MS, HOUR_MS
from ledger.primitives.amounts import Units
from ledger.primitives.hashing import Domain, Hash
from ledger.rules.context import Call
from ledger.state import tables as t
from ledger.state.names import epoch_name
from ledger.state.records import Role
from ledger.types.line import PermitCollector
from ledger.types.mandate import ChargeMandate, GrantMandate, PriceMode
from ledger.types.market import (
    AcceptOffer,
    ConfirmDelivery,
    DisputeOffer,
    OfferService,
    RuleDispute,
    ServiceKind,
)
from ledger.types.milk import (
    ChallengeLot,
    LossReason,
    PackLot,
    PostBond,
    ReleaseBond,
    ResolveChallenge,
    WriteOff,
)
from ledger.types.price import FeedPrice, SetSubsidy
from ledger.types.registry import GrantRole
from ledger.types.staking import Bond, Unbond
from ledger.types.tank import MoveMilk
from ledger.types.transaction import Body
from tests.support.ledger.dairy import PLANT, Dairy, bill, key
from tests.support.ledger.metering import MINUTE_MS, MeteredTown
from tests.support.ledger.town import PURSES, parameters

LICENCES = {
    "bob": Role.MERCHANT,
    "carol": Role.ARBITER,
    "alice": Role.ORACLE,
    "treasury": Role.TREASURY,
    "farm-0": Role.FARMER,
    "farm-1": Role.FARMER,
}


class Story(MeteredTown):
    """A town in which milk was tanked, minted, packed, sold, doubted; stake bonded and slashed."""

    def __init__(self) -> None:
        # What it vouches with does not reach for what will be found false.
        rules = parameters(staking={"epoch_blocks": 5}, mmu_bond_least_units=bill(1))
        super().__init__(Dairy(parameters=rules, balances=PURSES, bond=bill(30), farms=4))
        self.stock = self.dairy.genesis.stock[0].lot_id()
        for who, role in LICENCES.items():
            self.must("regulator", GrantRole(role, self.address(who)))
        self.milk()
        self.trade()
        self.raw_milk()
        self.stakes()
        self.wait(3)
        self.close()

    def must(self, who: str, body: Body) -> None:
        """Do what the law must take."""
        code = self.do(who, body)
        assert code == "", (type(body).__name__, code)

    def name(self, who: str, domain: Domain) -> Hash:
        """Name what somebody's next transaction makes."""
        return Call(self.address(who), t.account(self.state, self.address(who)).nonce, 0).name(
            domain
        )

    def milk(self) -> None:
        dairy, mmu = self.dairy, self.address("mmu")
        self.must("alice", FeedPrice(0, 10_000_000))
        self.must("treasury", SetSubsidy(1_000_000, bill(50)))
        self.lots = [self.make_lot() for _ in range(2)]
        self.pack = self.name("mmu", Domain.PRODUCT)
        self.must("mmu", PackLot(self.lots[0], 10, 1_000_000))
        self.must("alice", dairy.pay(self.address("bob"), bill(5), (self.pack, bill(4))))
        self.lots += [self.make_lot(20), self.make_lot()]
        self.must("regulator", ReleaseBond(mmu, bill(2)))
        self.must("alice", ChallengeLot(self.lots[0], bill(10), bytes(32)))
        self.must("alice", ChallengeLot(self.lots[3], bill(10), bytes(32)))
        self.must("carol", ResolveChallenge(self.lots[3], self.address("alice"), bill(90)))

    def trade(self) -> None:
        offer = self.name("bob", Domain.OFFER)
        until_ms = self.time_ms + DAY_MS
        self.must("bob", OfferService(ServiceKind.FEED, Units(100), 10, until_ms, bytes(32)))
        self.offer, self.deals = offer, []
        for quantity in (3, 4, 1, 1):
            self.deals.append(self.name("alice", Domain.DEAL))
            self.must("alice", AcceptOffer(offer, quantity))
        self.must("alice", ConfirmDelivery(self.deals[2]))
        self.must("alice", DisputeOffer(self.deals[3], bytes(32)))
        self.must("carol", RuleDispute(self.deals[3], Units(40)))
        self.mandate = self.name("alice", Domain.MANDATE)
        granted = GrantMandate(
            self.address("bob"), HOUR_MS, bill(1), PriceMode.TOKENS_A_LITRE, 10**6, bill(5),
            bill(100), self.time_ms + 30 * DAY_MS,
        )  # fmt: skip
        self.must("alice", granted)
        self.time_ms += 5 * HOUR_MS
        self.must("bob", ChargeMandate(self.mandate, bytes(32), ()))

    def raw_milk(self) -> None:
        """Collect two farms' milk with their consent, passing some over, and move a part of it."""
        until_ms = self.time_ms + 30 * DAY_MS
        permit = PermitCollector(self.address("mmu"), bytes(32), bytes(32), 2_000, until_ms)
        for farm in ("farm-0", "farm-1"):
            self.must(farm, permit)
        self.time_ms += HOUR_MS
        self.must("mmu", self.collection(litres=60, ago_ms=50 * MINUTE_MS, boot=2))
        self.must("mmu", self.collection("meter-1", litres=40, ago_ms=40 * MINUTE_MS, boot=2))
        self.must(
            "mmu", self.collection(litres=70, seq=20, start=90_000, ago_ms=20 * MINUTE_MS, boot=2)
        )
        self.must("mmu", MoveMilk(PLANT, "raw", "silo", bill(90)))
        self.must("mmu", WriteOff(self.raw(), bill(5), LossReason.SPILLED))

    def stakes(self) -> None:
        voted = key("validator-0").public
        self.must("alice", Bond(voted, bill(7)))
        self.must("alice", Unbond(voted, bill(2)))
        self.must("mmu", PostBond(bill(3)))
        self.must("carol", self.evidence(key("validator-1"), epoch=0))

    @property
    def place(self) -> Place:
        """Say where the state stands."""
        committee = genesis_block(self.dairy.genesis).header.committee_hash
        epoch = (self.height - 1) // 5
        found = {
            each: t.COMMITTEES.get(self.state, epoch_name(each)).hash for each in (epoch, epoch + 1)
        }
        return Place(
            self.dairy.chain_id, self.height, self.time_ms, {0: committee, 1: committee} | found
        )
