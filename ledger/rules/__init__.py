"""The rules: one module a family of transactions, and the table that leads to them.

| family     | module                   | bodies                                              |
|------------|--------------------------|-----------------------------------------------------|
| all        | `fees`                   | every transaction                                   |
|            |                          | (`table`, `context`, `claims` serve all)            |
| transfer   | `transfer`               | Transfer                                            |
| registry   | `registry`               | RegisterDevice, CalibrateDevice, RevokeDevice,      |
|            |                          | GrantRole, RevokeRole, FreezeAccount                |
| milk       | `milk`                   | MintLot, RollLot                                    |
|            |                          | (`proving`, `evidence`, `heat`, `measure` serve it) |
|            | `tanks`                  | RecordCollection, SealRun                           |
|            | `lots`                   | PackLot, FreezeLot, RecallLot                       |
|            | `losses`                 | WriteOff, PostBond, ReleaseBond                     |
|            | `challenges`             | ChallengeLot, ResolveChallenge                      |
|            |                          | (`books` counts what comes and what goes)           |
| staking    | `staking`, `slashing`    | RegisterValidator, Bond, Unbond, ClaimUnbonded,     |
|            |                          | ClaimRewards, Unjail, SubmitEvidence                |
|            |                          | (`epochs`, `rewards` serve it)                      |
| price      | `price`                  | FeedPrice                                           |
| subsidy    | `subsidy`                | FundSubsidy, SetSubsidy                             |
| market     | `market`                 | OfferService, AcceptOffer, ConfirmDelivery,         |
|            |                          | DisputeOffer, RuleDispute                           |
| mandate    | `mandate`                | GrantMandate, ChargeMandate, CancelMandate          |
| governance | `governance`             | SetParameter                                        |

A new body needs three things: its struct in `types.transaction.Body`, a function `apply_...` here
(and `check_...`, for what can be said without a block), and its entry in `LAWS`, which also says
who may send it; a test finds a body without one. What is due after a block is in `end_block`.
"""

from typing import Final

from ledger.rules.challenges import apply_challenge, apply_resolve, check_challenge
from ledger.rules.context import BlockContext, Call
from ledger.rules.epochs import add_draw, end_epoch
from ledger.rules.governance import apply_set, check_set, enact
from ledger.rules.losses import apply_loss, apply_post_bond, apply_release_bond, check_loss
from ledger.rules.lots import apply_freeze, apply_pack, apply_recall, check_pack
from ledger.rules.mandate import (
    apply_cancel,
    apply_charge,
    apply_grant_mandate,
    check_charge,
    check_grant_mandate,
)
from ledger.rules.market import (
    apply_accept,
    apply_confirm,
    apply_dispute,
    apply_offer,
    apply_rule,
    check_accept,
    check_offer,
)
from ledger.rules.milk import apply_mint, apply_roll, check_mint, check_roll
from ledger.rules.price import apply_feed, check_feed, close_round
from ledger.rules.registry import (
    apply_calibrate,
    apply_freeze_account,
    apply_grant,
    apply_register,
    apply_revoke,
    apply_revoke_device,
    check_freeze_account,
    check_grant,
    check_register,
    check_revoke,
)
from ledger.rules.slashing import apply_evidence, check_evidence_of_fault
from ledger.rules.staking import (
    apply_bond,
    apply_claim_rewards,
    apply_claim_unbonded,
    apply_register_validator,
    apply_unbond,
    apply_unjail,
    check_bond,
    check_register_validator,
    check_unbond,
)
from ledger.rules.subsidy import apply_fund, apply_set_subsidy, pay_claims
from ledger.rules.table import Entry, Law
from ledger.rules.tanks import apply_collection, apply_seal, check_collection, check_seal
from ledger.rules.transfer import apply_transfer, check_transfer
from ledger.state.overlay import Overlay, Reader
from ledger.state.records import Role
from ledger.types.governance import SetParameter
from ledger.types.mandate import CancelMandate, ChargeMandate, GrantMandate
from ledger.types.market import (
    AcceptOffer,
    ConfirmDelivery,
    DisputeOffer,
    OfferService,
    RuleDispute,
)
from ledger.types.milk import (
    ChallengeLot,
    FreezeLot,
    MintLot,
    PackLot,
    PostBond,
    RecallLot,
    RecordCollection,
    ReleaseBond,
    ResolveChallenge,
    RollLot,
    SealRun,
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
    SubmitEvidence,
    Unbond,
    Unjail,
)
from ledger.types.transfer import Transfer

