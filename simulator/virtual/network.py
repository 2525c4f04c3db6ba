"""A fake network: each message's fate is drawn when it is sent.

It is late by a random time, lost, delivered twice, held up by a clogged link, or cut off by a
partition. Order is not kept. Invariant: nothing is altered and no sender is forged, since the
transport proves identities; mocks that lie do so as themselves.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

from simulator.virtual.world import World

REPLAY_WAIT_MS_MAX: Final = 3_000
"""How long after it a copy of a message may come."""
DELAY_MS_MAX: Final = 3_000


@dataclass(frozen=True, slots=True)
class LinkConditions:
    """How the network behaves apart from clogs and cuts. Chances are between 0 and 1."""

    delay_ms: int = 40
    """The mean way; half of it is fixed, half is drawn from an exponential."""
    loss: float = 0.0
    replay: float = 0.0
    steady: bool = False
    """Every message takes exactly `delay_ms`."""


CALM: Final = LinkConditions()


@dataclass(frozen=True, slots=True)
class Cut:
    """A partition: which ways are severed, by place of sender and receiver."""

    name: str
    severed: frozenset[tuple[int, int]]


def split(name: str, groups: Sequence[Iterable[int]]) -> Cut:
    """Cut every way between two groups, in both directions."""
    sides = [sorted(group) for group in groups]
    ways = {
        (a, b)
        for i, one in enumerate(sides)
        for j, other in enumerate(sides)
        if i != j
        for a in one
        for b in other
    }
    return Cut(name, frozenset(ways))


def one_way(name: str, senders: Iterable[int], receivers: Iterable[int]) -> Cut:
    """Cut the ways from some to others; the ways back stay open."""
    ways = {(a, b) for a in senders for b in receivers if a != b}
    return Cut(name, frozenset(ways))


@dataclass(slots=True)
class Traffic:
    """What was sent, for growth and bounds."""

    messages: int = 0
    size_bytes: int = 0
    lost: int = 0


@dataclass(slots=True)
class Network:
    """Carries acts of delivery between places, late or never."""

    world: World
    chance: Random
    conditions: LinkConditions = CALM
    traffic: Traffic = field(default_factory=Traffic)
    cuts: list[Cut] = field(default_factory=list)
    _clogged: dict[tuple[int, int], int] = field(default_factory=dict)
    _spared: frozenset[int] = frozenset()
    _calm: LinkConditions = CALM
    """The conditions between those who were healed."""

    def send(self, source: int, target: int, size_bytes: int, deliver: Callable[[], None]) -> None:
        """Decide a message's fate, and plan its delivery if it has one."""
        traffic = self.traffic
        traffic.messages += 1
        traffic.size_bytes += size_bytes
        for cut in self.cuts:
            if (source, target) in cut.severed:
                traffic.lost += 1
                return
        conditions, random = self._conditions(source, target), self.chance.random
        if conditions.loss and random() < conditions.loss:
            traffic.lost += 1
            return
        self._deliver(source, target, conditions, 0, deliver)
        if conditions.replay and random() < conditions.replay:
            self._deliver(source, target, conditions, int(random() * REPLAY_WAIT_MS_MAX), deliver)

    def _deliver(
        self,
        source: int,
        target: int,
        conditions: LinkConditions,
        extra_ms: int,
        deliver: Callable[[], None],
    ) -> None:
        at_ms = self.world.now_ms + extra_ms + self._delay_ms(conditions)
        free_ms = self._clogged.get((source, target), 0)
        if free_ms > at_ms:
            at_ms = free_ms + int(self.chance.random() * 20)
        self.world.at(at_ms, deliver)

    def _delay_ms(self, conditions: LinkConditions) -> int:
        if conditions.steady:
            return conditions.delay_ms
        half = conditions.delay_ms / 2
        drawn = half + self.chance.expovariate(1 / half) if half else 0.0
        return max(1, min(DELAY_MS_MAX, round(drawn)))

    def _conditions(self, source: int, target: int) -> LinkConditions:
        """Give the conditions of a way: between those who were healed it is calm."""
        if source in self._spared and target in self._spared:
            return self._calm
        return self.conditions

    def clog(self, source: int, target: int, until_ms: int) -> None:
        """Hold back what goes this way until a time; then all of it comes at once."""
        self._clogged[source, target] = max(until_ms, self._clogged.get((source, target), 0))

    def cut(self, cut: Cut) -> None:
        """Begin a partition."""
        self.cuts.append(cut)

    def mend(self, cut: Cut) -> None:
        """End a partition."""
        if cut in self.cuts:
            self.cuts.remove(cut)

    def heal(self, places: Iterable[int]) -> None:
        """Make the network good between these for ever; elsewhere it stays as it is."""
        spared = frozenset(places)
        self._spared = spared
        self._calm = replace(self.conditions, loss=0.0, replay=0.0)
        between = {(a, b) for a in spared for b in spared}
        self.cuts = [Cut(cut.name, cut.severed - between) for cut in self.cuts]
        for way in sorted(between & self._clogged.keys()):
            del self._clogged[way]
