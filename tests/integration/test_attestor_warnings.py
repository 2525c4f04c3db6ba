"""What an attestor knows to be missing before anybody asks it for anything."""

import asyncio

from ledger.types.milk import PostBond
from tests.integration.test_attestors_answer import NAMES, RICH, Village
from tests.support.ledger.dairy import bill
from tests.support.ledger.town import parameters as laws


def test_an_attestor_knows_before_it_is_asked_that_it_can_pay_for_no_answer(tmp_path):
    village = Village(tmp_path, dict.fromkeys(NAMES[1:], RICH))
    poor, rich = village.attestors[:2]
    assert asyncio.run(poor.replies.lack()).startswith("it holds 0 units")
    assert asyncio.run(rich.replies.lack()) == ""
    village.close()


def test_an_attestor_knows_that_its_word_does_not_count_for_want_of_a_bond(tmp_path):
    village = Village(tmp_path, parameters=laws(doubt={"attestor_bond_least_units": bill(100)}))
    low, bound = village.attestors[:2]
    assert village.node.do(NAMES[1], PostBond(bill(100))) == ""
    assert village.node.do(NAMES[0], PostBond(bill(99))) == ""
    assert asyncio.run(low.replies.lack_of_bond()).startswith("it is 99000000 units; a word counts")
    assert asyncio.run(bound.replies.lack_of_bond()) == ""
    village.close()
