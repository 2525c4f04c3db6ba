"""Parameters: the numbers of the law, each with its hard bounds and its source.

They stand in the genesis and in the state. The bounds are in the types, so that neither a genesis
nor a later change (`rules.governance`) can pass them. A number that comes from a regulation has its
source beside it.
"""

from typing import Annotated, Final

from msgspec import Meta, Struct

from ledger.heat_rules import HEAT_RULES, RICH_KINDS, UHT_KINDS, HeatRuleSet
from ledger.primitives.amounts import UNITS_PER_BILL, Units
from ledger.types.evidence import HeatProcess, MilkKind

BASIS_POINTS: Final = 10_000
DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000
MINUTE_MS: Final = 60_000


EPOCH_BLOCKS_LEAST: Final = 10_000
EVIDENCE_MS_LEAST: Final = 15 * DAY_MS
UNBONDING_MS_LEAST: Final = 21 * DAY_MS
CHALLENGE_WINDOW_MS_LEAST: Final = 14 * DAY_MS
"""What holds where it is about real milk.

A light client trusts a committee for 14 days (proofs, §4), so its members must be punishable for
longer; and so long a time must not have too many epochs. A lot is open to doubt for as long as
most milk keeps.
"""

DAY_STEP_BP_MAX: Final = 500
"""The furthest that the price may ever move in a day: 5 %."""

OUTLET_UNCERTAINTY_MDEGC: Final = 160
"""Class A platinum probe at 4 degrees C (IEC 60751: 0.15 + 0.002 t = 0.158)."""

BATCH_HOLD_MS: Final = 30 * 60_000
"""How long a vat is held: every rule set above says 30 minutes."""

BATCH_DRAIN_MS: Final = 4 * HOUR_MS
"""For how long after it was hot a vat may drain: nobody watches how warm it stands then."""

WATCH_GAP_MS: Final = 2_000
"""The longest silence of an instrument that still counts as watching what flows."""

GAUGE_GAP_MS: Final = 90_000
"""The longest silence of a tank's gauge while milk counts: it tells its level once a minute, half a
minute late at most."""

COLD_VOID_MS: Final = 15_000
"""How long before and after milk was cold with the valve forward no flow counts: what the line
between holding tube and valve may hold."""

CLOCKS_MS: Final = 5_000
"""How far apart clocks of a line may stand: of a valve and a thermometer, without diverted milk
being void; of a vat's gauge and its flow, without the one telling against the other."""

MARGIN_MS: Final = COLD_VOID_MS + 2 * CLOCKS_MS + 2 * WATCH_GAP_MS
"""How far beyond a window's end its instruments must be heard, to judge what lies in it."""

FEE_BYTES: Final = 1_024
"""How many bytes of what is signed the least fee pays for; each more that is begun costs again."""

DEFAULT_SHELF_DAYS: Final = {
    MilkKind.WHOLE: 10,
    MilkKind.LOW_FAT: 10,
    MilkKind.SKIM: 10,
    MilkKind.FLAVOURED: 10,
    MilkKind.GOAT: 10,
    MilkKind.BUFFALO: 10,
    MilkKind.LACTOSE_FREE: 14,
    MilkKind.ESL: 30,
    MilkKind.UHT: 180,
    MilkKind.STERILISED: 270,
}

ShelfDays = Annotated[int, Meta(ge=1, le=400)]


class Split(Struct, frozen=True, forbid_unknown_fields=True):
    """Who gets a mint, in basis points; the farmers get the rest, and every rounding.

    Bounds: the levy (validators and attestors) is at most 3 %, all four at most 20 %.
    """

    processor_bp: Annotated[int, Meta(ge=0, le=1_500)] = 700
    validators_bp: Annotated[int, Meta(ge=0, le=300)] = 120
    attestors_bp: Annotated[int, Meta(ge=0, le=300)] = 80
    reserve_bp: Annotated[int, Meta(ge=0, le=500)] = 100

    def why_wrong(self) -> str:
        """Say which bound between the parts is passed, or give an empty text."""
        if self.validators_bp + self.attestors_bp > 300:
            return "the levy (validators_bp + attestors_bp) is at most 300"
        if self.processor_bp + self.validators_bp + self.attestors_bp + self.reserve_bp > 2_000:
            return "farmers get at least 8000 basis points"
        return ""


