"""A home whose journal and blocks are gone while its key is kept: it must not vote twice."""

import pytest

from consensus.messages import Proposal, Vote
from ledger.store import MemoryStore
from node.core import events as node_events
from node.core.events import Channel
from node.core.wire import decode_consensus
from tests.support.node.era import EPOCH_BLOCKS, Era

WIPED = 1


class Listening:
    """Hears every vote that the wiped member signs, in both of its lives."""

    def __init__(self, era: Era) -> None:
        self.votes: set[Vote] = set()
        self.key = era.net.keys[WIPED].public
        self._era, self._post = era, era.net.post
        era.net.post = self._hear

    def _hear(self, index: int, event: node_events.Event, delay_ms: int = 0) -> None:
        match event:
            case node_events.PeerMessage(peer, Channel.CONSENSUS, payload) if peer == WIPED:
                self._note(decode_consensus(payload))
        self._post(index, event, delay_ms)

    def _note(self, message: object) -> None:
        match message:
            case Proposal(vote=vote):
                self._note(vote)
            case Vote(signer=signer):
                # Old votes of others travel with resends; members are numbered alike throughout.
                if signer == WIPED:
                    self.votes.add(message)

    def contradictions(self) -> list[Vote]:
        """List votes of one kind in one view that differ."""
        seen: dict[tuple[int, int, int], Vote] = {}
        wrong = []
        for vote in self.votes:
            about = vote.subject
            first = seen.setdefault((about.epoch, about.view, int(about.kind)), vote)
            if first.subject != about:
                wrong.append(vote)
        return wrong


def wipe(era: Era) -> None:
    """Take everything but the key from a crashed node, as an operator's `rm -r` does."""
    node = era.net.nodes[WIPED]
    node.store, node.journal = MemoryStore(), []


@pytest.mark.parametrize("height", [1, EPOCH_BLOCKS - 1, 2 * EPOCH_BLOCKS + 2])
def test_a_wiped_home_watches_first_and_then_votes_without_contradicting_itself(
    height: int,
) -> None:
    era = Era()
    heard = Listening(era)
    era.to_height(height)
    before = set(heard.votes)
    assert before
    era.net.crash(WIPED)
    wipe(era)
    era.net.restart(WIPED, lost_journal=True)
    node = era.net.nodes[WIPED]
    for _ in range(400):
        assert heard.votes == before or node.may_vote, "not a word before it is safe"
        era.net.run(100)
        if heard.votes != before:
            break
    assert node.may_vote
    latest = max((v.subject.epoch, v.subject.view) for v in before)
    fresh = heard.votes - before
    assert fresh
    assert min((v.subject.epoch, v.subject.view) for v in fresh) > latest
    assert heard.contradictions() == []
    assert era.net.nodes[0].machine.informer.evidence == ()
    era.net.crash(2)
    era.to_height(max(era.heights()) + 3)
    era.settled()


def test_validators_that_all_begin_anew_vote_at_once() -> None:
    era = Era()
    assert not any(node.machine.engine.is_silent for node in era.net.nodes)
    era.to_height(1)
