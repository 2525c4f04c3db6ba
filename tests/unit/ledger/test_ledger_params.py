"""Parameters: the rule sets' numbers, and the bounds that nothing passes."""

import msgspec
import pytest
from msgspec.structs import replace

from ledger.heat_rules import HEAT_RULES, HeatRuleSet
from ledger.params import DAY_MS, Parameters, Split, Staking, default_parameters
from ledger.types.evidence import MilkKind
from node.lightclient.verifying import TRUSTING_MS

DEFAULT = default_parameters(development=False)


def test_every_rule_set_has_its_numbers():
    assert set(HEAT_RULES) == set(HeatRuleSet)
    assert DEFAULT.cooling_mdegc == 4_000


def test_the_split_is_ninety_seven_two_one():
    split = DEFAULT.split
    levy_bp = split.validators_bp + split.attestors_bp
    rest_bp = 10_000 - split.processor_bp - levy_bp - split.reserve_bp
    assert (rest_bp, split.processor_bp, levy_bp, split.reserve_bp) == (9_000, 700, 200, 100)


@pytest.mark.parametrize(
    "change",
    [
        {"probe_uncertainty_mdegc": -1},
        {"fee_least_units": 10_000_001},
        {"density_mg_per_l": 1_000_000},
        {"agreement_bp": 501},
        {"collection_age_ms_max": 8 * 86_400_000},
        {"clock_skew_ms_max": 600_001},
        {"mmu_bond_least_units": 999_999},
        {"bond_bp": 0},
        {"challenge_window_ms": 28 * 86_400_000 + 1},
        {"roll_grace_ms": 31 * 86_400_000},
        {"split": Split(processor_bp=1_501)},
        {"shelf_days": {MilkKind.WHOLE: 401}},
    ],
)
def test_no_number_passes_its_hard_bound(change):
    raw = msgspec.json.encode(replace(DEFAULT, **change))
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(raw, type=Parameters)


def test_bounds_between_numbers_hold_too():
    assert DEFAULT.why_wrong() == ""
    levy = replace(DEFAULT, split=Split(validators_bp=300, attestors_bp=1))
    farmers = replace(DEFAULT, split=Split(processor_bp=1_500, reserve_bp=400))
    shelf = replace(DEFAULT, shelf_days={MilkKind.WHOLE: 10})
    assert "levy" in levy.why_wrong()
    assert "farmers" in farmers.why_wrong()
    assert "uht" in shelf.why_wrong()


def test_stake_is_bound_for_longer_than_a_light_client_trusts():
    rules = DEFAULT.staking
    assert TRUSTING_MS < rules.evidence_ms < rules.unbonding_ms
    assert rules.unbonding_ms >= 21 * DAY_MS


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"epoch_blocks": 9_999}, "epoch_blocks"),
        ({"evidence_ms": TRUSTING_MS}, "evidence_ms"),
        ({"unbonding_ms": 21 * DAY_MS - 1}, "unbonding_ms"),
    ],
)
def test_only_where_nothing_is_at_stake_are_the_times_short(change, why):
    short = replace(Staking(), **change)
    assert short.why_wrong(development=False).startswith(why)
    assert short.why_wrong(development=True) == ""


def test_real_milk_is_open_to_doubt_for_two_weeks():
    short = replace(DEFAULT, challenge_window_ms=14 * DAY_MS - 1)
    assert short.why_wrong().startswith("challenge_window_ms")
    assert replace(short, development=True).why_wrong() == ""


def test_nothing_leaves_sooner_than_its_faults_are_too_old():
    rules = Staking(evidence_ms=3, unbonding_ms=2)
    assert "unbonding_ms" in rules.why_wrong(development=True)