class Staking(Struct, frozen=True, forbid_unknown_fields=True):
    """How epochs, committees, unbonding and slashing go (spec §11).

    What leaves at epoch u still votes in u + 1, whose faults are punishable for `evidence_epochs`
    and for `evidence_ms` more, whichever is longer: so `unbonding_epochs` is at least two longer,
    and `unbonding_ms` no shorter.
    """

    epoch_blocks: Annotated[int, Meta(ge=1, le=10_000_000)] = 36_000
    committee_max: Annotated[int, Meta(ge=1, le=128)] = 100
    stake_least_units: Annotated[int, Meta(ge=1, le=2**63 - 1)] = 1
    unbonding_epochs: Annotated[int, Meta(ge=3, le=10_000)] = 24
    unbonding_ms: Annotated[int, Meta(ge=0, le=400 * DAY_MS)] = UNBONDING_MS_LEAST
    evidence_epochs: Annotated[int, Meta(ge=1, le=1_000)] = 20
    evidence_ms: Annotated[int, Meta(ge=0, le=400 * DAY_MS)] = 18 * DAY_MS
    jail_epochs: Annotated[int, Meta(ge=1, le=10_000)] = 4
    slash_bp: Annotated[int, Meta(ge=100, le=BASIS_POINTS)] = 500
    reporter_bp: Annotated[int, Meta(ge=0, le=500)] = 500

    def why_wrong(self, *, development: bool) -> str:
        """Say which rule between the numbers does not hold, or give an empty text."""
        if self.unbonding_epochs < self.evidence_epochs + 2:
            return "unbonding_epochs is at least evidence_epochs + 2"
        if self.unbonding_ms < self.evidence_ms:
            return "unbonding_ms is at least evidence_ms"
        if development:
            return ""
        for name, least in (
            ("epoch_blocks", EPOCH_BLOCKS_LEAST),
            ("evidence_ms", EVIDENCE_MS_LEAST),
            ("unbonding_ms", UNBONDING_MS_LEAST),
        ):
            if getattr(self, name) < least:
                return f"{name} is at least {least}, but on a development network"
        return ""


class Pricing(Struct, frozen=True, forbid_unknown_fields=True):
    """Bounds of the price, in millionths of a ringgit a litre, and when it is too old."""

    # A sen at least: the least step (a basis point) still moves it.
    floor: Annotated[int, Meta(ge=BASIS_POINTS, le=10**9)] = 1_000_000
    ceiling: Annotated[int, Meta(ge=1, le=10**9)] = 50_000_000
    day_step_bp: Annotated[int, Meta(ge=1, le=DAY_STEP_BP_MAX)] = DAY_STEP_BP_MAX
    fresh_ms: Annotated[int, Meta(ge=HOUR_MS, le=7 * DAY_MS)] = 48 * HOUR_MS
    feeders_least: Annotated[int, Meta(ge=4, le=64)] = 4

    def why_wrong(self) -> str:
        """Say which rule between the numbers does not hold, or give an empty text."""
        return "price.floor is at most price.ceiling" if self.floor > self.ceiling else ""


ANSWER_MS_LEAST: Final = HOUR_MS
"""The least time to answer a question where it is about real milk."""


