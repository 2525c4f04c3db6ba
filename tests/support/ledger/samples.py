"""One good transaction body of every type, for codecs and vectors. Made from fixed keys alone."""

from ledger.primitives.keys import PublicKey
from ledger.state.records import Role
from ledger.types.doubt import AskEvidence, RefuteLot, ShowEvidence, VoidUnanswered
from ledger.types.governance import SetParameter
from ledger.types.line import (
    AmendLine,
    ClearDevice,
    PermitCollector,
    ReportTamper,
    StopDevice,
)
from ledger.types.mandate import CancelMandate, ChargeMandate, GrantMandate, PriceMode
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
    FreezeLot,
    LossReason,
    PackLot,
    PostBond,
    RecallLot,
    ReleaseBond,
    ResolveChallenge,
    WriteOff,
)
from ledger.types.price import FeedPrice, FundSubsidy, SetSubsidy
from ledger.types.registry import (
    CalibrateDevice,
    FreezeAccount,
    GrantRole,
    RegisterDevice,
    RevokeDevice,
    RevokeRole,
)
from ledger.types.staking import (
    Bond,
    ClaimRewards,
    ClaimUnbonded,
    RegisterValidator,
    Unbond,
    Unjail,
)
from ledger.types.tank import CondemnMilk, CondemnReason, MoveMilk
from ledger.types.transaction import Body
from ledger.types.transfer import Redemption
from ledger.types.window import ReleaseShare, RollWindow
from tests.support.ledger.dairy import NOW_MS, PLANT, key
from tests.support.ledger.lines import register, tampered
from tests.support.ledger.milking import Milking
from tests.support.ledger.town import Town

NAME = bytes(range(32))
"""A hash of something."""


def sample_bodies(town: Town) -> list[Body]:
    """One body of each type, in the order of the law's table."""
    dairy, alice, mmu = town.dairy, Town.address("alice"), Town.address("mmu")
    vote, device = PublicKey(key("vote-new").public), key("new").public
    batch = Milking(dairy).next()
    window, collection = batch.mint, batch.collections[0]
    meter = collection.meter
    until = NOW_MS + 1_000_000
    sale = (Redemption(NAME, 5), Redemption(NAME[::-1], 3))
    return [
        dairy.pay(alice, 9, (NAME, 5), (NAME[::-1], 3)),
        RegisterValidator(vote, key("vrf-new").public, "new", 500, bytes(64)),
        Bond(vote, 7),
        Unbond(vote, 7),
        ClaimUnbonded(vote, 3),
        ClaimRewards(vote),
        Unjail(vote),
        town.evidence(key("vote-new")),
        RegisterDevice(device, "flow_meter", PLANT, mmu, until, 12_000),
        CalibrateDevice(device, until),
        RevokeDevice(device),
        GrantRole(Role.LAB, alice),
        RevokeRole(Role.LAB, alice),
        FreezeAccount(alice, True),
        window,
        RollWindow(NAME, window),
        ReleaseShare(NAME),
        collection,
        MoveMilk(PLANT, "tank-1", "tank-2", 5),
        CondemnMilk(NAME, 5, CondemnReason.SPOILED),
        PackLot(NAME, 12, 1_000_000),
        WriteOff(NAME, 5, LossReason.EXPIRED),
        ChallengeLot(NAME, 10_000_000, NAME),
        ResolveChallenge(NAME, alice, 5),
        RefuteLot(NAME, 1, meter, (collection.first, collection.last)),
        AskEvidence(NAME, device, 1, 5, 10_000_000),
        ShowEvidence(NAME, meter, 1, 5, (collection.first,)),
        VoidUnanswered(NAME, device, 1, 5),
        FreezeLot(NAME, True),
        RecallLot(NAME),
        PostBond(5),
        ReleaseBond(mmu, 5),
        FeedPrice(4, 5_000_000),
        FundSubsidy(5),
        SetSubsidy(1_000_000, 5),
        OfferService(ServiceKind.VETERINARY, 5, 3, until, NAME),
        AcceptOffer(NAME, 2),
        ConfirmDelivery(NAME),
        DisputeOffer(NAME, NAME),
        RuleDispute(NAME, 5),
        GrantMandate(alice, 86_400_000, 5, PriceMode.RINGGIT_A_LITRE, 7, 8, 9, until),
        ChargeMandate(NAME, bytes(32), sale),
        CancelMandate(NAME),
        SetParameter("fee_least_units", 5, 100),
        register(dairy),
        AmendLine(NAME, (device,), (vote,)),
        StopDevice(device, NOW_MS),
        ReportTamper(tampered(dairy)),
        ClearDevice(device, 1, 7),
        PermitCollector(mmu, device, alice, 2_000, until),
    ]
