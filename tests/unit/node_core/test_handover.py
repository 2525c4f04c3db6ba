"""What is kept of the next epoch: some of everyone, and not all of one."""

from consensus.messages import FetchView
from ledger.primitives.committee import Member
from ledger.primitives.scalars import Epoch
from node.core.handover import EARLY_BYTES_MAX, EARLY_MAX, EARLY_PEER_BYTES_MAX, Handover

EARLY = FetchView(Epoch(1))


def test_one_peer_never_takes_the_room_of_all() -> None:
    handover = Handover(250)
    for _ in range(EARLY_MAX):
        handover.keep(Member(0), EARLY, EARLY_PEER_BYTES_MAX // 3)
    handover.keep(Member(1), EARLY, EARLY_PEER_BYTES_MAX)
    assert [peer for peer, _ in handover.begin()] == [0, 0, 0, 1]


def test_all_together_are_bounded_and_a_new_epoch_makes_room() -> None:
    handover = Handover(250)
    for _ in range(2):
        for peer in range(32):
            handover.keep(Member(peer), EARLY, EARLY_PEER_BYTES_MAX)
        assert len(handover.begin()) == EARLY_BYTES_MAX // EARLY_PEER_BYTES_MAX
