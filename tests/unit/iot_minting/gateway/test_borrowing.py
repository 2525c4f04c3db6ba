"""Whom a gateway asks for what it lacks, and when."""

from iot_minting.gateway.borrowing import ASK_AGAIN_MS, PATIENCE_MS, Borrower
from tests.support.ledger.dairy import key

DEVICE = key("device").public
ONE, TWO = sorted([key("one").public, key("two").public])
HAVE = (1, 4)


def ask(borrower, now_ms, have=HAVE, **said):
    names = {"one": ONE, "two": TWO}
    return borrower.whom_to_ask(DEVICE, have, {names[k]: v for k, v in said.items()}, now_ms)


def test_who_lacks_nothing_asks_nobody():
    borrower = Borrower()
    for now_ms in (0, PATIENCE_MS, 10 * PATIENCE_MS):
        assert ask(borrower, now_ms, one=HAVE, two=(0, 99)) is None
    assert borrower.count == 0


def test_what_is_on_its_way_needs_no_loan():
    borrower = Borrower()
    assert ask(borrower, 0, one=(1, 5)) is None
    assert ask(borrower, PATIENCE_MS - 1, one=(1, 9)) is None
    # It moved by itself: it is behind anew.
    assert ask(borrower, PATIENCE_MS, have=(1, 5), one=(1, 9)) is None
    assert ask(borrower, 2 * PATIENCE_MS, have=(1, 5), one=(1, 9)) == ONE
    assert borrower.count == 1


def behind(**said):
    """Give a borrower that is due to ask, and when."""
    borrower = Borrower()
    assert ask(borrower, 0, **said) is None
    return borrower, PATIENCE_MS


def test_who_stored_most_is_asked_and_once_until_it_answers():
    borrower, now_ms = behind(one=(2, 7), two=(1, 99))
    assert ask(borrower, now_ms, one=(2, 7), two=(1, 99)) == ONE
    assert ask(borrower, now_ms + ASK_AGAIN_MS - 1, one=(2, 7), two=(1, 99)) is None


def test_who_helps_is_asked_for_more_at_once():
    borrower, now_ms = behind(one=(2, 7))
    assert ask(borrower, now_ms, one=(2, 7)) == ONE
    borrower.hear(DEVICE, ONE, helped=True)
    assert ask(borrower, now_ms + 1, have=(1, 20), one=(2, 7)) == ONE
    borrower.hear(DEVICE, ONE, helped=True)
    assert ask(borrower, now_ms + 2, have=(2, 7), one=(2, 7)) is None
    assert borrower.count == 0


def test_who_does_not_answer_or_has_nothing_gives_way_and_has_its_turn_again():
    said = {"one": (2, 7), "two": (2, 7)}
    borrower, now_ms = behind(**said)
    assert ask(borrower, now_ms, **said) == TWO
    borrower.hear(DEVICE, TWO, helped=False)
    assert ask(borrower, now_ms + 1, **said) is None, "not at once: nobody is asked in circles"
    assert ask(borrower, now_ms + ASK_AGAIN_MS, **said) == ONE
    assert ask(borrower, now_ms + 2 * ASK_AGAIN_MS, **said) == TWO


def test_an_answer_that_nobody_waited_for_moves_nothing():
    borrower, now_ms = behind(one=(2, 7))
    borrower.hear(key("other").public, ONE, helped=True)
    borrower.hear(DEVICE, TWO, helped=True)
    assert ask(borrower, now_ms, one=(2, 7)) == ONE
    borrower.hear(DEVICE, TWO, helped=True)
    assert ask(borrower, now_ms + 1, one=(2, 7)) is None
