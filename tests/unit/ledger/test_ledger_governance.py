"""Numbers of the law change at their height, inside their bounds, and others never do."""

import pytest

from ledger.params import default_parameters
from ledger.rules.governance import CHANGEABLE, changed_parameters
from ledger.rules.price import last_price
from ledger.state.market import CHANGES_MAX
from ledger.state.records import Role
from ledger.state.tables import CHANGES, grant_role, parameters
from ledger.types.governance import SetParameter
from ledger.types.price import FeedPrice
from tests.support.ledger.town import Town


@pytest.fixture
def town():
    return Town()


def test_a_change_comes_into_force_at_its_height(town):
    assert town.do("regulator", SetParameter("fee_least_units", 50, 4)) == ""
    assert town.height == 1
    seen = []
    for _ in range(3):
        town.wait(1)
        seen.append((town.height + 1, parameters(town.state).fee_least_units))
    assert seen == [(3, 100), (4, 50), (5, 50)]
    assert CHANGES.get(town.state).waiting == ()
    town.close()


@pytest.mark.parametrize(
    ("who", "key", "value", "height", "code"),
    [
        ("alice", "fee_least_units", 1, 9, "role_missing"),
        ("regulator", "nonsense", 1, 9, "unknown_parameter"),
        ("regulator", "staking.epoch_blocks", 1, 9, "unknown_parameter"),
        ("regulator", "development", 1, 9, "unknown_parameter"),
        ("regulator", "split.validators_bp", 301, 9, "out_of_bounds"),
        ("regulator", "split.validators_bp", 250, 9, "out_of_bounds"),
        ("regulator", "price.floor", 10**9, 9, "out_of_bounds"),
        ("regulator", "staking.reporter_bp", 501, 9, "out_of_bounds"),
        ("regulator", "fee_least_units", 1, 1, "past_height"),
    ],
)
def test_what_can_not_be_changed(town, who, key, value, height, code):
    assert town.do(who, SetParameter(key, value, height)) == code


def test_two_changes_that_do_not_hold_together_leave_the_first(town):
    town.do("regulator", SetParameter("split.validators_bp", 200, 5))
    town.do("regulator", SetParameter("split.attestors_bp", 150, 5))
    town.wait(3)
    split = parameters(town.state).split
    assert (split.validators_bp, split.attestors_bp) == (200, 80)


def test_so_many_changes_may_wait(town):
    codes = [
        town.do("regulator", SetParameter("fee_least_units", 5, 10_000))
        for _ in range(CHANGES_MAX + 1)
    ]
    assert codes == [""] * CHANGES_MAX + ["too_many_changes"]


def test_a_new_ceiling_holds_for_the_price_at_once(town):
    grant_role(town.state, Role.ORACLE, town.address("alice"))
    town.do("alice", FeedPrice(0, 9_000_000))
    town.do("regulator", SetParameter("price.ceiling", 8_000_000, 3))
    assert last_price(town.state) == 8_000_000
    town.close()


def test_every_changeable_parameter_exists():
    rules = default_parameters(development=True)
    for key in CHANGEABLE:
        holder = rules
        for part in key.split("."):
            holder = getattr(holder, part)
        assert changed_parameters(rules, key, holder) == rules
