"""What too few attestors answered is asked for again as it was, until enough did or none can."""

import pytest

from iot_minting.gateway.asking import UnansweredWindows
from iot_minting.gateway.cutting import CutWindow
from iot_minting.wire.attestor_client import Asked
from ledger.primitives.hashing import Hash
from tests.support.evidence.rig import START_MS, LineRig
from tests.support.minting.windows import make_window

LINE = Hash(b"l" * 32)
ATTESTORS, NEEDED = 4, 3


def cut(rig, to_s):
    window = make_window(rig, seconds=90, to_ms=START_MS + to_s * 1_000)
    return CutWindow(window.claim, window.bundle)


@pytest.fixture
def rig():
    return LineRig()


def asked(signed, refused):
    return Asked((None,) * signed, (None,) * refused, {})


@pytest.mark.parametrize(
    ("signed", "refused", "again"),
    [(0, 0, True), (2, 0, True), (2, 1, True), (0, 1, True), (2, 2, False), (0, 4, False),
     (3, 0, False), (3, 1, False)],
)  # fmt: skip
def test_a_window_is_asked_for_again_as_long_as_a_quorum_may_sign_it(rig, signed, refused, again):
    first, longer, unanswered = cut(rig, 20), cut(rig, 40), UnansweredWindows()
    assert unanswered.choose(LINE, first) is first
    unanswered.note(LINE, first, asked(signed, refused), ATTESTORS, NEEDED)
    assert (unanswered.choose(LINE, longer) is first) is again
    assert unanswered.choose(Hash(b"m" * 32), longer) is longer


def test_once_the_line_has_gone_on_its_next_window_is_asked_for(rig):
    first, unanswered = cut(rig, 20), UnansweredWindows()
    unanswered.note(LINE, first, asked(2, 0), ATTESTORS, NEEDED)
    rig.accept(first.claim)
    following = cut(rig, 40)
    assert unanswered.choose(LINE, following) is following
    unanswered.note(LINE, following, asked(2, 0), ATTESTORS, NEEDED)
    unanswered.note(LINE, following, asked(3, 0), ATTESTORS, NEEDED)
    assert unanswered.choose(LINE, cut(rig, 60)).claim.to_ms == START_MS + 60_000
