"""An outsider that asks for an honest lot's readings, and counts on nobody answering in time."""

import pytest

from iot_minting.gateway.answering import Answers
from iot_minting.gateway.archive import Archive
from iot_minting.gateway.letters import Letters, What
from iot_minting.gateway.posting import read_body
from iot_minting.gateway.types import Stored
from iot_minting.gateway.verdicts import Accepted
from ledger.primitives.codec import encode
from ledger.state.tables import DOUBTS, PROVEN
from ledger.types.block import Receipt
from ledger.types.doubt import AskEvidence
from node.client.views import FinalBlock
from tests.support.ledger.cheating import HOLD, Cheat
from tests.support.ledger.dairy import bill, key
from tests.support.ledger.window import START_MS


@pytest.fixture
def home(tmp_path):
    """A gateway's archive and letters, and what answers from them."""
    path = tmp_path / "mint.sqlite"
    kept, letters = Archive(path), Letters(path)
    answers = Answers(Archive(path), letters, lambda: START_MS)
    yield kept, letters, answers
    for each in (answers, letters, kept):
        each.close()


def keep(archive, device):
    """Store all that a device signed."""
    stored = (
        Stored(device.public, each, each.reading(), each.digest(), START_MS)
        for each in device.envelopes
    )
    archive.record(Accepted(each) for each in stored)


def minted_town():
    """A town with a lot, whose thermometer was started anew in between."""
    town = Cheat()
    town.good(*town.line.devices, begin=0, end=60)
    town.line.of(HOLD).boot, town.line.of(HOLD).seq = 5, 0
    town.good(*town.line.devices, begin=61, end=120)
    claim = town.signed(town.claim())
    assert town.mint(claim) == ""
    return town, claim.lot_id()


def asked(town, lot, number, code=""):
    """Ask for a number of the thermometer's; give the final block, with a receipt of its own."""
    body = AskEvidence(lot, town.line.of(HOLD).public, *number, bill(10))
    raw = encode(town.dairy.next(town.state, body, key("alice")))
    assert town.do("alice", body) == code
    receipt = Receipt(bytes(32), code, 0)
    height = town.height
    return FinalBlock(
        height, bytes(32), bytes(32), 0, 0, town.time_ms, bytes(32), (raw, b"?"), (receipt, receipt)
    )


@pytest.mark.parametrize("number", [(0, 3), (0, 99), (3, 7), (5, 0)])
def test_what_is_asked_for_is_shown_at_once(home, number):
    kept, letters, answers = home
    town, lot = minted_town()
    keep(kept, town.line.of(HOLD))
    block = asked(town, lot, number)
    answers.note(block)
    answers.note(block)  # After a kill.
    (letter,) = letters.latest(What.ANSWER, 10)
    assert town.do("mmu", read_body(letter)) == ""
    assert DOUBTS.get(town.state, lot) is None
    assert not any(each.void for each in PROVEN.get(town.state, lot).intervals)
    town.close()


def test_what_may_be_asked_again_is_answered_again(home):
    kept, letters, answers = home
    town, lot = minted_town()
    keep(kept, town.line.of(HOLD))
    for _ in range(2):
        answers.note(asked(town, lot, (0, 3)))
        assert town.do("mmu", read_body(letters.latest(What.ANSWER, 1)[0])) == ""
    assert len(letters.latest(What.ANSWER, 10)) == 2


def test_a_question_that_was_refused_or_is_of_anothers_readings_is_none(home):
    kept, letters, answers = home
    town, lot = minted_town()
    answers.note(asked(town, lot, (0, 3)))
    keep(kept, town.line.of(HOLD))
    answers.note(asked(town, lot, (9, 3), code="unclaimed_reading"))
    assert letters.latest(What.ANSWER, 10) == []
