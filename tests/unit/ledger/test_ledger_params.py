"""Parameters: the rule sets' numbers, and the bounds that nothing passes."""

import msgspec
import pytest
from msgspec.structs import replace

from ledger.params import HEAT_RULES, HeatRuleSet, Parameters, Split, default_parameters
from ledger.types.evidence import MilkKind

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
