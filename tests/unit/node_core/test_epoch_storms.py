"""Storms over several epochs: loss, delay, repeats, crashes between any two effects, a liar.

Each seed makes one run. Whatever happens, chains agree to the byte, honest votes never exclude
each other, across restarts too, and once the storm is over the chain goes on.
"""

from collections.abc import Iterator
from random import Random

import pytest
from msgspec.structs import replace

from consensus.messages import Subject, Vote
from consensus.votes import are_exclusive
from ledger.primitives.committee import Member
from ledger.primitives.hashing import ZERO_HASH
from ledger.primitives.keys import address_of
from ledger.primitives.scalars import Epoch, View
from ledger.primitives.votes import VoteKind
from ledger.rules.epochs import committee_of
from ledger.types.staking import Unbond
from node.core import effects as node_effects
from node.core import events as node_events
from node.core.events import Channel
from node.core.wire import decode_consensus, encode_consensus
from tests.support.ledger.dairy import bill, key
from tests.support.node.cluster import Node
from tests.support.node.era import EPOCH_BLOCKS, JOINER, Era

LIAR = 2


class Storm(Era):
    """An era in bad weather; the votes on the wire are watched."""

    def __init__(self, seed: int, *, liar: int | None = None) -> None:
        self.chance = Random(seed)
        self.loss = self.crash_chance = 0.0
        self.delay_ms = (1, 1)
        self.liar = liar
        self.seen: dict[tuple[bytes, int, int], set[Subject]] = {}
        self.heard: list[bytes] = []
        super().__init__(joiners=(JOINER,))
        self._post, self._carry = self.net.post, self.net.carry_out
        self.net.post = self.post  # type: ignore[method-assign]
        self.net.carry_out = self.carry_out  # type: ignore[method-assign]

    def rage(self) -> None:
        self.loss, self.crash_chance, self.delay_ms = 0.1, 0.012, (1, 120)

    def calm(self) -> None:
        self.loss, self.crash_chance, self.delay_ms = 0.0, 0.0, (1, 10)
        self.revive(1.0)

    def revive(self, chance: float) -> None:
        for index, node in enumerate(self.net.nodes):
            if not node.is_up and self.chance.random() < chance:
                self.net.restart(index)

    def blow(self, for_ms: int) -> None:
        for _ in range(for_ms // 100):
            self.net.run(100)
            self.revive(0.2)

    def post(self, at: int, event: node_events.Event, delay_ms: int = 0) -> None:
        if not isinstance(event, node_events.PeerMessage):
            self._post(at, event, delay_ms)
            return
        for each in self.bend(at, event) if event.peer == self.liar else [event]:
            self.watch(each)
            copies = 2 if self.chance.random() < self.loss else 1
            for _ in range(copies):
                if self.chance.random() >= self.loss:
                    self._post(at, each, self.chance.randint(*self.delay_ms))

    def carry_out(self, index: int, node: Node, effect: node_effects.Effect) -> None:
        """Carry an effect out, unless the node dies first."""
        if not node.is_up:
            return
        if self.chance.random() < self.crash_chance and len(self.live) > 3:
            self.net.crash(index)
            return
        self._carry(index, node, effect)

    def bend(self, at: int, event: node_events.PeerMessage) -> Iterator[node_events.PeerMessage]:
        """Let the liar say more than it should: contradictions, other epochs, old words."""
        yield event
        if event.channel is not Channel.CONSENSUS:
            return
        self.heard.append(event.payload)
        yield replace_payload(event, self.chance.choice(self.heard))
        message = decode_consensus(event.payload)
        if isinstance(message, Vote) and self.chance.random() < 0.3:
            about = message.subject
            nullify = Subject(VoteKind.NULLIFY, about.epoch, about.view, View(0), ZERO_HASH)
            later = replace(about, epoch=Epoch(about.epoch + 1))
            for subject in (nullify, later):
                yield replace_payload(event, encode_consensus(self.lie(subject)))

    def lie(self, subject: Subject) -> Vote:
        assert self.liar is not None
        signer = self.net.keys[self.liar]
        state = self.net.nodes[0].store
        found = committee_of(state, subject.epoch) or committee_of(state, subject.epoch - 1)
        assert found is not None
        place = next((i for i, s in enumerate(found.seats) if s.key == signer.public), 0)
        return Vote(subject, Member(place), signer.sign(subject.signing_bytes(self.dairy.chain_id)))

    def watch(self, event: node_events.PeerMessage) -> None:
        """Note every vote of the honest; none may exclude another."""
        if event.channel is not Channel.CONSENSUS or event.peer == self.liar:
            return
        message = decode_consensus(event.payload)
        if isinstance(message, Vote):  # Votes come from their signers alone.
            subject = message.subject
            name = (self.net.keys[event.peer].public, subject.epoch, subject.view)
            said = self.seen.setdefault(name, set())
            assert not any(are_exclusive(one, subject) for one in said), (said, subject)
            said.add(subject)

    def agreed(self) -> None:
        """Chains are prefixes of each other, and each block is of its epoch."""
        longest = max(self.net.nodes, key=lambda node: node.store.head().height)
        for node in self.net.nodes:
            for height in range(1, node.store.head().height + 1):
                raw = node.store.block(height).raw
                assert raw == longest.store.block(height).raw
                epoch = longest.store.block(height).block.header.epoch
                assert epoch == (height - 1) // EPOCH_BLOCKS
        assert all(node.machine.forks == 0 for node in self.net.nodes)


def replace_payload(event: node_events.PeerMessage, payload: bytes) -> node_events.PeerMessage:
    return node_events.PeerMessage(event.peer, event.channel, payload)


def accused(storm: Storm) -> set[int]:
    warnings = [w for node in storm.net.nodes for w in node.warnings]
    return {w.peer for w in warnings if w.peer is not None}


@pytest.mark.parametrize("seed", range(6))
def test_through_loss_and_crashes_epochs_follow_each_other_and_committees_change(seed: int) -> None:
    storm = Storm(seed)
    storm.join()
    leaver = storm.net.keys[0].public
    index = storm.dairy.validator_keys.index(storm.net.keys[0])
    storm.do(f"owner-{index}", Unbond(leaver, bill(100)))
    storm.rage()
    storm.blow(25_000)
    storm.agreed()
    storm.calm()
    reached = max(storm.heights())
    storm.to_height(max(reached, 3 * EPOCH_BLOCKS) + 3)
    storm.net.run(100)
    storm.agreed()
    assert accused(storm) == set()
    committee = storm.net.nodes[1].machine.application.plan.committee
    assert committee.member(leaver) is None
    assert committee.member(JOINER.public) is not None


@pytest.mark.parametrize("seed", range(4))
def test_a_liar_in_each_epoch_costs_nobody_but_itself(seed: int) -> None:
    storm = Storm(100 + seed, liar=LIAR)
    storm.join()
    storm.rage()
    storm.crash_chance = 0.006
    storm.blow(12_000)
    storm.calm()
    storm.to_height(max(storm.heights()) + 2 * EPOCH_BLOCKS, limit_ms=600_000)
    storm.agreed()
    evidence = {e.validator for n in storm.net.nodes for e in n.machine.informer.evidence}
    assert evidence <= {storm.net.keys[LIAR].public}
    assert accused(storm) <= {LIAR}
    assert address_of(key("carol").public) in committee_owners(storm)


def committee_owners(storm: Storm) -> tuple[bytes, ...]:
    return storm.net.nodes[0].machine.application.plan.owners