__all__ = ["LAWS", "BlockContext", "Call", "apply_body", "check_body", "end_block"]

_REGULATOR: Final = (Role.REGULATOR,)
_MMU: Final = (Role.MMU,)
_MERCHANT: Final = (Role.MERCHANT,)
_ORACLE: Final = (Role.ORACLE,)
_TREASURY: Final = (Role.TREASURY,)
_ARBITER: Final = (Role.ARBITER, Role.REGULATOR)

_ENTRIES: Final[tuple[Law, ...]] = (
    Entry(Transfer, apply_transfer, check_transfer),
    # Staking.
    Entry(RegisterValidator, apply_register_validator, check_register_validator),
    Entry(Bond, apply_bond, check_bond),
    Entry(Unbond, apply_unbond, check_unbond),
    Entry(ClaimUnbonded, apply_claim_unbonded),
    Entry(ClaimRewards, apply_claim_rewards),
    Entry(Unjail, apply_unjail),
    Entry(SubmitEvidence, apply_evidence, check_evidence_of_fault),
    # Registry.
    Entry(RegisterDevice, apply_register, check_register, by=_REGULATOR),
    Entry(CalibrateDevice, apply_calibrate, by=_REGULATOR),
    Entry(RevokeDevice, apply_revoke_device, by=_REGULATOR),
    Entry(GrantRole, apply_grant, check_grant, by=_REGULATOR),
    Entry(RevokeRole, apply_revoke, check_revoke, by=_REGULATOR),
    Entry(FreezeAccount, apply_freeze_account, check_freeze_account, by=_REGULATOR),
    # Milk.
    Entry(MintLot, apply_mint, check_mint, by=_MMU),
    Entry(RecordCollection, apply_collection, check_collection),
    Entry(SealRun, apply_seal, check_seal, by=_MMU),
    Entry(PackLot, apply_pack, check_pack, by=_MMU),
    Entry(RollLot, apply_roll, check_roll, by=_MMU),
    Entry(WriteOff, apply_loss, check_loss),
    Entry(ChallengeLot, apply_challenge, check_challenge),
    Entry(ResolveChallenge, apply_resolve, by=_ARBITER),
    Entry(FreezeLot, apply_freeze, by=_REGULATOR),
    Entry(RecallLot, apply_recall, by=_REGULATOR),
    Entry(PostBond, apply_post_bond),
    Entry(ReleaseBond, apply_release_bond, by=_REGULATOR),
    # Price and subsidy.
    Entry(FeedPrice, apply_feed, check_feed, by=_ORACLE),
    Entry(FundSubsidy, apply_fund),
    Entry(SetSubsidy, apply_set_subsidy, by=_TREASURY),
    # Market.
    Entry(OfferService, apply_offer, check_offer, by=_MERCHANT),
    Entry(AcceptOffer, apply_accept, check_accept),
    Entry(ConfirmDelivery, apply_confirm),
    Entry(DisputeOffer, apply_dispute),
    Entry(RuleDispute, apply_rule),
    # Mandates.
    Entry(GrantMandate, apply_grant_mandate, check_grant_mandate),
    Entry(ChargeMandate, apply_charge, check_charge, by=_MERCHANT),
    Entry(CancelMandate, apply_cancel),
    # Governance.
    Entry(SetParameter, apply_set, check_set, by=_REGULATOR),
)

LAWS: Final[dict[type[object], Law]] = {entry.kind: entry for entry in _ENTRIES}
"""The law of each type of body."""


def check_body(reader: Reader, call: Call, body: object) -> None:
    """Raise the `Refused` fault that a body would meet now, as far as no block is needed."""
    LAWS[type(body)].check(reader, call, body)


def apply_body(overlay: Overlay, context: BlockContext, call: Call, body: object) -> None:
    """Carry a body out; raise a `Refused` fault, and leave the clearing up to the caller."""
    LAWS[type(body)].apply(overlay, context, call, body)


def end_block(overlay: Overlay, context: BlockContext) -> None:
    """Do what is due after a block's transactions, whatever they were."""
    add_draw(overlay, context)
    close_round(overlay, context.time_ms)
    pay_claims(overlay)
    end_epoch(overlay, context)
    enact(overlay, context.height)
