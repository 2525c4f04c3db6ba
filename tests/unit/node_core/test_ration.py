"""Block sync serves each peer a share of this node's time, and no more."""

import pytest

from ledger.primitives.committee import Member
from node.core import effects as node_effects
from node.core import events as node_events
from node.core import sync
from node.core.events import Channel
from node.core.sync import RATION_MS
from node.core.wire import GetBlocks, encode_sync
from tests.support.node.era import Era

ASK = node_events.PeerMessage(Member(1), Channel.SYNC, encode_sync(GetBlocks(1)))


def test_a_peer_that_has_had_its_share_waits_and_others_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sync, "RATION_BYTES", 1)  # One answer is more than that.
    era = Era()
    era.to_height(2)
    machine, now_ms = era.net.nodes[0].machine, era.net.now_ms

    def served(event: node_events.PeerMessage, at_ms: int) -> int:
        effects = machine.handle(event, at_ms, at_ms)
        sends = [e for e in effects if isinstance(e, node_effects.SendTo)]
        return sum(e.channel is Channel.SYNC and e.peer == event.peer for e in sends)

    assert served(ASK, now_ms) == 1
    assert served(ASK, now_ms + RATION_MS - 1) == 0
    other = node_events.PeerMessage(Member(2), Channel.SYNC, ASK.payload)
    assert served(other, now_ms + RATION_MS - 1) == 1
    assert served(ASK, now_ms + RATION_MS) == 1
