"""Asking others for what is missing, with patience (spec §1.8).

What is wanted is worked out anew from the state after every event, so nothing is asked for longer
than it is needed. The fetcher only keeps the attempts: each goes to the next member in turn, each
wait is half as long again as the one before. Members that vouched for what is wanted are asked
before the rest. Each validator shuffles them anew for each request, so liars do not stand in a row
for everyone, and not everyone asks the same holder at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from consensus.leader import shuffle
from consensus.messages import FetchCertificates, FetchProposal
from consensus.params import Params
from ledger.primitives.codec import encode
from ledger.primitives.committee import Member
from ledger.primitives.hashing import Domain, digest

SPOILT_MAX: Final = 8
"""Worthless answers remembered."""

Request = FetchProposal | FetchCertificates


@dataclass(frozen=True, slots=True)
class Want:
    """Whom to ask first and how long to wait before (it may be on its way), and whom next."""

    source: Member | None
    delay_ms: int = 0
    voters: tuple[Member, ...] = ()
    """Who vouched for it: the honest among them have it."""


@dataclass(slots=True)
class _Attempt:
    due_ms: int
    wait_ms: int
    order: tuple[Member, ...]
    turn: int = 0
    tries: int = 0
    asked: set[Member] = field(default_factory=set)


@dataclass(slots=True)
class Fetcher:
    """The requests that are open, and when each is asked again."""

    params: Params
    me: Member | None
    size: int
    _open: dict[Request, _Attempt] = field(default_factory=dict)
    _spoilt: dict[Request, Member] = field(default_factory=dict)

    def update(self, wanted: Mapping[Request, Want], now_ms: int) -> list[tuple[Member, Request]]:
        """Replace what is wanted; give the requests that are due, each with whom to ask."""
        for gone in [request for request in self._open if request not in wanted]:
            del self._open[gone]
        due = []
        for request, want in wanted.items():
            attempt = self._open.get(request)
            if attempt is None:
                attempt = self._open[request] = self._begin(request, want, now_ms)
            if attempt.due_ms <= now_ms and attempt.order:
                target = attempt.order[attempt.turn]
                attempt.turn = (attempt.turn + 1) % len(attempt.order)
                due.append((target, request))
                attempt.tries += 1
                attempt.asked.add(target)
                attempt.due_ms = now_ms + attempt.wait_ms
                attempt.wait_ms = min(attempt.wait_ms * 3 // 2, self.params.fetch_max_ms)
        return due

    def _begin(self, request: Request, want: Want, now_ms: int) -> _Attempt:
        """Start afresh, or behind the member whose answer was worthless."""
        order = self._order(request, want)
        if request in self._spoilt:
            wait_ms, liar = self.params.fetch_ms, self._spoilt[request]
            turn = (order.index(liar) + 1) % len(order) if liar in order else 0
            return _Attempt(now_ms + wait_ms, wait_ms, order, turn)
        return _Attempt(now_ms + want.delay_ms, self.params.fetch_ms, order)

    def _order(self, request: Request, want: Want) -> tuple[Member, ...]:
        """Seat everyone else around the table: the source, the voters, then the rest, shuffled."""
        # Nobody else ever computes this digest, so it needs no domain of its own.
        shuffled = shuffle(
            [Member(number) for number in range(self.size) if number != self.me],
            digest(Domain.SCHEDULE, encode((self.me, request))),
        )
        voters = set(want.voters)
        # The sort is stable: within each of the three, the order stays as it was drawn.
        return tuple(
            sorted(shuffled, key=lambda member: (member != want.source, member not in voters))
        )

    def spoil(self, request: Request, source: Member) -> None:
        """Note a worthless answer, so that the next attempt begins with the next member."""
        self._spoilt.pop(request, None)
        self._spoilt[request] = source
        if len(self._spoilt) > SPOILT_MAX:
            del self._spoilt[next(iter(self._spoilt))]

    def wants(self, request: Request) -> bool:
        """Tell whether the request is open: something is known to lack it."""
        return request in self._open

    def has_asked(self, request: Request, member: Member) -> bool:
        """Tell whether an answer from this member was asked for."""
        return request in self._open and member in self._open[request].asked

    def tries(self, request: Request) -> int:
        """Count how often it was asked."""
        return self._open[request].tries if request in self._open else 0

    def due_ms(self) -> int | None:
        """Give the time of the next attempt."""
        if not self._open:
            return None
        return min([attempt.due_ms for attempt in self._open.values()])