class Doubting(Struct, frozen=True, forbid_unknown_fields=True):
    """What attestors have at stake, what a false word costs them, how long a question waits.

    `refuter_bp` is the refuter's part of what is slashed; the reserve gets the rest.
    """

    attestor_bond_least_units: Annotated[int, Meta(ge=0, le=10_000_000 * UNITS_PER_BILL)] = (
        100 * UNITS_PER_BILL
    )
    attest_slash_bp: Annotated[int, Meta(ge=100, le=BASIS_POINTS)] = 2_000
    refuter_bp: Annotated[int, Meta(ge=0, le=5_000)] = 1_000
    answer_ms: Annotated[int, Meta(ge=0, le=7 * DAY_MS)] = DAY_MS

    def why_wrong(self, *, development: bool) -> str:
        """Say which bound is passed, or give an empty text."""
        if not development and self.answer_ms < ANSWER_MS_LEAST:
            return f"answer_ms is at least {ANSWER_MS_LEAST}, but on a development network"
        return ""


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """The numbers of the law on one chain."""

    development: bool
    split: Split
    # The least fee of a small transaction, which all but those with readings are.
    fee_least_units: Annotated[Units, Meta(ge=0, le=10 * UNITS_PER_BILL)]
    heat_rules: HeatRuleSet
    # Class A platinum probe and transmitter at 75 degrees C (IEC 60751: 0.15 + 0.002 t = 0.30).
    probe_uncertainty_mdegc: Annotated[int, Meta(ge=0, le=2_000)]
    # Raw cow milk at 20 degrees C lies between 1.026 and 1.036 kg/L; 1.030 makes a hundredweight
    # 44.04 L. In milligrams a litre, for exact arithmetic.
    density_mg_per_l: Annotated[int, Meta(ge=1_020_000, le=1_045_000)]
    # Flow meter and tank gauge must agree within this part of the larger.
    agreement_bp: Annotated[int, Meta(ge=1, le=500)]
    # How long before a run its milk may have been collected: 72 h as raw milk under PMO.
    collection_age_ms_max: Annotated[int, Meta(ge=HOUR_MS, le=7 * DAY_MS)]
    # How far a device's clock may be ahead of the block's.
    clock_skew_ms_max: Annotated[int, Meta(ge=0, le=600_000)]
    shelf_days: dict[MilkKind, ShelfDays]
    # The deposit of a challenge: enough to make it expensive to challenge everything.
    challenge_deposit_units: Annotated[int, Meta(ge=0, le=1_000 * UNITS_PER_BILL)]
    # How long a lot of a window may be refuted, and what was minted counts for its MMU's bond.
    challenge_window_ms: Annotated[int, Meta(ge=MINUTE_MS, le=28 * DAY_MS)]
    # How long a buyer may dispute before the seller can take the escrow.
    release_ms: Annotated[int, Meta(ge=HOUR_MS, le=30 * DAY_MS)]
    # For so long only its MMU may write an expired lot off, since it may roll it instead.
    roll_grace_ms: Annotated[int, Meta(ge=0, le=30 * DAY_MS)]
    # What an MMU must have at stake to mint: without it there is nothing to slash.
    mmu_bond_least_units: Annotated[int, Meta(ge=UNITS_PER_BILL, le=10_000_000 * UNITS_PER_BILL)]
    # And for each litre minted within the challenge window.
    bond_bp: Annotated[int, Meta(ge=1, le=BASIS_POINTS)]
    staking: Staking
    price: Pricing
    doubt: Doubting

    def least_fee(self, signed_bytes: int) -> Units:
        """Give the least fee of a transaction whose intent is encoded in so many bytes."""
        return Units(self.fee_least_units * -(-signed_bytes // FEE_BYTES))

    @property
    def collection_late_ms_max(self) -> int:
        """Give how old milk may be when it is recorded into a tank.

        A tank is as old as the oldest milk in it: so each addition leaves it half of its time.
        """
        return self.collection_age_ms_max // 2

    @property
    def cooling_mdegc(self) -> int:
        """Give the warmest that milk may leave the line."""
        return HEAT_RULES[self.heat_rules].cooling_mdegc

    @property
    def outlet_most_mdegc(self) -> int:
        """Give the warmest reading behind the cooler that counts, uncertainty taken off."""
        return self.cooling_mdegc - OUTLET_UNCERTAINTY_MDEGC

    @property
    def vat_most_mdegc(self) -> int:
        """Give the hottest that milk may stand in a vat."""
        return HEAT_RULES[self.heat_rules].batch_most_mdegc

    def hold_mdegc(self, kind: MilkKind, process: HeatProcess = HeatProcess.CONTINUOUS) -> int:
        """Give the coldest reading while milk is held that a kind allows, uncertainty added."""
        rules = HEAT_RULES[self.heat_rules]
        limit = rules.batch_mdegc if process is HeatProcess.BATCH else rules.htst_mdegc
        if kind in UHT_KINDS:
            limit = rules.uht_mdegc
        extra = rules.rich_mdegc if kind in RICH_KINDS else 0
        return limit + extra + self.probe_uncertainty_mdegc

    def why_wrong(self) -> str:
        """Say which rule between parameters does not hold, or give an empty text."""
        missing = sorted(set(MilkKind) - set(self.shelf_days))
        if missing:
            return f"shelf_days lacks {', '.join(missing)}"
        if not self.development and self.challenge_window_ms < CHALLENGE_WINDOW_MS_LEAST:
            return (
                f"challenge_window_ms is at least {CHALLENGE_WINDOW_MS_LEAST}, "
                "but on a development network"
            )
        return (
            self.split.why_wrong()
            or self.staking.why_wrong(development=self.development)
            or self.price.why_wrong()
            or self.doubt.why_wrong(development=self.development)
        )


QUICK_STAKING: Final = Staking(epoch_blocks=1_000, unbonding_ms=0, evidence_ms=0)
"""For development networks, where nothing is at stake: blocks alone count, and no time."""
QUICK_CHALLENGE_MS: Final = 10 * MINUTE_MS
"""For them too: a lot is past doubt while one watches."""


QUICK_DOUBTING: Final = Doubting(attestor_bond_least_units=0, answer_ms=60_000)
"""For development networks, whose attestors need no stake."""


def default_parameters(*, development: bool) -> Parameters:
    """Give the parameters of a network that decides nothing otherwise."""
    return Parameters(
        development=development,
        split=Split(),
        fee_least_units=Units(100),
        heat_rules=HeatRuleSet.MALAYSIA,
        probe_uncertainty_mdegc=300,
        density_mg_per_l=1_030_000,
        agreement_bp=100,
        collection_age_ms_max=72 * HOUR_MS,
        clock_skew_ms_max=120_000,
        shelf_days=dict(DEFAULT_SHELF_DAYS),
        challenge_deposit_units=10 * UNITS_PER_BILL,
        challenge_window_ms=QUICK_CHALLENGE_MS if development else CHALLENGE_WINDOW_MS_LEAST,
        release_ms=72 * HOUR_MS,
        roll_grace_ms=DAY_MS,
        mmu_bond_least_units=1_000 * UNITS_PER_BILL,
        bond_bp=500,
        staking=QUICK_STAKING if development else Staking(),
        price=Pricing(),
        doubt=QUICK_DOUBTING if development else Doubting(),
    )
